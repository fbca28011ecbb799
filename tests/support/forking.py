"""The nursery's own process: imports what its children need, then forks for each request.

`serve(descriptor)`; a request comes as JSON with the descriptors of the child to be.
"""

import atexit
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import httpx

from mediamill.engine.slots import process
from mediamill.store.sql.sqlite import store as sqlite_store
from tests.support import authorities, migrated
from tests.support.nursery import LONGEST, SECONDS, Line, slots_of

HIGH = 200
"""From here on descriptors are kept until they have the numbers that they shall have."""
SLOTTED = {"up", "api", "worker", "run", "replay", "tests.support.chains"}
"""What has slots, by its module or its role, which is the first word or, behind the argument of a
program that a test has planted, the second; each such process costs one more fork."""


def serve(descriptor: int) -> None:
    """Be a nursery until the other end goes away; in a child, run what was asked for."""
    gc.disable()
    _import_all()
    gc.freeze()
    gc.enable()
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("what a nursery imports must not start threads: forks have none")
    command = _forked(socket.socket(fileno=descriptor))
    if SLOTTED & {*command[2:5]}:
        command = _with_slots(command)
    os._exit(_ended(command))


def _ended(command: Sequence[str]) -> int:
    """Run a command line and what is registered for its end; return its exit code.

    What an interpreter does after that, giving back each object that the nursery has imported, is
    the largest part of what most commands take, and nobody sees it.
    """
    code: object = None
    try:
        _run(command)
    except SystemExit as end:
        code = end.code
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # waits for threads, as the interpreter does first of all
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code or 0


def _import_all() -> None:
    """Import what commands and the service consist of, and slots with their first items."""
    import mediamill.cli
    import mediamill.engine.slots.child
    import mediamill.operations
    import mediamill.web.app
    import mediamill.web.connections
    from mediamill.services.previews import MODULES

    _import_below(mediamill.cli)
    _import_below(mediamill.operations)
    for name in ("mediamill.media.probe", "av", *MODULES):
        importlib.import_module(name)
    _make_routes()
    _read_authorities()
    migrated.template()
    vars(sqlite_store)["prepare"] = migrated.prepared


def _make_routes() -> None:
    """Make what FastAPI makes of each route when the first request looks for its own."""
    from mediamill.web.app import routes

    for route in routes():
        route.matches({"type": "http", "method": "GET", "path": "/none-of-them", "headers": []})


def _read_authorities() -> None:
    """Have what a command's client believes ready, with and without the variables of proxies."""
    authorities.read_once()
    for trusts in (True, False):
        httpx.Client(trust_env=trusts).close()


def _import_below(package: ModuleType) -> None:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(found.name)


def _with_slots(command: Sequence[str]) -> Sequence[str]:
    """Have a nursery of its own fork the slots of a program; return what to run, here or there."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        return _forked(theirs)
    theirs.close()
    line = Line(ours)
    vars(process)["subprocess"] = slots_of(lambda: line)
    return command


def _forked(line: socket.socket) -> Sequence[str]:
    """Fork for each request; return, in a child, the command line that it is to run."""
    while True:
        data, given, _, _ = socket.recv_fds(line, LONGEST, 32)
        if not data:
            os._exit(0)
        if os.fork() == 0:
            if os.fork():
                os._exit(0)  # who asked is now the parent of the other
            return _settled(line, json.loads(data), given)
        os.wait()
        for one in given:
            os.close(one)


def _settled(line: socket.socket, asked: dict[str, Any], given: Sequence[int]) -> Sequence[str]:
    """Make this process what a fresh one would be, and tell its number."""
    until = time.monotonic() + SECONDS
    while os.getppid() != asked["parent"]:
        if time.monotonic() > until:
            os._exit(1)  # who asked is gone
        time.sleep(0.0005)
    if asked["session"]:
        os.setsid()
    high = [fcntl.fcntl(one, fcntl.F_DUPFD, HIGH) for one in given]
    told = fcntl.fcntl(line.fileno(), fcntl.F_DUPFD, HIGH)
    line.detach()
    os.closerange(3, HIGH)
    for one, number in zip(high, (0, 1, 2, *asked["descriptors"][3:]), strict=True):
        os.dup2(one, number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    tempfile.tempdir = None
    os.chdir(asked["cwd"])
    os.write(told, str(os.getpid()).encode())
    os.closerange(HIGH, HIGH + len(high) + 1)
    command: Sequence[str] = asked["command"]
    return command


def _run(command: Sequence[str]) -> None:
    """Run a command line of Python's that ends with `-m module …` or `-c code …`."""
    place = next(place for place, word in enumerate(command) if word in {"-m", "-c"})
    option, what, *arguments = command[place:]
    if option == "-c":  # a slot
        sys.argv = ["-c", *arguments]
        exec(what, {"__name__": "__main__"})
        return
    sys.argv, sys.path[0] = [what, *arguments], os.getcwd()  # as `-m` has them
    runpy.run_module(what, run_name="__main__", alter_sys=True)
