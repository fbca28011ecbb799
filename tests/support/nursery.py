"""Processes forked from one that has imported already what they need: a start costs a tenth.

A process of the service spends most of its start on imports, and so does a slot until its first
item. What a nursery forks (`tests.support.forking`) has the descriptors, the environment, the
folder and the session that a fresh process would have, runs the same command line, and is a child
of the process of the tests, which waits for it. Tests of how a process starts take a fresh one.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from mediamill.engine.slots import launch, libc

ROOT = Path(__file__).parents[2]
SECONDS = 60
PR_SET_CHILD_SUBREAPER = 36
"""Who has this property is given the children of those below it that have ended (prctl(2))."""
LONGEST = 1 << 17
"""Bytes of a request: a command and its environment."""
NATIVE = {
    name: value for name, value in launch.environment(ROOT).items()
    if name.startswith(("OMP_", "OPENBLAS_", "OPENCV_"))
}  # fmt: skip
"""What native libraries of slots read when they are imported."""
PROGRAMS = (
    "mediamill", "tests.support.cheap", "tests.support.chains", "tests.support.held",
    "tests.faults.dying_api", "tests.faults.freezing", "tests.faults.wrong_clock",
)  # fmt: skip
"""What is forked: none of these changes what is imported, all change it where it is used."""
FREE = ("MEDIAMILL_", "AWS_", "COLUMNS", "PYTEST_CURRENT_TEST")
"""How variables begin that nobody reads before the program itself runs."""


class Forked:
    """A process as `subprocess.Popen` gives it, without pipes."""

    def __init__(self, pid: int, command: Sequence[str]) -> None:
        self.pid, self.args = pid, list(command)
        self.returncode: int | None = None
        self._waiting = threading.Lock()

    def poll(self) -> int | None:
        with self._waiting:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, or minus the signal; raises `subprocess.TimeoutExpired`."""
        until, pause = time.monotonic() + (timeout or float("inf")), 0.0005
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Line:
    """A way to a nursery, which must be below this process."""

    def __init__(self, end: socket.socket) -> None:
        self._end, self._asking = end, threading.Lock()
        end.settimeout(SECONDS)

    def fork(
        self,
        command: Sequence[str],
        descriptors: Sequence[int],
        environment: Mapping[str, str],
        cwd: Path | None = None,
        *,
        session: bool = False,
    ) -> Forked:
        """Run a Python command line; it has the first three descriptors as its usual ones.

        All others keep their numbers. `session` makes it a session of its own.
        """
        asked = {
            "command": list(command), "descriptors": list(descriptors), "parent": os.getpid(),
            "environment": dict(environment), "cwd": str(cwd or Path.cwd()), "session": session,
        }  # fmt: skip
        with self._asking:
            libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
            try:
                socket.send_fds(self._end, [json.dumps(asked).encode()], descriptors)
                answer = self._end.recv(100)
            finally:
                libc.prctl(PR_SET_CHILD_SUBREAPER, 0)
        if not answer:
            raise AssertionError("the nursery has ended: see its output")
        return Forked(int(answer), command)


class Nursery(Line):
    """That of the tests, which ends when they do."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        super().__init__(ours)
        self.environment = dict(os.environ)
        code = f"from tests.support.forking import serve; serve({theirs.fileno()})"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code], env={**os.environ, **NATIVE}, cwd=ROOT,
                stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
        atexit.register(self.end)

    def end(self) -> None:
        """Let it go: it ends when nobody can ask it any more."""
        self._end.close()
        self._process.wait(SECONDS)


@cache
def nursery() -> Nursery:
    """Return the one of this process of the tests."""
    return Nursery()


def forks(command: Sequence[str], environment: dict[str, str]) -> bool:
    """Tell whether a fork is what a fresh process would be: a variable may change how it begins."""
    if command[:2] != [sys.executable, "-m"] or command[2] not in PROGRAMS:
        return False
    here = nursery().environment
    strange = {
        name for name in here.keys() | environment.keys()
        if here.get(name) != environment.get(name)
    }  # fmt: skip
    return all(name.startswith(FREE) for name in strange)


def start(
    command: Sequence[str], environment: dict[str, str], log: Path
) -> subprocess.Popen[bytes] | Forked:
    """Start a process that is told nothing and adds what it says to a file."""
    with log.open("ab") as output, Path(os.devnull).open() as nothing:
        if forks(command, environment):
            given = (nothing.fileno(), output.fileno(), output.fileno())
            return nursery().fork(command, given, environment)
        return subprocess.Popen(
            command, stdin=nothing, stdout=output, stderr=output, env=environment
        )


def slots_of(line: Callable[[], Line]) -> SimpleNamespace:
    """Return what stands for `subprocess` in `engine.slots.process`, and forks its children."""

    def start(command: Sequence[str], **options: Any) -> Forked:
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            given = (nothing, nothing, options["stderr"], *options["pass_fds"])
            return line().fork(command, given, options["env"], options["cwd"], session=True)
        finally:
            os.close(nothing)

    return SimpleNamespace(Popen=start, DEVNULL=subprocess.DEVNULL)


def run(
    command: Sequence[str], *, cwd: Path, env: dict[str, str], timeout: float, told: str = ""
) -> subprocess.CompletedProcess[str]:
    """Do what `subprocess.run` does that captures text; `told` is the standard input."""
    if not forks(command, env):
        return subprocess.run(
            command, cwd=cwd, env=env, timeout=timeout, input=told, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
    with ExitStack() as stack:
        said, out, errors = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        said.write(told.encode())
        said.seek(0)
        given = (said.fileno(), out.fileno(), errors.fileno())
        child = nursery().fork(command, given, env, cwd)
        try:
            code = child.wait(timeout)
        finally:
            child.kill()
        return subprocess.CompletedProcess(command, code, _text(out), _text(errors))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
