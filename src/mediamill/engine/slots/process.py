"""A child process as its worker holds it: started, killed, reaped, and its end explained."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from mediamill.core.errors import OutOfMemory, SlotFailure, TimedOut
from mediamill.engine.slots import calls
from mediamill.engine.slots.launch import command, environment
from mediamill.engine.slots.wire import Closed, Garbled
from mediamill.engine.slots.worker_end import WorkerEnd

_MAIN = "from mediamill.engine.slots.child import main; main"
_TAIL = 4_000
_GRACE_SECONDS = 1.0
_MEMORY_WORDS = (b"bad_alloc", b"out of memory", b"cannot allocate memory", b"memoryerror")
_NEARLY_FULL = 0.8


@dataclass(frozen=True)
class Exit:
    """How a process ended: its exit code, or minus the signal; the most memory it held, bytes.

    That is 0 of one that we started ourselves: Linux counts for it what we held then, which may be
    more than it ever did. So a child goes on as a sibling of the process that we started.
    """

    code: int
    most_memory: int

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exit code {self.code}"
        with suppress(ValueError):
            return signal.Signals(-self.code).name
        return f"signal {-self.code}"


class Process:
    """One child, from its start to its end."""

    def __init__(
        self, popen: "subprocess.Popen[bytes]", end: socket.socket, errors: int, memory: int
    ) -> None:
        self.pid, self._popen = popen.pid, popen
        self.end = WorkerEnd(end)
        self.report: dict[str, bool | str] = {}
        self.calls = 0
        self.killed = False
        self._memory, self._kills_before = memory, oom_kills()
        self._reserved = 0
        self._errors, self._tail = errors, b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(errors, self._read_errors)
        self._reaping: asyncio.Task[Exit] | None = None

    async def receive(self) -> calls.FromChild:
        """Wait for what the child says next; raises `Closed` or `Garbled`."""
        return _read(await self.end.receive())

    def received(self) -> calls.FromChild | None:
        """Return what the child has said already; raises `Garbled`."""
        message = self.end.received()
        return None if message is None else _read(message)

    async def send(self, *messages: calls.ToChild, descriptors: tuple[int, ...] = ()) -> None:
        """Send messages with descriptors beside them; raises `Closed`."""
        await self.end.send(*map(calls.encode, messages), descriptors=descriptors)

    def kill(self) -> None:
        """Kill the process and what it started, at once; reaped in the background."""
        if not self.killed:
            self.killed = True
            if self._reaping is None:
                _kill_group(self._popen.pid)
            self.end.close()
            self.reap()

    def reap(self) -> "asyncio.Task[Exit]":
        """Begin to wait for the end of a process that is dead or dying."""
        if self._reaping is None:
            self._reaping = self._loop.create_task(self._reap())
        return self._reaping

    async def _reap(self) -> Exit:
        ended = await asyncio.to_thread(_wait, self._popen)
        self._read_errors()
        self._loop.remove_reader(self._errors)
        os.close(self._errors)
        self.end.close()
        return ended

    def welcome(self, ready: calls.Ready) -> None:
        """Note what a child says that is ready."""
        self.report = ready.report
        if ready.pid != self._popen.pid:
            self.pid = ready.pid
            self._popen.poll()  # it has ended

    def weigh(self) -> None:
        """Note how much address space the child has taken and does not fill."""
        with suppress(OSError):
            size, resident = Path(f"/proc/{self.pid}/statm").read_text().split()[:2]
            self._reserved = (int(size) - int(resident)) * os.sysconf("SC_PAGE_SIZE")

    async def failure(self, index: int | None) -> SlotFailure:
        """Explain why the process died by itself; `index` is the item that was current."""
        ended = await asyncio.shield(self.reap())
        self.killed = True
        details: dict[str, Any] = {"index": index, "ended": str(ended)}
        details["log"] = self._tail.decode(errors="replace")
        if self._ran_out_of_memory(ended):
            return OutOfMemory(f"The process ran out of memory. {calls.REMEDY}", **details)
        if ended.code == -signal.SIGXCPU:
            return TimedOut("The process used up its processor time.", **details)
        return SlotFailure(f"The process died: {ended}.", **details)

    def _ran_out_of_memory(self, ended: Exit) -> bool:
        if ended.code == 0:
            return False
        if ended.code == -signal.SIGKILL:
            return oom_kills() > self._kills_before
        words = self._tail.lower()
        said = any(word in words for word in _MEMORY_WORDS)
        return said or ended.most_memory + self._reserved > _NEARLY_FULL * self._memory

    def _read_errors(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._errors, 1 << 16)
            self._tail = (self._tail + data)[-_TAIL:]
            if not data:
                self._loop.remove_reader(self._errors)


async def start(
    spawner: Executor, limits: calls.SlotLimits, folder: Path, setup: calls.Setup
) -> Process:
    """Start a child and wait until it is warm.

    `spawner` is a single thread that outlives the child: the kernel kills a child when the thread
    that started it ends. Raises `SlotFailure`.
    """
    loop = asyncio.get_running_loop()
    spawning = loop.run_in_executor(spawner, _spawn, folder)
    make = partial(_adopt, limits)
    try:
        process = make(await asyncio.shield(spawning))
    except asyncio.CancelledError:
        spawning.add_done_callback(lambda future: _discard(make, future))
        raise
    try:
        async with asyncio.timeout(limits.start_seconds):
            await process.send(setup)
            ready = await process.receive()
    except (Closed, Garbled):
        raise await _failed_start(process) from None
    except TimeoutError:
        process.kill()
        raise TimedOut("A slot's process did not become ready.", index=None) from None
    except BaseException:
        process.kill()
        raise
    if isinstance(ready, calls.Ready):
        process.welcome(ready)
    return process


Spawned = tuple["subprocess.Popen[bytes]", socket.socket, int]


def _adopt(limits: calls.SlotLimits, spawned: Spawned) -> Process:
    return Process(*spawned, memory=limits.memory_bytes)


def _discard(make: Callable[[Spawned], Process], future: "asyncio.Future[Spawned]") -> None:
    if not future.cancelled() and future.exception() is None:
        make(future.result()).kill()


async def _failed_start(process: Process) -> SlotFailure:
    failure = await process.failure(None)
    return SlotFailure(f"A slot's process could not start: {failure.message}", **failure.details)


def _spawn(folder: Path) -> Spawned:
    """Start a child in an empty folder; the child that was there before must be dead."""
    with suppress(RecursionError):  # folders within folders, without end
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    errors, their_errors = os.pipe()
    os.set_blocking(errors, False)
    with theirs:
        try:
            popen = subprocess.Popen(  # noqa: S603 - our own interpreter
                command(f"{_MAIN}({theirs.fileno()}, {os.getpid()})"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=their_errors,
                pass_fds=(theirs.fileno(),),
                env=environment(folder),
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            os.close(errors)
            message = f"A slot's process could not start: {error.strerror}."
            raise SlotFailure(message, index=None) from error
        finally:
            os.close(their_errors)
    return popen, ours, errors


def _wait(popen: "subprocess.Popen[bytes]") -> Exit:
    """Reap a dying process and the one it came of; if it closed its socket but lives, kill it."""
    deadline = time.monotonic() + _GRACE_SECONDS
    ended: Exit | None = None
    while True:
        try:
            pid, status, usage = os.wait4(-popen.pid, os.WNOHANG)  # its group is ours alone
        except ChildProcessError:
            break
        code = os.waitstatus_to_exitcode(status)
        if pid == popen.pid:
            popen.returncode = code
            ended = ended or Exit(code, 0)
        elif pid:
            ended = Exit(code, usage.ru_maxrss * 1024)
        else:
            if time.monotonic() > deadline:
                _kill_group(popen.pid)
            time.sleep(0.002)
    _kill_group(popen.pid)
    return ended or Exit(0, 0)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def oom_kills() -> int:
    """Return how often the kernel has killed for want of memory since this machine booted."""
    with suppress(OSError, ValueError):
        lines = Path("/proc/vmstat").read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
    return 0


def _read(message: bytes) -> calls.FromChild:
    try:
        said: calls.FromChild = calls.from_child(message)
    except msgspec.MsgspecError as error:
        raise Garbled(str(error)) from None
    return said
