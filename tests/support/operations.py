"""Operations that misbehave in every way a slot must survive; built by `build` in the child."""

import ctypes
import os
import signal
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mediamill.core.errors import BrokenMedia, NotFound
from mediamill.operations.base import Context, MediaOperation, Operation, Outcome, Source

HELD: list[Any] = []


class Copy(MediaOperation):
    """Write the input to a file."""

    suffix: str = ""

    def run(self, source: Source, context: Context) -> Outcome:
        import numpy as np  # a child that does something else is there sooner

        with context.output(source.name + self.suffix, "text/plain") as writer:
            writer.write(source.read())
            writer.info["numpy"] = np.int64(7)
        return Outcome((writer.output,), {"size": source.size}, {"seed": context.seed})


class Nothing(MediaOperation):
    """Do nothing."""

    def run(self, source: Source, context: Context) -> Outcome:
        return Outcome()


class Told(MediaOperation):
    """Do what the input says: its first word is one of the methods below."""

    accepts = ("text/*",)

    def run(self, source: Source, context: Context) -> Outcome:
        word, _, rest = source.read().decode().partition(" ")
        return Outcome(data={"answer": getattr(self, f"do_{word}")(rest, context)})

    def do_good(self, rest: str, context: Context) -> str:
        return rest

    def do_broken(self, rest: str, context: Context) -> None:
        raise BrokenMedia("It is broken.", at=Path("/x"), position=3)

    def do_bug(self, rest: str, context: Context) -> None:
        raise KeyError("surprise")

    def do_unencodable(self, rest: str, context: Context) -> object:
        return object()

    def do_hog(self, rest: str, context: Context) -> None:
        while True:
            HELD.append(bytearray(50_000_000))

    def do_native_hog(self, rest: str, context: Context) -> int:
        """Exhaust memory where nobody checks, and crash for it."""
        malloc = ctypes.CDLL(None).malloc
        malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        while True:
            ctypes.memset(malloc(10_000_000), 1, 10_000_000)

    def do_segfault(self, rest: str, context: Context) -> bytes:
        return ctypes.string_at(0)

    def do_abort(self, rest: str, context: Context) -> None:
        os.abort()

    def do_exit(self, rest: str, context: Context) -> None:
        os._exit(0)

    def do_loop(self, rest: str, context: Context) -> None:
        while True:
            pass

    def do_sleep(self, rest: str, context: Context) -> float:
        time.sleep(float(rest))
        return float(rest)

    def do_die(self, rest: str, context: Context) -> None:
        """Be killed by a signal that nobody catches."""
        os.kill(os.getpid(), signal.SIGKILL)

    def do_pid(self, rest: str, context: Context) -> int:
        return os.getpid()

    def do_progress(self, rest: str, context: Context) -> float:
        """Tell of progress for so many seconds, at least 1,000 times; say how long that took."""
        began, count = time.monotonic(), 0
        while time.monotonic() < began + float(rest) or count < 1_000:
            context.progress(0.5)
            count += 1
        return time.monotonic() - began

    def do_environment(self, rest: str, context: Context) -> dict[str, str]:
        return dict(os.environ)

    def do_descriptors(self, rest: str, context: Context) -> int:
        found = 0
        for number in range(256):
            try:
                os.fstat(number)
            except OSError:
                continue
            found += 1
        return found

    # -- attacks: each returns what came of it ---------------------------------------------------

    def do_connect(self, rest: str, context: Context) -> str:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
        if descriptor < 0:
            return f"socket: {os.strerror(ctypes.get_errno())}"
        address = (
            socket.AF_INET.to_bytes(2, "little")
            + int(rest).to_bytes(2, "big")
            + bytes([127, 0, 0, 1])
            + bytes(8)
        )
        if libc.connect(descriptor, address, 16) < 0:
            return f"connect: {os.strerror(ctypes.get_errno())}"
        return "connected"

    def do_unix(self, rest: str, context: Context) -> str:
        return _tried(lambda: socket.socket(socket.AF_UNIX).connect(rest))

    def do_read(self, rest: str, context: Context) -> str:
        return _tried(lambda: Path(rest).read_text())

    def do_list(self, rest: str, context: Context) -> str:
        return _tried(lambda: os.listdir(rest))

    def do_write(self, rest: str, context: Context) -> str:
        return _tried(lambda: Path(rest).write_text("x"))

    def do_chmod(self, rest: str, context: Context) -> str:
        return _tried(lambda: os.chmod(rest, 0))

    def do_symlink(self, rest: str, context: Context) -> str:
        return _tried(lambda: (context.scratch / "link").symlink_to(rest))

    def do_hardlink(self, rest: str, context: Context) -> str:
        return _tried(lambda: (context.scratch / "link").hardlink_to(rest))

    def do_fork(self, rest: str, context: Context) -> str:
        return _tried(_fork_for_ever)

    def do_fork_once(self, rest: str, context: Context) -> str:
        def once() -> None:
            if os.fork() == 0:
                os._exit(0)
            os.wait()

        return _tried(once)

    def do_exec(self, rest: str, context: Context) -> str:
        return _tried(lambda: os.execv("/bin/true", ["true"]))

    def do_signal(self, rest: str, context: Context) -> str:
        return _tried(lambda: os.kill(int(rest), 0))

    def do_ptrace(self, rest: str, context: Context) -> str:
        libc = ctypes.CDLL(None, use_errno=True)
        return "done" if libc.ptrace(16, int(rest), 0, 0) >= 0 else os.strerror(ctypes.get_errno())

    def do_undie(self, rest: str, context: Context) -> str:
        libc = ctypes.CDLL(None, use_errno=True)
        return "done" if libc.prctl(1, 0, 0, 0, 0) == 0 else os.strerror(ctypes.get_errno())

    def do_threads(self, rest: str, context: Context) -> str:
        import threading

        threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return "done"

    def do_big(self, rest: str, context: Context) -> str:
        return "x" * int(rest)

    def do_shout(self, rest: str, context: Context) -> str:
        os.write(2, b"noise\n" * 100_000)
        return "done"

    def do_temporary(self, rest: str, context: Context) -> str:
        import tempfile

        with tempfile.NamedTemporaryFile(delete=False) as file:
            return file.name


class Liar(MediaOperation):
    """Name an output that lies elsewhere."""

    def run(self, source: Source, context: Context) -> Outcome:
        with context.output(source.name, "text/plain") as writer:
            writer.write(b"x")
        output = writer.output
        away = type(output)(Path("/etc/passwd"), "passwd", "text/plain", 1, "", 0)
        return Outcome((output, away))


class Babbler(MediaOperation):
    """Say to the worker what no child says."""

    hex: str

    def run(self, source: Source, context: Context) -> Outcome:
        for number in range(3, 1024):
            with suppress(OSError):
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    os.write(number, bytes.fromhex(self.hex))
        time.sleep(60)
        return Outcome()


def _tried(action: Any) -> str:
    try:
        action()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return "done"


def _fork_for_ever() -> None:
    count = 0
    while count < 20_000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        count += 1


OPERATIONS = {"copy": Copy, "nothing": Nothing, "told": Told, "liar": Liar, "babbler": Babbler}


def build(name: str, parameters: dict[str, Any]) -> Operation:
    """Make one of these operations."""
    if name not in OPERATIONS:
        raise NotFound(f"There is no operation called {name}.")
    return OPERATIONS[name].model_validate(parameters)
