"""Functions as Lambda runs them: its machine (`function_machine.py`), its Runtime API, its client.

    with function("mediamill.aws.api.handler", {"MEDIAMILL_…": "…"}) as run:
        answer = run.invoke(event)

The handler is run by AWS's own client, `awslambdaric`. Between invocations all its processes are
stopped. Who overstays the time limit is killed with everything; the next invocation starts the
runtime anew on the same machine, whose `/tmp` stays, as Lambda's does.
"""

import json
import os
import select
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.runtime_api import LARGEST, Invocation, RuntimeApi
from tests.support.services import unavailable

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from pythons import python_of  # noqa: E402 - beside scripts, which are no package

MACHINE = Path(__file__).with_name("function_machine.py")
SOURCE = Path(__file__).parents[2] / "src"
PACKAGES = Path(sysconfig.get_path("purelib"))
INIT_SECONDS = 10.0
"""How long a function has to get ready; the time is then up, and counts for its first call."""
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d", "/etc/ssl", "/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf",
    "/etc/mime.types", "/etc/localtime",
)  # fmt: skip
PYTHON = "3.13"
"""The version of the functions, where they do not run with the tests' own."""
CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""What Lambda's runtime itself brings."""
GROUPS = ("/sys/fs/cgroup/memory", "/sys/fs/cgroup")
_numbers = count()


class FunctionFailed(Exception):
    """The function ended with an error, its time or its process; `kind` as Lambda names it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass
class Function:
    """One execution environment."""

    machine: subprocess.Popen[bytes]
    api: RuntimeApi
    log: Path
    timeout: float
    running: bool = False
    init_seconds: float = 0.0
    """How long the runtime's last start took, until it asked for work."""
    freezes: bool = True
    limited: bool = False
    """Whether the kernel let us limit its memory."""
    _said: list[str] = field(default_factory=list)

    def invoke(self, event: Any, timeout: float = 0.0) -> Any:
        """Return what the handler answers; raises `FunctionFailed`."""
        body = json.dumps(event).encode()
        if len(body) > LARGEST:
            raise FunctionFailed("RequestEntityTooLarge", f"{len(body)} bytes of event")
        self._wake()
        asked = Invocation.of(body, timeout or self.timeout)
        self.api.offer(asked)
        try:
            self._until(asked)
        finally:
            self._until_idle(asked)
            if self.running and self.freezes:
                self.tell("freeze")
        return json.loads(asked.answer or b"null")

    def start(self) -> None:
        """Start the runtime and wait until it is ready; raises `FunctionFailed`."""
        began = time.monotonic()
        self.api.begin()
        self.tell("start", "started")
        self.running = True
        while not self.api.asking.wait(0.005):
            if self.api.init_error is not None:
                self.kill()
                raise FunctionFailed(*self.api.init_error)
            if self._ended() or time.monotonic() > began + 6 * INIT_SECONDS:
                self.kill()
                raise FunctionFailed("Runtime.ExitError", self.logs()[-4000:])
        self.init_seconds = time.monotonic() - began

    def kill(self) -> None:
        """End every process of it with SIGKILL; its `/tmp` stays."""
        self.tell("kill")
        while self.running and not self._ended():
            time.sleep(0.005)
        self.running = False

    def logs(self) -> str:
        return self.log.read_text(errors="replace")

    def seen_from_outside(self, place: str) -> Path:
        """Return where a file of the machine is for us, whether it is frozen or not."""
        pid = self.machine.pid
        first = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        return Path(f"/proc/{first}/root") / place.lstrip("/")

    def tell(self, word: str, answer: str = "") -> None:
        """Tell the machine `freeze`, `thaw` or `kill`."""
        assert self.machine.stdin is not None
        self.machine.stdin.write(f"{word}\n".encode())
        self.machine.stdin.flush()
        while not self._heard(answer or word):
            pass

    def _wake(self) -> None:
        if self.running:
            self.tell("thaw")
        else:
            self.start()

    def _until(self, asked: Invocation) -> None:
        while not asked.over.wait(0.002):
            if time.monotonic() > asked.until:
                self.kill()
                raise FunctionFailed("Sandbox.Timedout", f"after {asked.seconds:g} s")
            if self._ended():
                raise FunctionFailed("Runtime.ExitError", self.logs()[-4000:])
        if asked.error is not None:
            raise FunctionFailed(*asked.error)

    def _until_idle(self, asked: Invocation) -> None:
        """Wait until the runtime asks for more, which ends an invocation, or is no more."""
        while self.running and not self.api.asking.wait(0.002):
            if time.monotonic() > asked.until:
                self.kill()
            self._ended()

    def _heard(self, word: str) -> bool:
        """Read one line of what the machine says; tell whether it is the word."""
        assert self.machine.stdout is not None
        line = self.machine.stdout.readline().decode()
        assert line, f"the machine is gone:\n{self.logs()[-4000:]}"
        if line.startswith("ended"):
            self.running = False
        return line.strip() == word

    def _ended(self) -> bool:
        """Tell whether the runtime has ended by itself."""
        assert self.machine.stdout is not None
        said = select.poll()  # a worker of the tests may have thousands of descriptors
        said.register(self.machine.stdout, select.POLLIN)
        while self.running and said.poll(0):
            self._heard("")
        return not self.running


