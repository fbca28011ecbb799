"""S11, S14: archives that attack, through the real upload: refused with a reason, or made safe."""

import io
import json
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote

import pytest

from mediamill.core.logs import configure_logging
from mediamill.media.archive.records import Entry, central_header, end_records, local_header
from tests.media_factory import Pipe

TEXT = b"a little text, " * 20


def zipped(*members, method=zipfile.ZIP_DEFLATED, comment=b"", target=None) -> bytes:
    """Pack members given as (name or ZipInfo, data); the name is written as it is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(target(buffer) if target else buffer, "w") as archive:
        archive.comment = comment
        for name, data in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo("x")
            info.filename = name if isinstance(name, str) else info.filename
            info.compress_type = method
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                archive.writestr(info, data)
    return buffer.getvalue()


def special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info


def patched(data: bytes, *patches: tuple[bytes, int, bytes]) -> bytes:
    """Overwrite bytes, each so far behind the last place where a signature stands."""
    for mark, offset, patch in patches:
        at = data.rindex(mark) + offset
        data = data[:at] + patch + data[at + len(patch) :]
    return data


def laid_out(body: bytes, *entries: Entry, claimed: int = 0) -> bytes:
    directory = b"".join(map(central_header, entries))
    return body + directory + end_records(claimed or len(entries), len(directory), len(body))


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
PLAIN = zipped(("a.txt", TEXT), ("b.txt", TEXT), method=zipfile.ZIP_STORED)


def bomb(size: int) -> bytes:
    """A member of zeros that honestly unpacks to so many megabytes."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = block * size + packer.flush()
    head = zipped(("zeros", b""))[:35]
    local = patched(head, (LOCAL, 14, struct.pack("<3I", 0, len(data), size << 20)))
    central = zipped(("zeros", b""))[37 : 37 + 51]
    central = patched(central, (CENTRAL, 16, struct.pack("<3I", 0, len(data), size << 20)))
    body = local + data
    return body + central + end_records(1, len(central), len(body))


def overlapping() -> bytes:
    """Many records over one kernel, as in the bombs of `zbsm`."""
    kernel = Entry(b"a", len(TEXT), zlib.crc32(TEXT), 0)
    return laid_out(local_header(kernel) + TEXT, *[kernel] * 500)


def quoted() -> bytes:
    """Members whose data holds the local header of the next: the better kind of overlap."""
    inner = Entry(b"b", len(TEXT), zlib.crc32(TEXT), 31)
    data = local_header(inner) + TEXT
    outer = Entry(b"a", len(data), zlib.crc32(data), 0)
    return laid_out(local_header(outer) + data, outer, inner)


def zip64_lies() -> Iterator[tuple[str, bytes]]:
    wide = end_records(70_000, 1 << 33, 1 << 33)
    yield "zip64 end alone", PLAIN[: PLAIN.rindex(END)] + wide
    short = struct.pack("<HHI", 1, 4, 7)
    liar = patched(PLAIN, (CENTRAL, 24, b"\xff" * 4))
    yield "zip64 size without its field", liar
    yield "zip64 field too short", liar.replace(b"b.txt" + END, b"b.txt" + short + END)
    both = end_records(2, 102, 1 << 32)[:-22]
    yield "two ends that differ", PLAIN[: PLAIN.rindex(END)] + both + PLAIN[PLAIN.rindex(END) :]


