"""Which machine this is, and a folder of it that is its process's own for as long as that runs."""

import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
PROCESSES = Path("/proc/self/ns/pid")
ALIVE = ".alive"


def this_machine() -> str:
    """Name what process numbers here are unique in: one start of one kernel, and a container of it.

    Machines may have one host name, and containers of one machine the same process numbers.
    """
    try:
        return f"{BOOT.read_text().strip()}-{PROCESSES.stat().st_ino}"
    except OSError:  # not Linux
        return socket.gethostname()


@dataclass(frozen=True)
class Scratch:
    """A folder for passing files; whoever makes the next one removes it once its process is gone.

    A lock on the file beside it says that the process runs: the kernel lets go of it at its end,
    and it holds for other containers too, and for other machines that share the folder.
    """

    path: Path
    _lock: int | None

    @classmethod
    def make(cls, folder: Path) -> "Scratch":
        """Make one in a folder, and remove those of processes that are no more."""
        folder.mkdir(exist_ok=True, mode=0o700)
        with _alone(folder / ".lock"):  # nobody cleans up between a folder and its lock
            for name in folder.glob(f"*{ALIVE}"):
                _clear(name)
            prefix = f"{socket.gethostname()}-{os.getpid()}-"
            path = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
            return cls(path, _locked(_alive(path)))

    def remove(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        _alive(self.path).unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)


def _alive(path: Path) -> Path:
    return path.with_name(path.name + ALIVE)


def _clear(name: Path) -> None:
    """Remove a folder, and the file that says so, unless its process runs."""
    lock = _locked(name)
    if lock is not None:
        shutil.rmtree(name.with_name(name.name.removesuffix(ALIVE)), ignore_errors=True)
        name.unlink(missing_ok=True)
        os.close(lock)


def _locked(name: Path, how: int = fcntl.LOCK_EX | fcntl.LOCK_NB) -> int | None:
    """Lock a file; None when somebody else has, or when nothing can be locked there."""
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def _alone(name: Path) -> Iterator[None]:
    lock = _locked(name, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if lock is not None:
            with suppress(OSError):
                os.close(lock)
