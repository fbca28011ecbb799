"""What a slot may not do, as far as the kernel lets a process give up its rights.

Each protection stands alone, and `apply` says of each whether it was granted, so that `doctor` and
readiness tell the truth. None of them needs privileges; a container may still refuse some.
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mediamill.engine.slots import landlock, libc, seccomp
from mediamill.engine.slots.launch import command, environment

Report = dict[str, bool | str]
"""`True` for what was granted, else why it was not."""

_SYSTEM = (
    "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/lib", "/lib64",
    "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/dev/zero", "/proc/cpuinfo",
    "/proc/meminfo", "/sys/devices/system/cpu",
)  # fmt: skip
_THREADS_AT_MOST = 4096


@dataclass(frozen=True)
class Rules:
    """The limits of one child."""

    writable: str
    readable: tuple[str, ...]
    memory_bytes: int
    file_bytes: int
    open_files: int


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    with suppress(OSError):
        libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before we asked


def apply(rules: Rules) -> Report:
    """Close the sandbox, in the order that lets each step still work; return what was granted."""
    parent = os.getppid()
    report: Report = {"single_thread": _single_thread()}
    limit_resources(rules)
    report["resource_limits"] = True
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("network_namespace", _leave_namespaces),
        ("no_new_privileges", lambda: libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)),
        ("no_capabilities", libc.drop_capabilities),
        # a change of credentials clears it, so it is asked for again
        ("parent_death_signal", lambda: libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)),
        ("landlock", lambda: landlock.restrict(readable(rules), (rules.writable, "/dev/null"))),
        ("seccomp", seccomp.restrict),
    )
    for name, step in steps:
        report[name] = _granted(step)
    if report["seccomp"] is not True:  # else there are only threads, which memory bounds
        _limit(resource.RLIMIT_NPROC, _THREADS_AT_MOST)
    if os.getppid() != parent:
        os._exit(1)
    return report


def _granted(step: Callable[[], object]) -> bool | str:
    try:
        step()
    except OSError as error:
        return f"refused by this kernel: {error.strerror}"
    return True


def _single_thread() -> bool | str:
    tasks = Path("/proc/self/task")
    count = len([*tasks.iterdir()]) if tasks.exists() else 1
    return count == 1 or f"{count} threads ran before the sandbox was closed"


def _leave_namespaces() -> None:
    """Enter an empty network, with a user namespace of its own where that needs one."""
    try:
        libc.unshare(libc.CLONE_NEWUSER | libc.CLONE_NEWNET | libc.CLONE_NEWIPC)
    except OSError:
        libc.unshare(libc.CLONE_NEWNET)


def limit_resources(rules: Rules) -> None:
    """Bound memory, file size, and descriptors; no core dumps."""
    bounds = {
        resource.RLIMIT_AS: rules.memory_bytes,
        resource.RLIMIT_FSIZE: rules.file_bytes,
        resource.RLIMIT_NOFILE: rules.open_files,
        resource.RLIMIT_CORE: 0,
    }
    for kind, bound in bounds.items():
        _limit(kind, bound)


def _limit(kind: int, bound: int) -> None:
    hard = resource.getrlimit(kind)[1]
    allowed = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(kind, (allowed, allowed))


def limit_cpu(seconds: float) -> None:
    """Allow so many more seconds of processor time, should nobody be left to stop the child."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 5
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def readable(rules: Rules) -> tuple[str, ...]:
    """List what may be read: Python, its libraries and this package, but no other folder."""
    paths = sysconfig.get_paths()
    ours = Path(__file__).parents[2]
    libraries = Path(msgspec.__file__).parents[1]  # on Lambda not where Python has its own
    python = (
        str(libraries),
        *(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *(f"{prefix}/lib" for prefix in {sys.prefix, sys.base_prefix}),
    )
    return (*_SYSTEM, *python, str(ours), *rules.readable)


def report() -> Report:
    """Try the sandbox out in a process of its own: what is granted, and what it really denies.

    Takes some 0.1 s and blocks; for `doctor` and, from a thread, for readiness.
    """
    with tempfile.TemporaryDirectory(prefix="mediamill-doctor-") as name:
        inside, outside = Path(name) / "inside", Path(name) / "outside"
        inside.mkdir()
        outside.write_text("secret")
        code = f"from mediamill.engine.slots import sandbox; sandbox.examine({name!r})"
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command(code), env=environment(inside), capture_output=True, check=False, timeout=60
        )
    if done.returncode:
        return {"sandbox": f"could not be tried: exit code {done.returncode}"}
    answer: Report = json.loads(done.stdout)
    return answer


def examine(folder: str) -> None:
    """Close the sandbox of this process and print what it grants and denies, as JSON."""
    outside, inside = Path(folder) / "outside", Path(folder) / "inside"
    found = apply(Rules(str(inside), (), 2 << 30, 1 << 30, 256))
    found["denies_network"] = _denied(_reach_out)
    found["denies_reading_elsewhere"] = _denied(outside.read_bytes)
    found["denies_writing_elsewhere"] = _denied(lambda: outside.write_bytes(b""))
    found["denies_new_processes"] = _denied(_fork)
    found["allows_scratch"] = not _denied(lambda: (inside / "x").write_bytes(b"x"))
    sys.stdout.write(json.dumps(found))


def _denied(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


def _reach_out() -> None:
    """Reach a listener on the loopback address of whatever network this process is in."""
    with socket.socket() as listener, socket.socket() as caller:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        caller.connect(listener.getsockname())


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
