"""Read a multipart form as it arrives (RFC 7578): each part is a stream, and nothing is kept.

python-multipart's push parser says where parts begin and end. What it finds in one chunk waits in
a queue until it is asked for, and only then is the next chunk read: back-pressure for free.
"""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mediamill.core.errors import InvalidInput, LimitExceeded

MAX_PARTS = 1_000
MAX_HEADER_BYTES = 16_384
"""Of all headers of one part together."""
MAX_FIELD_BYTES = 1 << 20
"""Of all fields that are no files together, and what follows the form's end."""


@dataclass(frozen=True)
class PartHead:
    """What a part says of itself: its field's name, and a file's name where it is a file."""

    field: str
    filename: str | None


@dataclass(frozen=True)
class _End:
    """A part is over."""


class FormReader:
    """The parts of a form, in order, each to be read before the next."""

    def __init__(self, content_type: str, chunks: AsyncIterator[bytes]) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if not 1 <= len(boundary) <= 70:
            raise InvalidInput("The form’s Content-Type names no boundary of 1 to 70 characters.")
        self._chunks, self._events = chunks, deque[PartHead | bytes | _End]()
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = bytearray(), bytearray()
        self._parts, self._header_bytes, self._complete = 0, 0, False
        self._in_file, self._field_bytes = False, 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": lambda: self._events.append(_End()),
                "on_end": self._form_ends,
            },
            max_header_count=100,
            max_header_size=MAX_HEADER_BYTES,
        )

    async def parts(self) -> AsyncIterator[tuple[PartHead, AsyncIterator[bytes]]]:
        """Yield each part's head and its bytes; what is not read of a part is skipped.

        Raises `InvalidInput` for what is no form or ends early, `LimitExceeded` for too many parts,
        too long headers, or too much that is no file.
        """
        while (event := await self._next()) is not None:
            if isinstance(event, PartHead):
                contents = self._contents()
                yield event, contents
                async for _ in contents:
                    pass

    async def _contents(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next(), bytes):
            yield event

    async def _next(self) -> PartHead | bytes | _End | None:
        """Return the next event, reading as far as needed; None at the form's end."""
        while not self._events:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                if not self._complete:
                    raise InvalidInput("The form ends before its last boundary.")
                return None
            if self._complete:
                self._count_field(len(chunk))
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise InvalidInput(f"The form cannot be read: {error}") from None
        return self._events.popleft()

    # -- what the parser calls -------------------------------------------------------------------

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise LimitExceeded(f"A form may have at most {MAX_PARTS:,} parts here.")
        self._headers, self._header_bytes = {}, 0

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._count_header(end - start)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._count_header(end - start)

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            raise LimitExceeded(f"A part’s headers may have {MAX_HEADER_BYTES:,} bytes here.")

    def _header_ends(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        value = self._headers.get(b"content-disposition", b"").decode("latin-1")
        kind, options = parse_options_header(value)
        if kind != b"form-data":
            raise InvalidInput("A part of the form has no Content-Disposition: form-data.")
        filename = options.get(b"filename")
        self._in_file = filename is not None
        self._events.append(
            PartHead(
                field=_text(options.get(b"name", b"")),
                filename=None if filename is None else _text(filename),
            )
        )

    def _count_field(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > MAX_FIELD_BYTES:
            raise LimitExceeded(f"A form may hold {MAX_FIELD_BYTES:,} bytes here beside its files.")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._in_file:
            self._count_field(end - start)
        self._events.append(data[start:end])

    def _form_ends(self) -> None:
        self._complete = True


def _text(raw: bytes) -> str:
    """Decode a name; browsers escape just these three (HTML, multipart/form-data encoding)."""
    text = raw.decode("utf-8", "replace")
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
