"""The zip that is never stored equals a zip: every tool's view, every range, beyond 4 GB."""

import io
import zipfile
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamill.media.archive.layout import Member, Summary, parse, stream


def build(contents: dict[str, bytes]) -> tuple[Summary, list[Member], dict[str, bytes]]:
    """Lay out contents, each blob with three bytes in front that are not part of the member."""
    summary, members, blobs = Summary(), [], {}
    for place, (name, data) in enumerate(contents.items()):
        blobs[f"b{place}"] = b"..." + data + b"..."
        member = Member(name, len(data), zlib.crc32(data), f"b{place}", 3)
        members.append(parse(summary.add(member)))
    return summary, members, blobs


async def produce(members, blobs, start, stop) -> bytes:
    async def lines() -> AsyncIterator[Member]:
        for member in members:
            yield member

    async def read(blob: str, low: int, high: int) -> AsyncIterator[bytes]:
        yield blobs[blob][low:high]

    return b"".join([piece async for piece in stream(lines, read, start, stop)])


CONTENTS = {"manifest.jsonl": b"{}\n", "a/é ü.jpg": b"x" * 1000, "empty": b"", "b.bin": b"y" * 77}


async def test_it_is_a_zip_of_the_announced_length():
    summary, members, blobs = build(CONTENTS)
    data = await produce(members, blobs, 0, summary.size)
    assert len(data) == summary.size
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == CONTENTS


@given(st.data())
async def test_any_range_is_that_part_of_the_whole(data):
    summary, members, blobs = build(CONTENTS)
    start = data.draw(st.integers(0, summary.size))
    stop = data.draw(st.integers(start, summary.size))
    whole = await produce(members, blobs, 0, summary.size)
    assert await produce(members, blobs, start, stop) == whole[start:stop]


async def test_members_beyond_four_gigabytes_have_zip64_records():
    summary = Summary()
    large, small = 5 << 30, b"the end"
    members = [Member("large", large, 0, "big"), Member("small", 7, zlib.crc32(small), "tail")]
    for member in members:
        summary.add(member)

    async def lines() -> AsyncIterator[Member]:
        for member in members:
            yield member

    async def read(blob: str, low: int, high: int) -> AsyncIterator[bytes]:
        yield small[low:high]

    start = large + 55  # its local header has a ZIP64 field
    tail = b"".join([piece async for piece in stream(lines, read, start, summary.size)])
    assert len(tail) == summary.size - start
    with zipfile.ZipFile(Sparse(tail, summary.size)) as archive:
        assert [info.file_size for info in archive.infolist()] == [large, 7]
        assert archive.read("small") == small


class Sparse(io.RawIOBase):
    """A file of zeros that ends with some bytes."""

    def __init__(self, tail: bytes, size: int) -> None:
        self.tail, self.size, self.at = tail, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def read(self, count: int = -1) -> bytes:
        count = self.size - self.at if count < 0 else min(count, self.size - self.at)
        begin = self.at - (self.size - len(self.tail))
        self.at += count
        if begin >= 0:
            return self.tail[begin : begin + count]
        zeros = min(count, -begin)
        return bytes(zeros) + self.tail[: count - zeros]


async def test_the_entity_tag_changes_with_any_byte():
    one, _, _ = build(CONTENTS)
    other, _, _ = build({**CONTENTS, "b.bin": b"z" * 77})
    assert one.etag != other.etag
    assert one.size == other.size


@pytest.mark.parametrize("count", [0, 1, 70_000])
async def test_counts_beyond_sixteen_bits(count):
    summary, members, blobs = build({f"{n:06d}": b"" for n in range(count)})
    data = await produce(members, blobs, 0, summary.size)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.namelist()) == count
