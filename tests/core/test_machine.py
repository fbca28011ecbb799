"""Scratch folders go with their processes, whichever container or version those are of."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.services import unavailable

from mediamill.core import machine
from mediamill.core.machine import Scratch, this_machine
from mediamill.services.repeats import once

HOLD = """
import sys, time
from pathlib import Path
from mediamill.core.machine import Scratch
from mediamill.services.repeats.once import this_process
scratch = Scratch.make(Path(sys.argv[1]))
(scratch.path / "work").write_text("in hand")
print(scratch.path, this_process(), flush=True)
time.sleep(600)
"""


@contextmanager
def elsewhere(folder: Path, *inside: str):
    """Run a process that has a scratch folder; give it, that, and what the process calls itself."""
    command = [*inside, sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            path, _, name = process.stdout.readline().strip().partition(" ")
            yield process, Path(path), name
        finally:
            process.kill()


@pytest.fixture
def container() -> tuple[str, ...]:
    """What a command is preceded by to have its own process numbers, and our host name."""
    words = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        unavailable("process namespaces need root and util-linux")
    return words


def test_what_a_killed_process_left_is_removed(tmp_path):
    with elsewhere(tmp_path) as (process, path, _):
        process.kill()
        process.wait()
        assert (path / "work").exists()
        mine = Scratch.make(tmp_path)
        assert not path.exists()
    assert {entry.name for entry in tmp_path.iterdir()} == {
        ".lock", mine.path.name, f"{mine.path.name}.alive",
    }  # fmt: skip
    mine.remove()
    assert [entry.name for entry in tmp_path.iterdir()] == [".lock"]


def test_what_a_container_works_on_is_left_alone(tmp_path, container):
    mine = Scratch.make(tmp_path)
    with elsewhere(tmp_path, *container) as (process, path, _):
        assert mine.path.exists()  # though our number is nobody's there
        Scratch.make(tmp_path).remove()
        assert (path / "work").exists()
        assert process.poll() is None
    mine.remove()


def test_nothing_is_removed_where_nothing_can_be_locked(tmp_path, monkeypatch):
    first = Scratch.make(tmp_path)

    def refuse(descriptor: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(machine.fcntl, "flock", refuse)
    second = Scratch.make(tmp_path)
    assert first.path.exists()
    first.remove()
    second.remove()


def test_who_ended_is_known_of_this_machine_only(tmp_path, container):
    with elsewhere(tmp_path, *container) as (process, _, name):
        assert not once.ended(name)  # the number is another process's here, or nobody's
        assert name.partition("/")[0] != this_machine()
        process.kill()
    with elsewhere(tmp_path) as (process, _, name):
        assert not once.ended(name)
        process.kill()
        process.wait()
        assert once.ended(name)
    assert not once.ended(once.this_process())
    assert once.ended(f"{this_machine()}/{os.getpid()}/{time.time_ns()}")
