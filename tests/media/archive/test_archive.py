"""What we write every tool reads, and what we read cannot lie to us."""

import io
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.services import unavailable

from mediamill.core.errors import BrokenMedia, InvalidInput, LimitExceeded, UnsupportedMedia
from mediamill.media.archive.read import open_member, read_members
from mediamill.media.archive.records import Entry, central_header, end_records, local_header
from mediamill.media.archive.write import ArchiveWriter


def written(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with ArchiveWriter(stream) as archive:
        for name, data in members:
            archive.add(name, data)
    return stream.getvalue()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


MEMBERS = (("a.txt", b"first"), ("ü/b.bin", bytes(range(256)) * 9), ("empty", b""))


@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=200), max_size=8))
def test_the_standard_library_reads_what_we_write(contents: dict[str, bytes]):
    data = written(*contents.items())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()] == list(contents.values())


def test_unzip_reads_what_we_write(tmp_path: Path):
    tool = shutil.which("unzip") or unavailable("unzip is not installed")
    (tmp_path / "a.zip").write_bytes(written(*MEMBERS))
    assert subprocess.run([tool, "-tq", tmp_path / "a.zip"], check=False).returncode == 0


def test_the_same_calls_give_the_same_bytes():
    assert written(*MEMBERS) == written(*MEMBERS)


def test_a_member_lies_where_the_writer_says():
    stream = io.BytesIO()
    with ArchiveWriter(stream) as archive:
        found = [archive.add(name, data) for name, data in MEMBERS]
    for member, (_, data) in zip(found, MEMBERS, strict=True):
        assert stream.getvalue()[member.offset : member.offset + member.size] == data
        assert member.crc32 == zlib.crc32(data)
    assert [(m.name, m.offset) for m in read_members(stream)] == [(m.name, m.offset) for m in found]


def test_chunks_must_be_what_was_announced():
    chunks = [b"one", b"two"]
    with ArchiveWriter(io.BytesIO()) as archive:
        archive.add_chunks("a", chunks, 6, zlib.crc32(b"onetwo"))
    for size, crc32 in ((5, zlib.crc32(b"onetwo")), (6, 1)):
        archive = ArchiveWriter(io.BytesIO())
        with pytest.raises(ValueError, match="announced"):
            archive.add_chunks("a", chunks, size, crc32)


class Sparse(io.RawIOBase):
    """A stream that keeps small writes and forgets large ones, as zeros."""

    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}
        self.size = self.position = 0

    def write(self, data: bytes) -> int:
        if len(data) < 4096:
            self.pieces[self.size] = data
        self.size += len(data)
        return len(data)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset + {0: 0, 1: self.position, 2: self.size}[whence]
        return self.position

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self.position + size)
        buffer = bytearray(max(0, end - self.position))
        for at, piece in self.pieces.items():
            low, high = max(at, self.position), min(at + len(piece), end)
            if low < high:
                buffer[low - self.position : high - self.position] = piece[low - at : high - at]
        self.position = end
        return bytes(buffer)


def test_zip64_beyond_four_gigabytes():
    block, count = bytes(1 << 26), 65
    crc32 = 0
    for _ in range(count):
        crc32 = zlib.crc32(block, crc32)
    stream = Sparse()
    with ArchiveWriter(stream) as archive:
        archive.add_chunks("large", iter([block] * count), len(block) * count, crc32)
        archive.add("after", b"end")
    listed = read_members(stream)
    assert [member.size for member in listed] == [len(block) * count, 3]
    assert listed[1].offset > 1 << 32
    assert open_member(stream, listed[1]).read() == b"end"
    with zipfile.ZipFile(stream) as archive:
        assert archive.getinfo("large").file_size == len(block) * count
        assert archive.read("after") == b"end"