REFUSED: list[tuple[str, bytes, int, str]] = [
    ("cut", PLAIN[:-30], 422, "cut off"),
    ("cut in its first member", PLAIN[:60], 422, "cut off"),
    ("front missing", b"PK\x03\x04" + PLAIN[80:], 422, "not where"),
    ("something in front", b"PK\x03\x04 junk" + PLAIN, 422, "stands before"),
    ("something behind", PLAIN + b"junk", 422, "something follows"),
    ("overlap", overlapping(), 422, "overlap"),
    ("inside another", quoted(), 422, "overlap"),
    ("flat bomb", bomb(1100), 413, "1,153,433,600"),
    ("impossible ratio", patched(zipped(("a", TEXT)), (LOCAL, 22, b"\0\0\0\x30"),
        (CENTRAL, 24, b"\0\0\0\x30")), 422, "promises more"),
    ("a million claimed", laid_out(b"PK\x03\x04" + bytes(99), claimed=1_000_000), 413, "1000000"),
    ("encrypted", patched(PLAIN, (CENTRAL, 8, b"\x01\x00")), 415, "without a password"),
    ("encrypted by AES", patched(PLAIN, (CENTRAL, 8, b"\x01\x00\x63\x00")), 415, "password"),
    ("hidden directory", patched(PLAIN, (CENTRAL, 8, b"\x00\x20")), 415, "password"),
    ("several disks", patched(PLAIN, (END, 4, b"\x01\x00\x01\x00")), 415, "as one"),
    ("other local name", patched(PLAIN, (LOCAL, 30, b"c")), 422, "two different names"),
    ("other local size", patched(PLAIN, (LOCAL, 18, b"\x01\0\0\0\x01\0\0\0")), 422, "contradict"),
    ("other local method", patched(PLAIN, (LOCAL, 8, b"\x08\0")), 422, "contradict"),
    ("outside", laid_out(b"PK\x03\x04" + bytes(99), Entry(b"a", 9, 0, 1 << 40)), 422, "outside"),
    ("fewer than claimed", patched(PLAIN, (END, 8, b"\x09\0\x09\0")), 422, "not where"),
    *((name, data, 422, "") for name, data in zip64_lies()),
]  # fmt: skip


async def test_refused_with_a_reason(mill, ann):
    """All in one test, as each application costs half a second; the assertions say which."""
    for name, data, status, words in REFUSED:
        answer = await ann.client.post("/v1/files?name=x.zip", content=data)
        problem = answer.json()
        assert answer.status_code == status, (name, problem)
        assert words in problem["detail"], name
        assert problem["detail"].startswith("x.zip: "), name
        assert problem["code"] in {"broken_media", "unsupported_media", "limit_exceeded"}
    assert [blob async for blob in mill.blobs.list("files/")] == []


EVIL = [
    "../../etc/passwd", "/etc/passwd", "C:\\Windows\\x", "C:x", "a\\..\\..\\b", "nul\0.txt",
    "\u202egpj.exe", "con", "x" * 60_000, "/".join(["deep"] * 3000) + "/f", "100%.txt", "a?b#c",
    "a b", " ", "..", "", "%2e%2e/%2fx", "ü/日本.txt", "same", "same", "SAME", "a\r\nX-Evil: 1",
    "<script>.html",
]  # fmt: skip


async def contents(person, data: bytes, name: str = "x.zip") -> tuple[dict[str, bytes], dict]:
    """Upload an archive and read every member by the address that the list gives."""
    file = await person.client.post(f"/v1/files?name={name}", content=data)
    assert file.status_code == 201, file.text
    found, page = {}, {}
    after = ""
    while after is not None:
        listed = await person.client.get(file.json()["links"]["members"] + "?limit=7" + after)
        page = listed.json()
        for member in page["data"]:
            answer = await person.client.get(member["url"])
            assert answer.status_code == 200, (member, answer.text)
            assert answer.headers["content-length"] == str(member["size"])
            assert answer.headers["x-content-type-options"] == "nosniff"
            found[member["path"]] = answer.content
        after = f"&after={page['after']}" if page["has_more"] else None
    assert page["count"] == len(found)
    return found, page


def check_name(path: str) -> None:
    assert not path.startswith("/")
    assert len(path.encode()) <= 1010
    for part in path.split("/"):
        assert part not in {"", ".", ".."}
        assert not set(part) & set('\\:\0\r\n<>"|?*\u202e')


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_evil_names_are_safe_unique_and_reachable(ann, method):
    data = zipped(*((name, b"%d" % n) for n, name in enumerate(EVIL)), method=method)
    found, _ = await contents(ann, data)
    assert sorted(found.values(), key=int) == [b"%d" % n for n in range(len(EVIL))]
    assert len({name.casefold() for name in found}) == len(EVIL)
    for name in found:
        check_name(name)
    assert found["etc/passwd"] == b"0"
    assert {"same", "same (2)", "SAME (3)", "100%.txt"} <= found.keys()


