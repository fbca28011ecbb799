"""A tar that is never stored, made of the same layouts as a zip (`layout.py`).

POSIX ustar (IEEE Std 1003.1-2017, pax, "ustar Interchange Format"): plain files, mode 0644, no
owner, the time 0, so the same members give the same bytes. What a header has no room for — a name
beyond 100 bytes or beyond ASCII, a size of 8 GiB — is in a pax header before it. Two empty blocks
end it, padded to whole records of 10,240 bytes.
"""

from collections.abc import AsyncGenerator

from mediamill.media.archive.layout import (
    Blob,
    Lines,
    Member,
    Nearby,
    Summary,
    Window,
    data_of,
    gathered,
)

BLOCK, RECORD = 512, 10_240
MOST = 8**11
"""Bytes that eleven octal digits cannot count any more."""


class TarSummary(Summary):
    """Takes members one by one; knows the length of their tar, in bytes, and its entity tag."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._blocks = 0

    def add(self, member: Member) -> bytes:
        """Count a member; return its line of the layout."""
        self._blocks += len(header(member)) + _padded(member.size)
        return super().add(member)

    @property
    def size(self) -> int:
        return _whole(self._blocks + 2 * BLOCK)

    @property
    def etag(self) -> str:
        return f"t{super().etag[:39]}"


def header(member: Member) -> bytes:
    """Return the blocks that come before a member's data."""
    name = member.name.encode()
    fields = {}
    if len(name) > 100 or not name.isascii():
        fields["path"] = name
    if member.size >= MOST:
        fields["size"] = str(member.size).encode()
    if not fields:
        return _block(name, member.size, b"0")
    records = b"".join(_record(key.encode(), value) for key, value in fields.items())
    short = name.decode().encode("ascii", "replace")[:100]
    size = 0 if member.size >= MOST else member.size
    extended = _block(b"pax/" + short[:90], len(records), b"x") + records.ljust(
        _padded(len(records)), b"\0"
    )
    return extended + _block(short, size, b"0")


def stream(members: Lines, blob: Blob, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    """Produce bytes `start … stop` (end excluded) of the tar that a layout describes."""
    return gathered(_pieces(members, Nearby(blob).read, Window(start, stop)))


async def _pieces(members: Lines, blob: Blob, window: Window) -> AsyncGenerator[bytes, None]:
    position = 0
    async for member in members():
        head = header(member)
        for piece in window.cut(position, head):
            yield piece
        begin = position + len(head)
        low, high = window.within(begin, begin + member.size)
        if low < high:
            async for chunk in data_of(member, blob, low - begin, high - begin):
                yield chunk
        end = begin + _padded(member.size)
        for piece in window.cut(begin + member.size, b"\0" * (end - begin - member.size)):
            yield piece
        position = end
        if position >= window.stop:
            return
    for piece in window.cut(position, b"\0" * (_whole(position + 2 * BLOCK) - position)):
        yield piece


def _block(name: bytes, size: int, kind: bytes) -> bytes:
    """Write a ustar header; its checksum counts its own field as spaces."""
    parts = (
        name.ljust(100, b"\0"), b"0000644\0", b"0000000\0", b"0000000\0",
        b"%011o\0" % size, b"%011o\0" % 0, b" " * 8, kind, b"\0" * 100,
        b"ustar\x0000", b"\0" * 64, b"0000000\0", b"0000000\0", b"\0" * 167,
    )  # fmt: skip
    block = b"".join(parts)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(key: bytes, value: bytes) -> bytes:
    """Write a pax record, which begins with its own length in decimal digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _whole(size: int) -> int:
    return -(-size // RECORD) * RECORD
