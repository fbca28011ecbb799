"""Read a large JSON object piece by piece: memory holds one element of an array at a time."""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from mediamill.core.errors import BrokenMedia, LimitExceeded

CHUNK = 1 << 20
MAX_ELEMENT = 32 << 20
"""Bytes of one element, or of a member that is no array."""
MAX_DEPTH = 64

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}"]', re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_PLAIN = re.compile(rb"[^\s,\]}]*")
_SPACE = re.compile(rb"[ \t\r\n]*")
_BOM = b"\xef\xbb\xbf"

Element = tuple[str, int | None, Any]
"""A member's name, the place in its array (None where it is none), and what is there: an
`msgspec.DecodeError` where that is not JSON."""


class Scanner:
    """A JSON object in a stream; `position` is how many bytes have been read of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._buffer, self._at, self.position = stream, b"", 0, 0

    def elements(self) -> Iterator[Element]:
        """Yield every element of every array of the object, and its other members whole.

        Raises `BrokenMedia` for what is no JSON object, `LimitExceeded` for elements that are too
        large or nested too deep.
        """
        self._more()
        if self._buffer.startswith(_BOM):
            self._at = len(_BOM)
        self._expect(b"{")
        if self._peek() == b"}":
            self._at += 1
        else:
            while True:
                yield from self._member()
                if self._next(b",}") == b"}":
                    break
        if self._peek():
            raise BrokenMedia("Something follows the end of the JSON object.")

    def _member(self) -> Iterator[Element]:
        if self._peek() != b'"':
            raise self._broken("a name in quotes")
        name = self._decoded(self._value())
        if not isinstance(name, str):
            raise self._broken("a name in quotes")
        self._expect(b":")
        if self._peek() != b"[":
            yield name, None, self._decoded(self._value())
            return
        self._at += 1
        yield name, -1, None
        if self._peek() == b"]":
            self._at += 1
            return
        place = 0
        while True:
            yield name, place, self._decoded(self._value())
            place += 1
            if self._next(b",]") == b"]":
                return

    def _decoded(self, data: bytes) -> Any:
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            return msgspec.DecodeError(str(error))

    def _value(self) -> bytes:
        """Take the next value, whatever it is."""
        kind = self._peek()
        if not kind or kind in b",:]}":
            raise self._broken("a value")
        if kind == b'"':
            end = self._end_of(_STRING)
        elif kind in b"[{":
            end = self._end_of_container()
        else:
            end = self._end_of(_PLAIN)
        value = self._buffer[self._at : end]  # reading on moves both
        self._at = end
        return value

    def _end_of(self, pattern: re.Pattern[bytes]) -> int:
        while True:
            found = pattern.match(self._buffer, self._at)
            if found is not None and found.end() < len(self._buffer):
                return found.end()
            if not self._more():
                if found is None:
                    raise self._broken("the end of a text")
                return found.end()

    def _end_of_container(self) -> int:
        """Return where the brackets that open here close."""
        depth, at = 0, self._at
        while True:
            for token in _TOKEN.finditer(self._buffer, at):
                text = token.group()
                if text == b'"':  # the rest of a text is still to come
                    at = token.start()
                    break
                at = token.end()
                depth += (text in (b"[", b"{")) - (text in (b"]", b"}"))
                if depth == 0:
                    return at
                if depth > MAX_DEPTH:
                    raise LimitExceeded(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
            else:
                at = max(at, len(self._buffer))
            before = self._at
            if not self._more():
                raise self._broken("a closing bracket")
            at -= before - self._at

    def _peek(self) -> bytes:
        """Skip space; return the next byte without taking it, empty at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._buffer) or not self._more():
                return self._buffer[self._at : self._at + 1]

    def _next(self, allowed: bytes) -> bytes:
        found = self._peek()
        if not found or found not in allowed:
            raise self._broken(" or ".join(chr(byte) for byte in allowed))
        self._at += 1
        return found

    def _expect(self, byte: bytes) -> None:
        self._next(byte)

    def _more(self) -> bool:
        """Read on, and forget what was taken; False at the end."""
        self._buffer, self._at = self._buffer[self._at :], 0
        if len(self._buffer) > MAX_ELEMENT:
            raise LimitExceeded(f"One element of the JSON has more than {MAX_ELEMENT:,} bytes.")
        chunk = self._stream.read(CHUNK)
        self._buffer += chunk
        self.position += len(chunk)
        return bool(chunk)

    def _broken(self, wanted: str) -> BrokenMedia:
        at = self.position - len(self._buffer) + self._at
        return BrokenMedia(f"This is no JSON object: {wanted} is missing at byte {at:,}.")