def named(raw: bytes, flags: int = 0, extra: bytes = b"") -> bytes:
    """A zip of one member whose name is exactly these bytes."""
    data = zipped(("n" * len(raw), TEXT), method=zipfile.ZIP_STORED)
    data = data.replace(b"n" * len(raw), raw)
    data = patched(
        data, (CENTRAL, 8, struct.pack("<H", flags)), (CENTRAL, 30, struct.pack("<H", len(extra)))
    )
    end = data.rindex(END)
    grown = int.from_bytes(data[end + 12 : end + 16], "little") + len(extra)
    data = data[:end] + extra + data[end:]
    return patched(data, (END, 12, struct.pack("<I", grown)))


def unicode_field(raw: bytes, name: str, crc32: int | None = None) -> bytes:
    crc32 = zlib.crc32(raw) if crc32 is None else crc32
    body = b"\x01" + struct.pack("<I", crc32) + name.encode()
    return struct.pack("<HH", 0x7075, len(body)) + body


NAMES = [
    (named(b"\x81ber.txt"), "über.txt"),
    (named("über.txt".encode()), "über.txt"),
    (named("日本.txt".encode(), flags=0x800), "日本.txt"),
    (named(b"\xff\xfe.txt", flags=0x800), "\ufffd\ufffd.txt"),
    (named(b"\x81.txt", extra=unicode_field(b"\x81.txt", "日本.txt")), "日本.txt"),
    (named(b"\x81.txt", extra=unicode_field(b"\x81.txt", "日本.txt", crc32=1)), "ü.txt"),
    (named(b"\x81.txt", extra=unicode_field(b"\x81.txt", "../../x")), "x"),
]


async def test_names_in_other_alphabets(ann):
    for data, expected in NAMES:
        assert (await contents(ann, data))[0] == {expected: TEXT}


NESTED = zipped(
    *((f"lib {n}.zip", zipped(*((f"{m}", TEXT) for m in range(16)))) for n in range(16))
)

SAFE: list[tuple[str, bytes, dict[str, bytes], int]] = [
    ("descriptors", zipped(("a", TEXT), ("b", b""), target=Pipe), {"a": TEXT, "b": b""}, 0),
    ("comments", zipped(("a", TEXT), comment=b"PK\x05\x06 " * 50), {"a": TEXT}, 0),
    ("folders", zipped(("f/", b""), ("f/a", TEXT)), {"f/a": TEXT}, 0),
    ("link", zipped((special("l", stat.S_IFLNK), b"/etc/passwd"), ("a", TEXT)), {"a": TEXT}, 1),
    ("devices", zipped(*((special(f"d{n}", kind), b"") for n, kind in enumerate(
        (stat.S_IFBLK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK))), ("a", TEXT)), {"a": TEXT}, 4),
    ("nothing", zipped(), {}, 0),
    ("docx", zipped(("[Content_Types].xml", TEXT), ("word/document.xml", TEXT)),
        {"[Content_Types].xml": TEXT, "word/document.xml": TEXT}, 0),
    ("jar", zipped(("META-INF/MANIFEST.MF", TEXT)), {"META-INF/MANIFEST.MF": TEXT}, 0),
]  # fmt: skip


async def test_made_safe(ann):
    for name, data, expected, left_out in SAFE:
        found, page = await contents(ann, data)
        assert (found, page["left_out"]) == (expected, left_out), name


async def test_archives_in_archives_are_files(ann):
    found, _ = await contents(ann, NESTED)
    assert len(found) == 16
    assert all(zipfile.is_zipfile(io.BytesIO(data)) for data in found.values())


async def test_a_program_that_unpacks_itself_is_no_archive(ann):
    file = (await ann.client.post("/v1/files?name=setup.exe", content=b"MZ" + PLAIN)).json()
    assert file["media_type"] == "application/octet-stream"
    assert (await ann.client.get(f"/v1/files/{file['id']}/members")).status_code == 415


