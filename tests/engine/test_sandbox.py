"""S23: what a slot may not do, layer by layer; and that it dies with its worker."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mediamill.engine.slots import Succeeded, libc, sandbox, seccomp
from tests.engine.test_slots import gone, until_gone
from tests.support.services import unavailable
from tests.support.slots import Slots, open_slots

DENIED = {"Operation not permitted", "Permission denied"}


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Another owner's file, readable for this user."""
    folder = tmp_path / "blobs"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder / "secret"


def attacks(listener: int, secret: Path) -> dict[str, str]:
    new = secret.with_name("new")
    return {
        "connect": f"connect {listener}",
        "unix": f"unix {secret}",
        "read": f"read {secret}",
        "read home": "read /etc/passwd",
        "read upwards": "read ../../../../blobs/secret",
        "read through links": "read /proc/self/cwd/../../../../blobs/secret",
        "list": f"list {secret.parent}",
        "write": f"write {new}",
        "overwrite": f"write {secret}",
        "chmod": f"chmod {secret}",
        "symlink": f"symlink {secret}",
        "hardlink": f"hardlink {secret}",
        "fork": "fork",
        "fork once": "fork_once",
        "exec": "exec",
        "signal": f"signal {os.getpid()}",
        "signal all": "signal -1",
        "ptrace": f"ptrace {os.getpid()}",
        "undie": "undie",
    }


def untouched(secret: Path) -> bool:
    readable = bool(secret.stat().st_mode & 0o400)
    return readable and secret.read_text() == "secret" and list(secret.parent.iterdir()) == [secret]


async def outcome(slots: Slots, attempts: dict[str, str]) -> dict[str, str]:
    answers = await slots.answers(*attempts.values())
    return dict(zip(attempts, answers, strict=True))


def require(*names: str) -> None:
    report = sandbox.report()
    missing = {name: report.get(name) for name in names if report.get(name) is not True}
    if missing:
        unavailable(f"this kernel does not grant {missing}")


@pytest_asyncio.fixture
async def slots(tmp_path: Path) -> AsyncIterator[Slots]:
    async with open_slots(tmp_path / "slots") as slots:
        yield slots


async def test_s23_all_attacks_fail(slots: Slots, listener: int, secret: Path):
    require("landlock", "seccomp")
    answers = await outcome(slots, attacks(listener, secret))
    answers["connect"] = answers["connect"].removeprefix("socket: ").removeprefix("connect: ")
    assert {name: answer for name, answer in answers.items() if answer not in DENIED} == {}
    assert untouched(secret)


async def test_what_media_code_needs_still_works(slots: Slots):
    answers = await slots.answers("threads", "temporary", f"list {os.path.dirname(os.__file__)}")
    assert answers[0] == answers[2] == "done"
    assert answers[1].startswith(str(slots.pool._folder))


