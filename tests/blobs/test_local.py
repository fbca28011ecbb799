"""The local store's own promises, on top of the contract: room, links, foreign files, processes."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.contracts.blobs_contract import FUTURE, BlobsContract, collect, keys
from tests.support.services import unavailable

from mediamill.blobs.local import LocalBlobs, files
from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import CHUNK, OpensLocally
from mediamill.core.errors import (
    BrokenMedia,
    ConfigurationError,
    NotFound,
    StorageFull,
    Unavailable,
)


@pytest_asyncio.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[LocalBlobs]:
    blobs = await open_blobs(f"file://{tmp_path}/deep/blobs")
    assert isinstance(blobs, LocalBlobs)
    assert isinstance(blobs, OpensLocally)
    yield blobs
    await blobs.close()


class TestLocal(BlobsContract):
    pass


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


async def test_foreign_files_are_not_objects(blobs: LocalBlobs):
    await blobs.put("a/b", b"x")
    (blobs.root / "a+" / ".nfs000123").write_bytes(b"")
    (blobs.root / "lost+found").mkdir()
    assert await keys(blobs) == ["a/b"]


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo", "folder"])
async def test_adopt_follows_no_link(blobs: LocalBlobs, tmp_path: Path, kind: str):
    secret, path = tmp_path / "secret", tmp_path / "output-1"
    secret.write_bytes(b"secret")
    make = {
        "symlink": lambda: path.symlink_to(secret),
        "hard link": lambda: path.hardlink_to(secret),
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }
    make[kind]()
    with pytest.raises(BrokenMedia):
        await blobs.adopt("k", path)
    assert await keys(blobs) == []
    assert secret.read_bytes() == b"secret"


async def test_a_truncated_object_is_not_a_short_read(blobs: LocalBlobs):
    await blobs.put("k", b"x" * (3 * CHUNK))
    reader = blobs.read("k")
    await anext(reader)
    os.truncate(blobs.root / "k", CHUNK)
    with pytest.raises(BrokenMedia):
        await anext(reader)


async def test_open_descriptor_is_read_only_and_seekable(blobs: LocalBlobs):
    await blobs.put("k", b"abc")
    descriptor = await blobs.open_descriptor("k")
    assert os.pread(descriptor, 10, 1) == b"bc"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(descriptor, b"x")
    os.close(descriptor)
    with pytest.raises(NotFound):
        await blobs.open_descriptor("nothing")


async def test_cancelled_reads_and_opens_leak_no_descriptor(blobs: LocalBlobs):
    await blobs.put("k", b"x" * (4 * CHUNK))
    before = len(os.listdir("/proc/self/fd"))
    for number in range(50):
        work = collect(blobs, "k") if number % 2 else blobs.open_descriptor("k")
        task = asyncio.ensure_future(work)
        await asyncio.sleep(number * 0.00005)
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        if isinstance(result, int):
            os.close(result)
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_sweep_prunes_folders_that_are_empty_for_an_hour(blobs: LocalBlobs):
    await blobs.put("old/deep/a", b"x")
    await blobs.put("kept/a", b"x")
    await blobs.put("young/a", b"x")
    for key in ("old/deep/a", "young/a"):
        await blobs.delete(key)
    old = 1_600_000_000
    for folder in ("kept+", "old+/deep+"):
        os.utime(blobs.root / folder, (old, old))
    await blobs.sweep(FUTURE)
    assert not (blobs.root / "old+" / "deep+").exists()
    assert (blobs.root / "young+").exists()
    assert await blobs.get("kept/a") == b"x"
    await blobs.put("old/deep/a", b"y")
    assert await blobs.get("old/deep/a") == b"y"


async def test_listing_in_pages_of_names(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "PAGE", 7)
    expected = sorted(f"f{a}/{b:03d}" for a in range(9) for b in range(20))
    for key in expected:
        await blobs.put(key, b"")
    assert await keys(blobs) == expected
    assert await keys(blobs, "f", "f3/004") == [key for key in expected if key > "f3/004"]


async def test_watermark_before_and_while_writing(tmp_path: Path):
    status = os.statvfs(tmp_path)
    room = status.f_bavail * status.f_frsize
    full = LocalBlobs(tmp_path / "full", min_free_bytes=room + (1 << 34))
    with pytest.raises(StorageFull):
        async with full.upload("k"):
            pass
    with pytest.raises(StorageFull):
        await full.put("k", b"")
    made = tmp_path / "made"
    made.write_bytes(b"x")
    with pytest.raises(StorageFull):
        await full.adopt("k", made)
    made.unlink()
    assert await full.free_bytes() == 0
    nearly = LocalBlobs(tmp_path / "nearly", min_free_bytes=0)
    async with nearly.upload("k") as upload:
        await upload.write(b"x" * CHUNK)
        nearly._incoming._min_free = room + (1 << 34)
        with pytest.raises(StorageFull):
            await upload.write(b"x" * CHUNK)
        with pytest.raises(ValueError, match="ended"):
            await upload.commit()
    assert everything(tmp_path) == []
    await full.close()
    await nearly.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=64", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        unavailable(f"tmpfs cannot be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("way", ["upload", "put", "adopt", "inodes"])
async def test_r5_full_disk(small_disk: Path, tmp_path: Path, way: str):
    blobs = await open_blobs(f"file://{small_disk}/blobs")
    await blobs.put("first", b"x" * (4 << 20))
    before = everything(small_disk)
    output = tmp_path / "output-1"
    output.write_bytes(b"x" * (6 << 20))

    async def upload() -> None:
        async with blobs.upload("second") as upload:
            for _ in range(6):
                await upload.write(b"x" * CHUNK)
            await upload.commit()

    async def inodes() -> None:
        for number in range(100):
            await blobs.put(f"folder{number}/second", b"")

    attempts = {
        "upload": upload,
        "put": lambda: blobs.put("second", b"x" * (6 << 20)),
        "adopt": lambda: blobs.adopt("second", output),
        "inodes": inodes,
    }
    with pytest.raises(StorageFull):
        await attempts[way]()
    if way != "inodes":
        assert everything(small_disk) == before
        assert output.exists()
    for key in await keys(blobs):
        await blobs.delete(key)
    await blobs.put("second", b"x" * (6 << 20))
    assert [name for name in everything(small_disk) if ".incoming" in name] == []
    await blobs.close()


async def test_adopt_across_file_systems_copies(small_disk: Path, tmp_path: Path):
    blobs = await open_blobs(f"file://{small_disk}")
    output = tmp_path / "output-1"
    output.write_bytes(b"x" * (2 * CHUNK + 1))
    await blobs.adopt("k", output)
    assert not output.exists()
    assert await blobs.get("k") == b"x" * (2 * CHUNK + 1)
    assert everything(small_disk) == ["k"]
    await blobs.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from mediamill.blobs.local import LocalBlobs
async def main():
    blobs = LocalBlobs(Path(sys.argv[1]))
    letter = sys.argv[2].encode()
    for number in range(100):
        await blobs.put(f"shared/{number}/k", letter * 5000)
        await blobs.delete(f"shared/{number}/k")
        await blobs.put(f"shared/{number}/k", letter * 5000)
        await blobs.sweep(0)
    await blobs.close()
asyncio.run(main())
"""