METHODS = ((9, "Deflate64"), (12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (77, "method 77"))


async def test_other_methods_are_listed_and_not_read(ann):
    for method, word in METHODS:
        number = struct.pack("<H", method)
        data = patched(PLAIN, (LOCAL, 8, number), (CENTRAL, 10, number))
        file = (await ann.client.post("/v1/files", content=data)).json()
        here = f"/v1/files/{file['id']}/members"
        assert len((await ann.client.get(here)).json()["data"]) == 2
        assert (await ann.client.get(f"{here}/a.txt")).content == TEXT
        assert (await ann.client.head(f"{here}/b.txt")).status_code == 415
        answer = await ann.client.get(f"{here}/b.txt")
        assert answer.status_code == 415
        assert word in answer.json()["detail"]
        assert "Pack the archive anew" in answer.json()["detail"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_bytes_that_lie_are_no_good_answer(ann, method):
    """Small members are answered as errors; of large ones the connection breaks before the end."""
    noise = bytes(range(256)) * 4
    large = b"".join(zlib.crc32(b"%d" % n).to_bytes(4) * 64 for n in range(12_000))
    data = zipped(("small", noise), ("large", large), method=method)
    for mark in (b"small", b"large"):  # the first of each name stands in its local header
        at = data.index(mark)
        data = data[: at - 16] + b"\1\2\3\4" + data[at - 12 :]
        at = data.rindex(mark)
        data = data[: at - 30] + b"\1\2\3\4" + data[at - 26 :]
    file = (await ann.client.post("/v1/files", content=data)).json()
    here = f"/v1/files/{file['id']}/members"
    problem = await ann.client.get(f"{here}/small")
    assert (problem.status_code, problem.json()["code"]) == (422, "broken_media")
    written = io.StringIO()
    configure_logging("json", "warning", written)
    with pytest.raises(RuntimeError, match="already started"):
        await ann.client.get(f"{here}/large")
    (line,) = map(json.loads, written.getvalue().splitlines())
    assert (line["action"], line["code"]) == ("answer_broken_off", "broken_media")
    assert "exception" not in line


async def test_pages_by_prefix(ann):
    names = [f"{folder}/{n:03d}" for n in range(40) for folder in ("train", "test")]
    file = (await ann.client.post("/v1/files", content=zipped(*((n, b"") for n in names)))).json()
    here = f"/v1/files/{file['id']}/members"
    found, after = [], ""
    while after is not None:
        page = (await ann.client.get(f"{here}?prefix=train/&limit=9{after}")).json()
        assert page["count"] == 80
        found += [member["path"] for member in page["data"]]
        after = f"&after={page['after']}" if page["has_more"] else None
    assert found == [name for name in names if name.startswith("train/")]
    assert (await ann.client.get(f"{here}?prefix=x")).json()["data"] == []
    assert (await ann.client.get(f"{here}?after=-1")).status_code == 422


async def test_ranges_of_members(ann, monkeypatch):
    from mediamill.services.files import directories

    data = bytes(range(256)) * 100
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = (
            await ann.client.post("/v1/files", content=zipped(("a", data), method=method))
        ).json()
        url = f"/v1/files/{file['id']}/members/a"
        tag = (await ann.client.head(url)).headers["etag"]
        for start, stop in pairwise((0, 1, 255, 4096, 25_599)):
            asked = {"range": f"bytes={start}-{stop}", "if-range": tag}
            answer = await ann.client.get(url, headers=asked)
            assert (answer.status_code, answer.content) == (206, data[start : stop + 1])
        assert (
            await ann.client.get(url, headers={"range": "bytes=0-1", "if-range": '"x"'})
        ).content == data
    monkeypatch.setattr(directories, "RANGED_BYTES", 1000)
    answer = await ann.client.get(url, headers={"range": "bytes=5-9"})
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["accept-ranges"] == "none"


async def test_seventy_thousand_members_are_read_once(ann, mill, monkeypatch):
    entries, body = [], bytearray()
    for n in range(70_000):
        entries.append(Entry(b"%05d.jpg" % n, 0, 0, len(body)))
        body += local_header(entries[-1])
    file = (await ann.client.post("/v1/files", content=laid_out(bytes(body), *entries))).json()
    calls = []
    original = mill.directories._list

    async def counted(*arguments):
        calls.append(arguments)
        return await original(*arguments)

    monkeypatch.setattr(mill.directories, "_list", counted)
    here = f"/v1/files/{file['id']}/members"
    for after in (0, 500, 69_990):
        page = (await ann.client.get(f"{here}?after={after}")).json()
        assert unquote(page["data"][0]["path"]) == f"{after:05d}.jpg"
    assert (await ann.client.get(f"{here}/69999.jpg")).status_code == 200
    assert len(calls) == 1
