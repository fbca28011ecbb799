"""A job's download beyond 5 GB over the real server: constant memory, ranges, cut and resumed.

The data are holes in sparse files, laid where the blobs of a job are, so no disk is used; on a
file system in memory, where there is one, as reading a hole there does not even fill the cache.
"""

import asyncio
import fcntl
import hashlib
import io
import re
import shutil
import subprocess
import tempfile
import zipfile
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

from mediamill.blobs.local import LocalBlobs
from mediamill.blobs.local.files import encode
from mediamill.core.ids import new_id
from mediamill.core.settings import Settings
from mediamill.media.archive.layout import Member, Summary
from mediamill.store.opening import open_store
from mediamill.store.port import Put
from mediamill.store.repositories.jobs import Job, JobState
from tests.support.processes import Process, running, signed_in
from tests.support.services import unavailable

GB = 1 << 30
GROWTH = 32 << 20
MEMORY = Path("/dev/shm")
MEMORY_IS_THERE = MEMORY.is_dir()
SMALL = {f"video/frame {n:04d} é.jpg": b"%d" % n * 50 for n in range(500)}


def zeros_crc32(count: int) -> int:
    """Return the CRC-32 of so many zero bytes, by squaring the step over one of them."""
    step = [_table(1 << bit) for bit in range(32)]
    value = 0xFFFFFFFF
    while count:
        value = _apply(step, value) if count & 1 else value
        step = [_apply(step, row) for row in step]
        count >>= 1
    return value ^ 0xFFFFFFFF


def _apply(rows: list[int], value: int) -> int:
    found = 0
    for bit, row in enumerate(rows):
        found ^= row if value >> bit & 1 else 0
    return found