@contextmanager
def function(
    handler: str,
    environment: dict[str, str],
    folder: Path,
    *,
    task: Path = SOURCE,
    layer: Path | None = PACKAGES,
    python: Path = Path(sys.base_prefix) / "bin/python3",
    memory_mb: int = 1769,
    tmp_mb: int = 512,
    timeout: float = 30,
    visible: tuple[str, ...] = (),
) -> Iterator[Function]:
    """Give a function that has not started yet; its log is kept in `folder`.

    `task` is what lies at `/var/task`, the working tree's own code if nothing else is said;
    `layer` what lies at `/opt/python`; `python` the runtime's interpreter, whose installation is
    seen where it is. Skips, or fails where services are required, when this is not root.
    """
    if os.getuid() != 0:
        unavailable("Lambda's machine is made of namespaces, which needs root")
    api = RuntimeApi()
    number = next(_numbers)
    group = _memory_group(f"mediamill-function-{os.getpid()}-{number}", memory_mb + tmp_mb)
    prefix = str(python.resolve().parents[1])
    root = folder / f"function-{number}"
    root.mkdir()
    plan = {
        "root": str(root.resolve()),
        "task": str(task.resolve()),
        "layer": str(layer.resolve()) if layer else "",
        "visible": [*SYSTEM, *visible, *([] if prefix == "/usr" else [prefix])],
        "tmp_mb": tmp_mb,
        "cgroup": str(group) if group else "",
        "command": [str(python.resolve()), "-m", "awslambdaric", handler],
        "environment": {**_environment(handler, memory_mb, bool(layer)), **environment}
        | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.port}"},
    }
    log = folder / f"function-{number}.log"
    with log.open("wb") as output:
        machine = subprocess.Popen(
            [sys.executable, str(MACHINE), json.dumps(plan)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, bufsize=0,
        )  # fmt: skip
    try:
        yield Function(machine, api, log, timeout, limited=group is not None)
    finally:
        assert machine.stdin is not None
        assert machine.stdout is not None
        machine.stdin.close()
        machine.wait(30)
        machine.stdout.close()
        api.close()
        if group:
            group.rmdir()


def _environment(handler: str, memory_mb: int, layered: bool) -> dict[str, str]:
    """Return what Lambda sets.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        "_HANDLER": handler,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_LAMBDA_FUNCTION_NAME": "mediamill",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/mediamill",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/task:/opt/lib",
        "PYTHONPATH": "/var/task:/opt/python" if layered else "/var/task",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _memory_group(name: str, megabytes: int) -> Path | None:
    """Make a group of processes that may have so much memory, where the kernel lets us.

    What lies in `/tmp` is counted as well, as it is a tmpfs here.
    """
    for parent in GROUPS:
        for left in Path(parent).glob("mediamill-function-*"):
            if not Path("/proc", left.name.split("-")[2]).exists():  # of tests that were killed
                with suppress(OSError):
                    left.rmdir()
        group = Path(parent) / name
        try:
            group.mkdir()
        except OSError:
            continue
        for limit in ("memory.limit_in_bytes", "memory.max"):
            if (group / limit).exists():
                (group / limit).write_text(str(megabytes << 20))
                return group
        group.rmdir()
    return None


def python_of_functions() -> Path:
    """Return an interpreter that Lambda has too; skips, or fails where services are required."""
    found = python_of(PYTHON)
    return found or unavailable(f"functions need Python {PYTHON} beside the tests' own")


def runtime_packages(folder: Path) -> Path:
    """Install in a folder what Lambda's runtime itself brings; return the folder."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    only = ["--python-version", PYTHON, "--only-binary=:all:"]
    subprocess.run([*pip, *only, *CLIENT], check=True)
    folder.chmod(0o755)
    return folder
