"""The machine that Lambda gives a function, laid out on this one; a program, run as root.

Its first argument is JSON: `root` (an empty folder), `task`, `layer`, `visible`, `tmp_mb`,
`cgroup`, `command` and `environment`. It becomes the first process of new mount, process and IPC
namespaces. Their root is a tmpfs that nobody may write: what `visible` names of this machine, the
code at `/var/task`, what it imports at `/opt/python`, a `/tmp` of its own, `/dev` without `shm`.
Then it does what each line of its input says: `start`, `freeze`, `thaw`, `kill`; and says
`ended STATUS` when the runtime has ended. The runtime is user 993 in a user namespace that takes no
further one. The network stays this machine's, so that the services of a test are there.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path

USER, GROUP = 993, 990
"""As on Lambda (`sbx_user1051`)."""
FILES, PROCESSES = 1024, 1024
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

NEW_NAMESPACE, NEW_IPC, NEW_USER, NEW_PROCESSES = 0x20000, 0x8000000, 0x10000000, 0x20000000
READ_ONLY, NO_SUID, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 32, 4096, 16384, 1 << 18
DETACH = 2
DIE_WITH_PARENT, NO_NEW_PRIVILEGES = 1, 38
DEVICES = ("null", "zero", "full", "random", "urandom")

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *words: object) -> None:
    """Call the C library; raises `OSError`."""
    given = [word.encode() if isinstance(word, str) else word for word in words]
    if getattr(libc, name)(*given) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{words}: {os.strerror(number)}")


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    call("mount", source, str(target), kind, ctypes.c_ulong(flags), options)


def bound(source: Path, target: Path) -> None:
    """Show a file or folder of this machine, read-only."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    mount(str(source), target, flags=BIND)
    mount(str(source), target, flags=BIND | REMOUNT | READ_ONLY | NO_SUID)


def lay_out(plan: dict[str, object]) -> None:
    """Make the root and move into it."""
    call("unshare", NEW_NAMESPACE | NEW_IPC)
    mount("none", Path("/"), flags=RECURSIVE | PRIVATE)
    root = Path(plan["root"])  # hides nothing: what is visible may lie anywhere else, also in /tmp
    mount("tmpfs", root, "tmpfs", NO_SUID, "mode=755,size=1m")
    for name in ("proc", "tmp", "old"):
        (root / name).mkdir()
    mount("proc", root / "proc", "proc")
    size = f"mode=700,uid={USER},gid={GROUP},size={plan['tmp_mb']}m"
    mount("tmpfs", root / "tmp", "tmpfs", NO_SUID, size)
    for name in plan["visible"]:
        place = Path(name)
        if place.is_symlink():
            (root / name[1:]).symlink_to(place.readlink())
        elif place.exists():
            bound(place, root / name[1:])
    bound(Path(plan["task"]), root / "var/task")
    if plan["layer"]:
        bound(Path(plan["layer"]), root / "opt/python")
    (root / "dev").mkdir()
    for device in DEVICES:
        (root / "dev" / device).touch()
        mount(f"/dev/{device}", root / "dev" / device, flags=BIND)
    (root / "dev/fd").symlink_to("/proc/self/fd")
    os.chdir(root)
    call("pivot_root", ".", "old")
    os.chdir("/")
    call("umount2", "/old", DETACH)
    Path("/old").rmdir()
    mount("none", Path("/"), flags=REMOUNT | READ_ONLY | BIND)


def start(plan: dict[str, object]) -> int:
    """Start the runtime; returns its process id."""
    ready, mapped = os.pipe(), os.pipe()
    child = os.fork()
    if child:
        os.read(ready[0], 1)
        Path(f"/proc/{child}/uid_map").write_text(f"0 0 1\n{USER} {USER} 1\n")
        Path(f"/proc/{child}/gid_map").write_text(f"0 0 1\n{GROUP} {GROUP} 1\n")
        os.write(mapped[1], b"m")
        for end in (*ready, *mapped):
            os.close(end)
        return child
    try:
        become(plan, ready[1], mapped[0])
    except BaseException as error:  # a forked child must not go on below
        print(f"function machine: {error!r}", file=sys.stderr, flush=True)
    os._exit(127)


def become(plan: dict[str, object], ready: int, mapped: int) -> None:
    """Turn this process into the runtime."""
    os.setsid()
    call("unshare", NEW_USER)
    os.write(ready, b"r")
    os.read(mapped, 1)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    os.setgroups([])
    os.setresgid(GROUP, GROUP, GROUP)
    os.setresuid(USER, USER, USER)
    call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir("/var/task")
    devnull = os.open("/dev/null", os.O_RDONLY)
    os.dup2(devnull, 0)
    os.dup2(2, 1)  # what the function says; the other output is for this program's words
    os.execve(plan["command"][0], plan["command"], plan["environment"])


def reap(runtime: int) -> int:
    """Take the dead of this namespace; returns 0 when the runtime is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return runtime
        if pid == 0:
            return runtime
        if pid == runtime:
            everybody(signal.SIGKILL)  # what it left goes with it
            print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)
            runtime = 0


def everybody(number: int) -> None:
    """Send a signal to every process of this machine."""
    with suppress(ProcessLookupError):  # nobody is left
        os.kill(-1, number)


def serve(plan: dict[str, object]) -> None:
    """Do what is said until there is no more to be said."""
    words, runtime = {"freeze": signal.SIGSTOP, "thaw": signal.SIGCONT, "kill": signal.SIGKILL}, 0
    heard = b""
    while True:
        runtime = reap(runtime)
        if not select.select([0], [], [], 0.02)[0]:
            continue
        more = os.read(0, 4096)
        if not more:
            return
        *lines, heard = (heard + more).split(b"\n")
        for line in lines:
            word = line.decode()
            if word == "start":
                runtime = start(plan)
                print("started", flush=True)
                continue
            everybody(words[word])
            print(word, flush=True)


def main() -> None:
    plan = json.loads(sys.argv[1])
    call("unshare", NEW_PROCESSES)
    first = os.fork()
    if first:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) != 0)
    call("prctl", DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if plan["cgroup"]:
        (Path(plan["cgroup"]) / "cgroup.procs").write_text("0")
    lay_out(plan)
    serve(plan)


if __name__ == "__main__":
    main()
