"""A zip without some of its members: what stays is bit for bit what was packed."""

import io
import shutil
import stat
import subprocess
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.media_factory import Pipe
from tests.support.services import unavailable

from mediamill.core.errors import Conflict
from mediamill.media.archive.read import open_member, read_members
from mediamill.media.archive.records import Entry, central_header, end_records, local_header
from mediamill.media.archive.remove import plan

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)


def packed(names: dict[str, bytes], *, streamed: bool = False, comment: bytes = b"") -> bytes:
    """Pack members of all methods, dates and modes; `streamed` writes data descriptors."""
    buffer = io.BytesIO()
    target = Pipe(buffer) if streamed else buffer
    with zipfile.ZipFile(target, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for place, (name, data) in enumerate(names.items()):
            info = zipfile.ZipInfo(name.rstrip("*"), (2001 + place % 90, 2, 3, 4, 5, 6))
            info.external_attr = (stat.S_IFREG | 0o600 + place % 8) << 16
            info.compress_type = METHODS[place % 3]
            archive.writestr(info, data)
        archive.comment = comment
    return buffer.getvalue()


def without(data: bytes, *paths: str) -> bytes:
    removal = plan(io.BytesIO(data), paths)
    pieces = (p if isinstance(p, bytes) else data[p[0] : p[1]] for p in removal.pieces)
    return b"".join(pieces)


def facts(data: bytes, name: str) -> tuple[object, ...]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo(name)
        return (
            archive.read(name), info.date_time, info.external_attr, info.compress_type,
            info.compress_size, info.CRC, info.extra, info.create_system,
        )  # fmt: skip


CONTENTS = {"a.txt": b"aaaa" * 99, "b/ü.bin": bytes(range(256)), "c": b"", "d.txt": b"d" * 5000}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("gone", CONTENTS)
def test_the_others_stay_as_they_were_packed(gone, streamed):
    data = packed(CONTENTS, streamed=streamed, comment=b"kept too")
    left = without(data, gone)
    assert len(left) < len(data)
    with zipfile.ZipFile(io.BytesIO(left)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [name for name in CONTENTS if name != gone]
        assert archive.comment == b"kept too"
        for name in archive.namelist():
            assert facts(left, name) == facts(data, name)


@given(st.data())
def test_any_choice_leaves_the_rest(data):
    contents = data.draw(
        st.dictionaries(
            st.text("aB.é /", min_size=1, max_size=6), st.binary(max_size=90), min_size=1
        )
    )
    whole = packed(contents, streamed=data.draw(st.booleans()))
    stream = io.BytesIO(whole)
    before = {m.name: m for m in read_members(stream)}
    gone = data.draw(st.sets(st.sampled_from(sorted(before)))) if before else set()
    if before.keys() == gone:
        return
    after = io.BytesIO(without(whole, *gone))
    kept = {m.name: m for m in read_members(after)}
    assert [*kept] == [name for name in before if name not in gone]
    for name, member in kept.items():
        assert (member.size, member.crc32) == (before[name].size, before[name].crc32)
        if member.method in {0, 8}:
            assert open_member(after, member).read() == open_member(stream, before[name]).read()


def test_doubles_keep_the_names_they_are_listed_under():
    """Or deleting `a` twice, as after a lost answer, would take the second one along."""
    data = packed({"a": b"1", "A*": b"2", "x/../a**": b"3", "b": b"4"})
    left = without(data, "a")
    assert [m.name for m in read_members(io.BytesIO(left))] == ["A (2)", "x/a", "b"]
    assert plan(io.BytesIO(left), ["a"]).removed == frozenset()
    with zipfile.ZipFile(io.BytesIO(left)) as archive:
        assert archive.testzip() is None
        assert archive.read("A (2)") == b"2"


def test_folders_links_and_orphans():
    """Folders and links are copied as they are; what no record names is left behind."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.mkdir("folder")
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("folder/a", b"a")
        archive.writestr("folder/b", b"b")
    data = buffer.getvalue()
    assert [m.name for m in read_members(buffer)] == ["folder/a", "folder/b"]
    left = without(data, "folder/a")
    with zipfile.ZipFile(io.BytesIO(left)) as archive:
        assert archive.namelist() == ["folder/", "link", "folder/b"]
    assert b"folder/a" not in left


def test_the_last_member_stays():
    data = packed({"a": b"1", "b": b"2"})
    assert plan(io.BytesIO(data), ["c"]).removed == frozenset()
    with pytest.raises(Conflict, match="delete the file"):
        plan(io.BytesIO(data), ["a", "b"])


def test_members_beyond_four_gigabytes_move_within_their_zip64_fields():
    """Over a sparse zip: a member of 5 GB goes, the one behind it moves to the front."""
    large, small = Entry(b"large", 5 << 30, 0, 0), b"the end"
    head = local_header(large)
    tail_at = len(head) + large.size
    after = Entry(b"small", len(small), zlib.crc32(small), tail_at)
    tail = local_header(after) + small
    central = central_header(large) + central_header(after)
    tail += central + end_records(2, len(central), tail_at + len(tail))
    stream = Holes({0: head, tail_at: tail}, tail_at + len(tail))
    removal = plan(stream, ["large"])
    pieces = (p if isinstance(p, bytes) else stream.at(*p) for p in removal.pieces)
    left = io.BytesIO(b"".join(pieces))
    (member,) = read_members(left)
    assert open_member(left, member).read() == small
    with zipfile.ZipFile(left) as archive:
        assert archive.read("small") == small


class Holes(io.RawIOBase):
    """A stream of zeros with some pieces in it."""

    def __init__(self, pieces: dict[int, bytes], size: int) -> None:
        self.pieces, self.size, self.position = pieces, size, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset + (0, self.position, self.size)[whence]
        return self.position

    def at(self, start: int, stop: int) -> bytes:
        self.position = start
        return self.read(stop - start)

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self.position + size)
        buffer = bytearray(max(0, end - self.position))
        for at, piece in self.pieces.items():
            low, high = max(at, self.position), min(at + len(piece), end)
            if low < high:
                buffer[low - self.position : high - self.position] = piece[low - at : high - at]
        self.position = end
        return bytes(buffer)


@pytest.mark.parametrize("command", [["unzip", "-tq"], ["7z", "t"], ["bsdtar", "-tf"]])
def test_other_programs_read_what_is_left(tmp_path: Path, command):
    tool = shutil.which(command[0]) or unavailable(f"{command[0]} is not installed")
    (tmp_path / "a.zip").write_bytes(without(packed(CONTENTS, streamed=True), "a.txt", "c"))
    run = subprocess.run([tool, *command[1:], tmp_path / "a.zip"], check=False, capture_output=True)
    assert run.returncode == 0, run.stdout
