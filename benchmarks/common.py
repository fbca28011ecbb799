"""What the benchmarks share: a service of its own, files without uploading them, medians."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import median

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' servers serve here too

from tests.support.buckets import KEYS, bucket_server
from tests.support.dynamodb import dynamodb_server
from tests.support.kafka import Kafka, kafka_server
from tests.support.postgres import postgres_server
from tests.support.streams import make_topic, settings, topic_name, url, write

from mediamill.app import App
from mediamill.core.ids import new_id
from mediamill.core.settings import Settings
from mediamill.services.accounts.sessions import Issued
from mediamill.store.port import Put
from mediamill.store.repositories.files import File

os.environ.update({name: os.environ.get(name, value) for name, value in KEYS.items()})

GUEST = '''"""Operations that only benchmarks have: one does nothing, one writes files."""

import random

from mediamill.operations.base import Context, MediaOperation, Outcome, Source


class Noop(MediaOperation):
    """Do nothing."""

    accepts = ("application/*",)

    def cost(self, source):
        return 0.02

    def run(self, source: Source, context: Context) -> Outcome:
        return Outcome(data={})


class Emit(MediaOperation):
    """Write files of a size."""

    accepts = ("application/*",)
    count: int = 1
    size: int = 1000

    def run(self, source: Source, context: Context) -> Outcome:
        block, files = random.Random(7).randbytes(min(self.size, 1 << 20)), []
        for number in range(self.count):
            with context.output(f"{number:06d}.bin", "application/octet-stream") as writer:
                for start in range(0, self.size, len(block)):
                    writer.write(block[: self.size - start])
            files.append(writer.output)
        return Outcome(tuple(files))
'''


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def guest(folder: Path) -> Path:
    """Write the installed package that brings `noop` and `emit`; return its folder."""
    about = folder / "noop_guest-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "noop_guest.py").write_text(GUEST)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: noop-guest\nVersion: 1.0\n")
    named = "[mediamill.operations]\nnoop = noop_guest:Noop\nemit = noop_guest:Emit\n"
    (about / "entry_points.txt").write_text(named)
    return folder


async def seed(home: Path, files: int) -> tuple[str, list[str]]:
    """Make a user with a token and some tiny files in one blob; return token and file ids."""
    async with await App.open(Settings(home=home, log_level="error")) as app:
        issued: Issued = await app.accounts.redeem(await app.accounts.sign_in_secret())
        caller = await app.accounts.authenticate(issued.secret)
        await app.blobs.put("files/seed", b"seed")
        now = await app.store.now()
        rows = [
            File(
                id=new_id("file"), owner=caller.user, listed=caller.user, name=f"{n}.bin",
                media_type="application/octet-stream", size=4, sha256=f"{n:064x}", crc32=0,
                blob="files/seed", thumbnail="", created=now,
            )
            for n in range(files)
        ]  # fmt: skip
        for start in range(0, files, 90):
            await app.store.transact(*(Put(row) for row in rows[start : start + 90]))
    return issued.secret, [row.id for row in rows]


@contextmanager
def process(
    role: str, home: Path, port: int, packages: Path | None = None, **settings: object
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one `mediamill up`, `api` or `worker` for the length of the block."""
    command = [sys.executable, "-m", "mediamill", role, "--home", str(home)]
    command += [] if role == "worker" else ["--port", str(port)]
    named = {f"MEDIAMILL_{name.upper()}": str(value) for name, value in settings.items()}
    search = [str(packages or ""), os.environ.get("PYTHONPATH", "")]
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, search))}
    with (home.parent / f"{role}.log").open("ab") as log:
        child = subprocess.Popen(
            command, stdout=log, stderr=log,
            env={**os.environ, "MEDIAMILL_LOG_LEVEL": "warning", **paths, **named},
        )  # fmt: skip
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(35)
        child.kill()


@asynccontextmanager
async def client(port: int, token: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a service once it answers."""
    headers = {"Authorization": f"Bearer {token}"}
    base = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(
        base_url=base, headers=headers, timeout=900, trust_env=False
    ) as web:
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if (await web.get("/health/live")).is_success:
                    break
            await asyncio.sleep(0.05)
        yield web


async def ended(web: httpx.AsyncClient, job: str) -> dict[str, object]:
    """Wait for a job's end."""
    while True:
        answer = await web.get(f"/v1/jobs/{job}", params={"wait": 60})
        answer.raise_for_status()
        told: dict[str, object] = answer.json()
        if told["finished_at"]:
            return told


Answer = tuple[int, bytes]


class Caller:
    """A client that speaks just enough HTTP, so that measuring costs little."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> Answer:
        """Send a request and read its answer, a chunked one to its end."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Authorization: Bearer {self._token}\r\nContent-Length: {len(body)}\r\n"
            f"Content-Type: {kind or 'application/octet-stream'}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        top = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = int(top.split(" ", 2)[1])
        if "transfer-encoding: chunked" in top:
            return status, await self._chunks()
        size = int(top.partition("content-length:")[2].split("\r\n")[0] or 0)
        return status, await self._reader.readexactly(size)

    async def _chunks(self) -> bytes:
        whole = b""
        while size := int(await self._reader.readline(), 16):
            whole += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return whole

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share (0…1) of the values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def resident(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def clock() -> Iterator[list[float]]:
    """Time the block: seconds of wall time in the list's first place."""
    taken = [0.0]
    start = time.perf_counter()
    yield taken
    taken[0] = time.perf_counter() - start


__all__ = [
    "Caller",
    "Kafka",
    "bucket_server",
    "client",
    "clock",
    "dynamodb_server",
    "ended",
    "free_port",
    "guest",
    "kafka_server",
    "make_topic",
    "median",
    "percentile",
    "postgres_server",
    "process",
    "resident",
    "seed",
    "settings",
    "topic_name",
    "url",
    "write",
]  # fmt: skip