def test_zip64_for_more_than_65535_members():
    stream = io.BytesIO()
    with ArchiveWriter(stream) as archive:
        for n in range(65_600):
            archive.add(f"{n}", b"")
    assert len(read_members(stream)) == 65_600
    with zipfile.ZipFile(stream) as archive:
        assert len(archive.namelist()) == 65_600


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_foreign_zips_are_listed_and_read(method: int):
    stream = io.BytesIO(zipped(*MEMBERS, ("folder/", b""), method=method))
    listed = read_members(stream)
    assert [member.name for member in listed] == ["a.txt", "ü/b.bin", "empty"]
    assert [open_member(stream, member).read() for member in listed] == [
        data for _, data in MEMBERS
    ]


def test_names_from_a_zip_are_safe_and_unique():
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped(("../../evil", b"1"), ("/abs/x", b"2"), ("/abs/x", b"3"), ("a\\..\\b", b"4"))
    names = [member.name for member in read_members(io.BytesIO(data))]
    assert names == ["evil", "abs/x", "abs/x (2)", "a/b"]


def lies() -> Iterator[tuple[str, bytes, type[InvalidInput]]]:
    plain = written(("a", b"x" * 100), ("b", b"y" * 100))
    entry = Entry(b"a", 100, zlib.crc32(b"x" * 100), 0)
    body = local_header(entry) + b"x" * 100
    yield "empty", b"", BrokenMedia
    yield "text", b"hello " * 100, BrokenMedia
    yield "cut", plain[:-10], BrokenMedia
    yield "front missing", plain[10:], BrokenMedia
    yield "encrypted", _patched(plain, b"PK\x01\x02", 8, b"\x01\x08"), UnsupportedMedia
    yield "overlap", _directory(body, [entry, entry]), BrokenMedia
    inside = Entry(b"a", 100, entry.crc32, 20)
    yield "inside another", _directory(body, [entry, inside]), BrokenMedia
    yield "offset outside", _directory(body, [Entry(b"a", 9, 0, 1 << 40)]), BrokenMedia
    yield "size outside", _directory(body, [Entry(b"a", 1 << 40, 0, 0)]), BrokenMedia
    yield "other name", _directory(body, [Entry(b"b", 100, entry.crc32, 0)]), BrokenMedia
    central = central_header(entry)
    yield "count", body + central + end_records(9, len(central), len(body)), BrokenMedia
    yield (
        "huge count",
        body + central + end_records(1 << 40, len(central), len(body)),
        LimitExceeded,
    )
    several = _patched(plain, b"PK\x05\x06", 4, b"\x01\x00")
    yield "several disks", several, UnsupportedMedia


def _directory(body: bytes, entries: list[Entry]) -> bytes:
    central = b"".join(map(central_header, entries))
    return body + central + end_records(len(entries), len(central), len(body))


def _patched(data: bytes, mark: bytes, offset: int, patch: bytes) -> bytes:
    at = data.index(mark) + offset
    return data[:at] + patch + data[at + len(patch) :]


@pytest.mark.parametrize(("data", "error"), [pytest.param(d, e, id=n) for n, d, e in lies()])
def test_lies_are_refused(data: bytes, error: type[InvalidInput]):
    with pytest.raises(error):
        read_members(io.BytesIO(data))


@settings(max_examples=300)
@given(st.data())
def test_damage_raises_invalid_input_only(data: st.DataObject):
    whole = bytearray(zipped(*MEMBERS))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    stream = io.BytesIO(bytes(whole))
    try:
        for member in read_members(stream):
            open_member(stream, member).read()
    except InvalidInput:
        pass


def test_a_bomb_stops_at_the_size_it_admits():
    data = bytearray(zipped(("bomb", bytes(10_000_000))))
    stream = io.BytesIO(bytes(data))
    (member,) = read_members(stream)
    with pytest.raises(LimitExceeded):
        open_member(stream, member, max_bytes=1_000_000)
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = data[22:26] = (1000).to_bytes(4, "little")
    stream = io.BytesIO(bytes(data))
    (liar,) = read_members(stream)
    with pytest.raises(BrokenMedia):
        open_member(stream, liar).read()


def test_wrong_content_is_noticed():
    data = bytearray(written(("a", b"x" * 100)))
    data[60] ^= 1
    stream = io.BytesIO(bytes(data))
    (member,) = read_members(stream)
    with pytest.raises(BrokenMedia):
        open_member(stream, member).read()
