"""The real command line in processes of its own, and one running service for all tests here."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mediamill.cli.remote.home import Credentials, read_credentials
from mediamill.media.video.pattern import write_pattern
from tests.support.nursery import Forked, run, start
from tests.support.places import kept

SECONDS = 60


@dataclass
class Commands:
    """Runs `mediamill …` with a home of its own."""

    home: Path
    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return kept(os.environ) | {
            "MEDIAMILL_HOME": str(self.home), "COLUMNS": "100", **self.extra
        }  # fmt: skip

    def __call__(self, *arguments: object, told: str = "") -> subprocess.CompletedProcess[str]:
        command = self.command(*arguments)
        return run(command, cwd=self.folder, env=self.environment, timeout=SECONDS, told=told)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=interruptible,
        )  # fmt: skip

    @staticmethod
    def command(*arguments: object) -> list[str]:
        return [sys.executable, "-m", "mediamill", *map(str, arguments)]


def interruptible() -> None:
    """Undo what a test run in the background hands down: an ignored SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def mediamill(tmp_path: Path) -> Commands:
    """The command line with an empty home, in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Commands(tmp_path / "home", folder)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two seconds."""
    return write_pattern(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=2)


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that takes seconds to turn into PNG frames."""
    return write_pattern(tmp_path_factory.mktemp("long") / "long.mp4", seconds=5)


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, session_place: dict[str, str]
) -> Iterator[Credentials]:
    """A running `mediamill up` with a home of its own; gives its address and a token."""
    folder = tmp_path_factory.mktemp("service")
    own = {"MEDIAMILL_MIN_FREE_BYTES": "0", "MEDIAMILL_PROMPT_CHAIN": "echo:one"}
    commands = Commands(folder / "home", folder, {**own, **session_place})
    with serving(commands) as credentials:
        yield credentials


@contextmanager
def serving(commands: Commands) -> Iterator[Credentials]:
    """Run `mediamill up` for the length of the block, forked: its guests ask not how it starts.

    What it writes stands in its folder; a service that does not end well is a failure.
    """
    log = commands.folder / "log"
    command = [sys.executable, "-m", "tests.support.cheap", "up", "--port", "0"]
    process = start(command, commands.environment, log)
    try:
        yield wait_for_service(process, commands.home, log)
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(35) == 0, log.read_text()


def wait_for_service(
    process: subprocess.Popen | Forked, home: Path, log: Path | None = None
) -> Credentials:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        if (kept := read_credentials(home)) is not None:
            return kept
        time.sleep(0.02)
    raise AssertionError(log.read_text() if log else "the service did not start")


@pytest.fixture
def signed_in(mediamill: Commands, service: Credentials) -> Commands:
    """The command line with server and token in its environment."""
    mediamill.extra = {"MEDIAMILL_SERVER": service.server, "MEDIAMILL_TOKEN": service.token}
    return mediamill
