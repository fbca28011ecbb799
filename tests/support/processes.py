"""Real processes of the service on 127.0.0.1, ended by their process id."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.support.nursery import Forked, start

SILENT = ("worker", "ingest")
"""Processes that listen nowhere."""


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_open(
    process: subprocess.Popen[bytes], port: int, log: Path, host: str = "127.0.0.1"
) -> None:
    """Wait until a server takes connections; fails with its log when it does not."""
    until = time.monotonic() + 60  # RabbitMQ takes five, and ten times that on a busy machine
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())


class Process:
    """One `mediamill up`, `api` or `worker`, with its output in a file."""

    program: tuple[str, ...] = ()
    """The module that is run, and what it takes before the role; as a rule it is `mediamill`, with
    cheap passwords where people sign in."""

    fresh = False
    """Whether it is started afresh in any case, and so are its slots: not forked by a nursery."""

    def __init__(self, role: str, home: Path, port: int = 0, **settings: object) -> None:
        self.role, self.home, self.port = role, home, port
        self.settings = {
            f"MEDIAMILL_{name.upper()}": str(value) for name, value in settings.items()
        }
        self.output = home.parent / f"{role}-{id(self)}.log"
        self.child: subprocess.Popen[bytes] | Forked | None = None

    def command(self) -> list[str]:
        """Return what is run."""
        port = ["--port", str(self.port)] if self.role not in SILENT else []
        place = ["--home", str(self.home), *port]
        usual = ("mediamill",) if self.role in SILENT else ("tests.support.cheap",)
        return [sys.executable, "-m", *(self.program or usual), self.role, *place]

    def start(self) -> None:
        command = self.command()
        environment = {**os.environ, "MEDIAMILL_LOG_FORMAT": "json", **self.settings}
        if not self.fresh:
            self.child = start(command, environment, self.output)
            return
        with self.output.open("ab") as output:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )

    def send(self, number: int) -> None:
        assert self.child is not None
        self.child.send_signal(number)

    def end(self, number: int = signal.SIGTERM, seconds: float = 35) -> int:
        """Send a signal and wait; returns the exit code."""
        assert self.child is not None
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()

    def log(self) -> str:
        return self.output.read_text(errors="replace")


async def until_live(process: Process, seconds: float = 60) -> None:
    """Wait until a listening process answers; raises with its output when it does not."""
    url = f"http://127.0.0.1:{process.port}/health/live"
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(int(seconds / 0.05)):
            assert process.child is not None
            if process.child.poll() is not None:
                break
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    raise AssertionError(f"{process.role} did not start:\n{process.log()[-4000:]}")


@asynccontextmanager
async def running(role: str, home: Path, **settings: object):
    """Run one process for the length of the block."""
    process = Process(role, home, free_port() if role not in SILENT else 0, **settings)
    process.start()
    try:
        if role not in SILENT:
            await until_live(process)
        yield process
    finally:
        process.end()


@asynccontextmanager
async def signed_in(process: Process, email: str = "a@example.org"):
    """Give an HTTP client of a freshly registered user."""
    base = f"http://127.0.0.1:{process.port}"
    account = {"email": email, "password": "correct horse battery"}
    async with httpx.AsyncClient(base_url=base, timeout=60, trust_env=False) as client:
        await client.post("/v1/auth/register", json=account)
        answer = await client.post("/v1/auth/login", json=account)
        answer.raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        yield client