def _table(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value


def test_the_yardstick():
    for count in (0, 1, 5, 1000, 123_457):
        assert zeros_crc32(count) == zlib.crc32(bytes(count))


@dataclass
class Download:
    """A job's download at a running server."""

    server: Process
    client: httpx.AsyncClient
    path: str
    size: int
    etag: str
    sizes: dict[str, int]

    @property
    def curl(self) -> list[str]:
        tool = shutil.which("curl") or unavailable("curl is not installed")
        login = f"Authorization: {self.client.headers['authorization']}"
        url = f"http://127.0.0.1:{self.server.port}{self.path}"
        return [tool, "-sS", "--fail", "--max-time", "100", "-H", login, url]

    async def range(self, start: int, stop: int) -> bytes:
        answer = await self.client.get(self.path, headers={"range": f"bytes={start}-{stop - 1}"})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{self.size}"
        return answer.content

    def memory(self, name: str) -> int:
        """Return VmRSS or VmHWM of the server in bytes."""
        status = Path(f"/proc/{self.server.child.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) << 10

    def forget_peak(self) -> None:
        Path(f"/proc/{self.server.child.pid}/clear_refs").write_text("5")


@asynccontextmanager
async def download(tmp_path: Path, holes: dict[str, int], small: dict[str, bytes]):
    """Serve a finished job whose zip has holes as large members, and small ones behind them."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY_IS_THERE else tmp_path) as folder:
        async with _download(tmp_path / "home", Path(folder), holes, small) as found:
            yield found


@asynccontextmanager
async def _download(home: Path, root: Path, holes: dict[str, int], small: dict[str, bytes]):
    place = {"blobs_url": f"file://{root}", "min_free_bytes": 0, "log_level": "error"}
    async with (
        running("api", home, **place) as server,
        signed_in(server) as client,
    ):
        owner = (await client.get("/v1/me")).json()["id"]
        job = new_id("job")
        summary, sizes = _lay(root, job, holes, small)
        store = await open_store(Settings(home=home).store_url)
        row = Job(
            id=job, owner=owner, listed=owner, steps=(), klass="bulk", created=1, finished=2,
            state=JobState.SUCCEEDED, layout=f"layouts/{job}/0-1-layout",
            download_size=summary.size, download_etag=summary.etag,
        )  # fmt: skip
        await store.transact(Put(row))
        await store.close()
        path = f"/v1/jobs/{job}/download"
        yield Download(server, client, path, summary.size, f'"{summary.etag}"', sizes)


def _lay(
    root: Path, job: str, holes: dict[str, int], small: dict[str, bytes]
) -> tuple[Summary, dict[str, int]]:
    """Write the blobs and the layout of a job as its worker does."""
    summary, lines = Summary(), []

    def add(member: Member) -> None:
        lines.append(summary.add(member))

    for n, (name, size) in enumerate(holes.items()):
        blob = f"results/{job}/0-1-{n}-0"
        with _file(root, blob).open("wb") as file:
            file.truncate(size)
        add(Member(name, size, zeros_crc32(size), blob))
    pack = f"results/{job}/0-1-{len(holes)}-0"
    data, offset = b"".join(small.values()), 0
    _file(root, pack).write_bytes(data)
    for name, content in small.items():
        add(Member(name, len(content), zlib.crc32(content), pack, offset))
        offset += len(content)
    _file(root, f"layouts/{job}/0-1-layout").write_bytes(b"".join(lines))
    return summary, {**holes, **{name: len(content) for name, content in small.items()}}


def _file(root: Path, key: str) -> Path:
    assert LocalBlobs(root)._path(key) == root / encode(key)
    path = root / encode(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


class Remote(io.RawIOBase):
    """The download as a seekable file, each read being a request for a range."""

    def __init__(self, of: Download) -> None:
        self.of, self.at = of, 0
        self.client = httpx.Client(
            base_url=of.client.base_url, headers=of.client.headers, trust_env=False
        )

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, self.of.size)[whence]
        return self.at

    def readinto(self, buffer) -> int:
        stop = min(self.of.size, self.at + len(buffer))
        if stop <= self.at:
            return 0
        header = {"range": f"bytes={self.at}-{stop - 1}", "if-range": self.of.etag}
        answer = self.client.get(self.of.path, headers=header)
        assert answer.status_code == 206
        buffer[: stop - self.at] = answer.content
        count, self.at = stop - self.at, stop
        return count

    def close(self) -> None:
        self.client.close()
        super().close()


def check_stream(of: Download) -> None:
    """Read the whole zip as it arrives, as a reader that cannot go back: headers, then data."""
    with subprocess.Popen(of.curl, stdout=subprocess.PIPE, bufsize=1 << 20) as process:
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)
        _check(of, process.stdout)
    assert process.returncode == 0


def _check(of: Download, stream: BinaryIO) -> None:
    position = 0
    for name, size in of.sizes.items():
        head = stream.read(30)
        assert head[:4] == b"PK\x03\x04"
        name_size, extra_size = (int.from_bytes(head[n : n + 2], "little") for n in (26, 28))
        assert stream.read(name_size).decode() == name
        extra = stream.read(extra_size)
        told = int.from_bytes(head[22:26], "little")
        assert (int.from_bytes(extra[4:12], "little") if told == 0xFFFFFFFF else told) == size
        if name in SMALL:
            assert stream.read(size) == SMALL[name]
        else:
            _check_zeros(stream, size)
        position += 30 + name_size + extra_size + size
    assert position + len(stream.read()) == of.size


ZEROS = bytes(1 << 20)


def _check_zeros(stream: BinaryIO, size: int) -> None:
    for _ in range(size // len(ZEROS)):
        if stream.read(len(ZEROS)) != ZEROS:  # no `assert`: pytest would keep both sides
            pytest.fail("not all zeros")
    rest = size % len(ZEROS)
    assert stream.read(rest) == ZEROS[:rest]


HOLES = {"manifest.jsonl": 100, "large.bin": 4 * GB + 12_345, "another.bin": GB}


async def test_beyond_five_gigabytes(tmp_path):
    """Every boundary by ranges, a zip reader over ranges, and the whole stream in little memory."""
    async with download(tmp_path, HOLES, SMALL) as of:
        assert of.size > 5 * GB
        head = await of.client.head(of.path)
        assert (head.headers["content-length"], head.headers["etag"]) == (str(of.size), of.etag)
        assert head.headers["accept-ranges"] == "bytes"
        for place in (0, 4 * GB, (1 << 32) - 8, 5 * GB, of.size - 20):
            around = await of.range(max(0, place - 100), min(of.size, place + 100))
            first = await of.range(max(0, place - 100), place + 1)
            second = await of.range(place + 1, min(of.size, place + 100))
            assert first + second == around
        beyond = await of.client.get(of.path, headers={"range": f"bytes={of.size}-"})
        assert beyond.status_code == 416
        await asyncio.to_thread(_check_records, of)
        before = of.memory("VmRSS")
        of.forget_peak()
        await asyncio.to_thread(check_stream, of)
        assert of.memory("VmHWM") - before < GROWTH


def _check_records(of: Download) -> None:
    with io.BufferedReader(Remote(of), 1 << 16) as file, zipfile.ZipFile(file) as archive:
        assert {info.filename: info.file_size for info in archive.infolist()} == of.sizes
        for name in [*SMALL][::97]:
            assert archive.read(name) == SMALL[name]
        large = archive.getinfo("large.bin")
        assert zeros_crc32(large.file_size) == large.CRC


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def test_curl_resumes_what_was_cut(tmp_path):
    """Cut by a kill, gone on by `curl -C -`: the same bytes as in one piece."""
    target, whole = tmp_path / "cut.zip", hashlib.sha256()
    async with download(tmp_path, {"a.bin": 150 << 20}, SMALL) as of:
        slow = [*of.curl, "--limit-rate", "100M", "-o", target]
        first = await asyncio.create_subprocess_exec(*slow)
        while first.returncode is None and size_of(target) < 20 << 20:
            await asyncio.sleep(0.01)
        assert first.returncode is None
        first.kill()
        await first.wait()
        had = target.stat().st_size
        assert 0 < had < of.size
        again = await asyncio.create_subprocess_exec(*of.curl, "-C", "-", "-o", target)
        assert await again.wait() == 0
        async with of.client.stream("GET", of.path) as answer:
            async for chunk in answer.aiter_bytes():
                whole.update(chunk)
        with target.open("rb") as file:
            assert hashlib.file_digest(file, "sha256").digest() == whole.digest()


@pytest.mark.soak
async def test_curl_resumes_beyond_four_gigabytes(tmp_path):
    """What had arrived is made by hand: its header, and a hole for its zeros."""
    target = tmp_path / "cut.zip"
    async with download(tmp_path, HOLES, SMALL) as of:
        had = 5 * GB - 1_000_003
        second = 30 + len("manifest.jsonl") + 100 + 30 + len("large.bin") + 20 + HOLES["large.bin"]
        with target.open("wb") as file:
            for start in (0, second):
                file.seek(start)
                file.write(await of.range(start, start + 300))
            file.truncate(had)
        run = await asyncio.create_subprocess_exec(*of.curl, "-C", "-", "-o", target)
        assert await run.wait() == 0
    assert target.stat().st_size == of.size
    with zipfile.ZipFile(target) as archive:
        assert {info.filename: info.file_size for info in archive.infolist()} == of.sizes
        assert archive.read([*SMALL][-1]) == SMALL[[*SMALL][-1]]
        with archive.open("another.bin") as member:  # read to its end: its CRC-32 is checked
            assert sum(map(len, iter(lambda: member.read(1 << 20), b""))) == GB


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_every_program_takes_it_whole(tmp_path):
    """5 GB on disk, cut three times on the way, and judged by four programs."""
    target = tmp_path / "whole.zip"
    async with download(tmp_path, HOLES, SMALL) as of:
        for share in (0.2, 0.5, 0.9):
            part = await asyncio.create_subprocess_exec(*of.curl, "-C", "-", "-o", target)
            while part.returncode is None and size_of(target) < share * of.size:
                await asyncio.sleep(0.01)
            assert part.returncode is None
            part.kill()
            await part.wait()
        last = await asyncio.create_subprocess_exec(*of.curl, "-C", "-", "-o", target)
        assert await last.wait() == 0
    judged_by_all(target)


def judged_by_all(target: Path) -> None:
    """Have unzip, 7z, bsdtar and Python read every byte of a zip."""
    for command in (["unzip", "-tqq"], ["7z", "t", "-bso0"], ["bsdtar", "-xOf"]):
        tool = shutil.which(command[0]) or unavailable(f"{command[0]} is not installed")
        run = subprocess.run(
            [tool, *command[1:], target],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        )
        assert run.returncode == 0, (command, run.stderr)
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None


async def test_many_members_with_foreign_names(tmp_path):
    """More than 16 bits count, flattened out of one blob: every program accepts it."""
    names = ("é", "日本", "a b", "100%", "ß")
    many = {f"clip/{names[n % 5]}-{n:06d}.jpg": b"%d" % n for n in range(70_000)}
    target = tmp_path / "many.zip"
    async with download(tmp_path, {}, many) as of:
        before = of.memory("VmRSS")
        of.forget_peak()
        run = await asyncio.create_subprocess_exec(*of.curl, "-o", target)
        assert await run.wait() == 0
        assert of.memory("VmHWM") - before < GROWTH
    assert target.stat().st_size == of.size
    await asyncio.to_thread(judged_by_all, target)