async def test_the_environment_holds_no_secrets(slots: Slots, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("MEDIAMILL_SECRET", "hunter2")
    (environment,) = await slots.answers("environment")
    assert "hunter2" not in str(environment)
    assert set(environment) <= {
        "PATH", "LANG", "LC_CTYPE", "HOME", "TMPDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
        "MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "OPENCV_LOG_LEVEL",
        "LD_LIBRARY_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR",
    }  # fmt: skip


async def test_one_slot_does_not_see_another(tmp_path: Path):
    require("landlock")
    async with open_slots(tmp_path / "slots", size=2) as slots:
        async with slots.pool.acquire() as first, slots.pool.acquire() as second:
            (event,) = [
                e for e in await slots.events("temporary", slot=first) if isinstance(e, Succeeded)
            ]
            theirs = Path(event.outcome.data["answer"]).parent.parent
            events = await slots.events(f"list {theirs}", f"write {theirs}/x", slot=second)
        answers = [e.outcome.data["answer"] for e in events if isinstance(e, Succeeded)]
    assert set(answers) <= DENIED


async def test_the_report_is_honest_about_this_kernel(slots: Slots):
    await slots.answers("good")
    report = sandbox.report()
    granted = slots.pool.protections()
    assert {name: report[name] for name in granted} == granted
    assert report["allows_scratch"] is True
    if report["landlock"] is True:
        assert report["denies_reading_elsewhere"] is True
        assert report["denies_writing_elsewhere"] is True
    if report["seccomp"] is True:
        assert report["denies_network"] is True
        assert report["denies_new_processes"] is True


# -- planted faults: the attacks work when a layer is missing, and each layer holds alone ----------

LAYERS = {
    "network_namespace": "sandbox._leave_namespaces",
    "landlock": "landlock.restrict",
    "seccomp": "seccomp.restrict",
}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a catalogue that changes the child before its sandbox closes."""

    def plant(name: str, code: str) -> str:
        folder = tmp_path / "planted"
        folder.mkdir(exist_ok=True)
        (folder / f"planted_{name}.py").write_text(
            "from mediamill.engine.slots import landlock, libc, sandbox, seccomp\n"
            f"{code}\nfrom tests.support.operations import build\n"
        )
        monkeypatch.syspath_prepend(folder)
        return f"planted_{name}:build"

    return plant


def refusing(*layers: str) -> str:
    lines = ["def refuse(*args):", "    raise PermissionError(1, 'Operation not permitted')"]
    return "\n".join([*lines, *(f"{LAYERS[layer]} = refuse" for layer in layers)])


async def test_without_the_layers_the_attacks_work(tmp_path, listener, secret, planted):
    catalogue = planted("open", refusing(*LAYERS))
    attempts = attacks(listener, secret)
    for dangerous in ("fork", "exec", "signal all", "ptrace", "unix"):
        del attempts[dangerous]
    attempts["chmod"] = f"chmod {secret.with_name('new')}"
    async with open_slots(tmp_path / "slots", catalogue=catalogue) as slots:
        answers = await outcome(slots, attempts)
        report = slots.pool.protections()
    assert answers.pop("connect") == "connected"
    assert answers.pop("hardlink") in {"done", "File exists"}  # after the symlink
    assert {name: answer for name, answer in answers.items() if answer != "done"} == {}
    assert report["landlock"] == "refused by this kernel: Operation not permitted"
    assert report["resource_limits"] is True


@pytest.mark.parametrize(
    ("layer", "held"),
    [
        ("landlock", {"read", "read home", "list", "write", "overwrite", "symlink", "connect"}),
        ("seccomp", {"connect", "chmod", "symlink", "hardlink", "fork", "exec", "signal"}),
        ("network_namespace", {"connect"}),
    ],
)
async def test_each_layer_holds_alone(tmp_path, listener, secret, planted, layer, held):
    require(layer)
    catalogue = planted(f"only_{layer}", refusing(*(set(LAYERS) - {layer})))
    attempts = {name: text for name, text in attacks(listener, secret).items() if name in held}
    async with open_slots(tmp_path / "slots", catalogue=catalogue) as slots:
        answers = await outcome(slots, attempts)
    assert not {name for name, answer in answers.items() if answer in {"done", "connected"}}


def test_the_filter_covers_both_machines():
    for machine, numbers in (("x86_64", (41, 42, 59, 101)), ("aarch64", (198, 203, 221, 117))):
        rules = seccomp.program(machine, 4711)
        compared = {operand for code, _, _, operand in rules if code == 0x15}
        assert {*numbers, 4711} <= compared
        assert len(rules) < 4096
        assert rules[-1] == (0x06, 0, 0, 0x7FFF0000)


# -- dying with the worker -------------------------------------------------------------------------

WORKER = """
import asyncio, os, sys, time
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from mediamill.engine.slots import Call, CallItem, SlotLimits, SlotPool, Succeeded
async def main():
    pool = SlotPool(1, scratch=Path(sys.argv[1]), catalogue=sys.argv[2] + ":build")
    sys.path[:0] = sys.argv[3:]
    for number, text in enumerate(("pid", "loop")):
        path = Path(sys.argv[1]) / "input"
        path.write_text(text)
        item = CallItem(0, os.open(path, os.O_RDONLY), "x", "", len(text))
        async with pool.acquire() as slot:
            async for event in slot.run(Call((("told", {}),), (item,))):
                if isinstance(event, Succeeded):
                    print(event.outcome.data["answer"], flush=True)
                elif number:
                    print("looping", flush=True)
asyncio.run(main())
"""


async def orphan(tmp_path: Path, catalogue: str, *path: str) -> int:
    """Start a worker, have its slot loop, kill the worker; return the slot's process id."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, str(tmp_path), catalogue, os.getcwd(), *path,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert worker.stdout is not None
    pid = int(await worker.stdout.readline())
    assert (await worker.stdout.readline()).strip() == b"looping"
    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    worker._transport.close()  # type: ignore[attr-defined]
    return pid


async def test_a_slot_dies_with_its_worker(tmp_path: Path):
    pid = await orphan(tmp_path, "tests.support.operations")
    assert await until_gone(pid)


async def test_the_test_sees_a_slot_that_survives(tmp_path: Path, planted):
    code = (
        "real = libc.prctl; real(1, 0)\nlibc.prctl = lambda name, to: name == 1 or real(name, to)"
    )
    module = planted("survivor", code).partition(":")[0]
    pid = await orphan(tmp_path, module, str(tmp_path / "planted"))
    try:
        await asyncio.sleep(1)
        assert not gone(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_slot_started_by_a_worker_that_is_gone_ends(monkeypatch: pytest.MonkeyPatch):
    code = "from mediamill.engine.slots import sandbox; sandbox.die_with(1 << 30); print('alive')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_system_call_errors_are_raised():
    with pytest.raises(OSError, match="Invalid argument"):
        libc.prctl(9999, 0)