async def test_several_processes_share_a_root(tmp_path: Path):
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, str(tmp_path), letter)
        for letter in "abc"
    ]
    assert [await writer.wait() for writer in writers] == [0, 0, 0]
    blobs = LocalBlobs(tmp_path)
    found = [info async for info in blobs.list("shared/")]
    assert len(found) == 100
    for info in found:
        assert len(set(await blobs.get(info.key))) == 1
    assert await blobs.sweep(FUTURE) == 0
    await blobs.close()


@pytest.mark.parametrize(
    "url",
    ["", "file:", "file://host/x", "file:relative", "file:///x?y=1", "ftp://x", "port:", "nope:"],
)
async def test_a_bad_url_names_the_setting(url: str):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_RESULTS_URL"):
        await open_blobs(url, setting="MEDIAMILL_RESULTS_URL")


async def test_a_root_that_cannot_be_made_names_the_setting(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="MEDIAMILL_BLOBS_URL"):
        await open_blobs(f"file://{tmp_path}/file/blobs")


async def test_other_trouble_is_unavailable(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch):
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable):
        await blobs.put("k", b"x")
    assert await keys(blobs) == []
    assert everything(blobs.root) == []


class Counted:
    """Counts what is done in the store's threads."""

    def __init__(self, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self._run = 0, blobs._threads.run
        monkeypatch.setattr(blobs._threads, "run", self.run)

    async def run(self, *work):
        self.calls += 1
        return await self._run(*work)


async def test_small_reads_take_one_thread_and_leave_nothing_open(
    blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
):
    await blobs.put("a/b", b"x" * 100)
    await blobs.put("a/long", b"y" * (CHUNK + 1))
    counted, opened = Counted(blobs, monkeypatch), len(os.listdir("/proc/self/fd"))
    assert await collect(blobs, "a/b") == b"x" * 100
    assert await collect(blobs, "a/b", 90, 300) == b"x" * 10
    assert await collect(blobs, "a/b", 100) == b""
    assert counted.calls == 3
    assert len(await collect(blobs, "a/long")) == CHUNK + 1
    assert counted.calls == 5
    async for _ in (reading := blobs.read("a/long")):
        break
    await reading.aclose()
    assert len(os.listdir("/proc/self/fd")) == opened


async def test_an_object_that_becomes_shorter_while_it_is_read_is_broken(blobs: LocalBlobs):
    await blobs.put("a/b", b"x" * (3 * CHUNK))
    reading = blobs.read("a/b")
    await anext(reading)
    os.truncate(blobs.root / "a+" / "b", CHUNK + 5)
    assert len(await anext(reading)) == 5
    with pytest.raises(BrokenMedia, match=f"byte {CHUNK + 5}"):
        await anext(reading)


async def test_second_keys_are_given_over_what_was_there(blobs: LocalBlobs):
    for name in ("a", "b", "c"):
        await blobs.put(f"from/{name}", name.encode())
    await blobs.put("to/b", b"old")
    await blobs.copy_all([(f"from/{name}", f"to/{name}") for name in ("a", "b", "c")])
    await blobs.copy_all([("from/a", "to/a"), ("from/b", "to/b")])  # once more does no harm
    assert [await blobs.get(f"to/{name}") for name in ("a", "b", "c")] == [b"a", b"b", b"c"]
    assert not [path for path in everything(blobs.root) if path.startswith(".incoming")]
    with pytest.raises(NotFound):
        await blobs.copy_all([("from/a", "to/d"), ("from/none", "to/e")])
