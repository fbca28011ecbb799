"""An installation that is backed up: that of the tests of moves, a copy of its home for each."""

from pathlib import Path

import pytest

from mediamill.backup import objects
from mediamill.cli.root import root
from mediamill.cli.terminal.running import run_command
from tests.moving.conftest import found, original

__all__ = ["found", "original"]


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch):
    """Nothing is being deleted meanwhile, unless a test does it."""
    monkeypatch.setattr(objects, "PAUSE", 0)


@pytest.fixture
def say(found, capsys, monkeypatch):
    """Give a command of `mediamill` with the home of the installation; return code and output."""
    monkeypatch.setenv("MEDIAMILL_HOME", str(found.home))
    monkeypatch.setenv("MEDIAMILL_MIN_FREE_BYTES", "0")

    def said(*arguments: object) -> tuple[int, str, str]:
        code = run_command(root, [str(one) for one in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return said


@pytest.fixture
def place(tmp_path) -> Path:
    return tmp_path / "backups"
