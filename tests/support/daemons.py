"""A server of another project as a child process: started, frozen, killed and ended by its id."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import until_open
from tests.support.services import unavailable


def program(name: str, package: str) -> str:
    """Return where a program is; skips, or fails where services are required."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        unavailable(f"{name} is not installed: apt install {package}")
    return found


@dataclass
class Daemon:
    """A server that listens on a port once it is up; may be started again on the same one."""

    command: Sequence[str]
    port: int
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.folder / "log"
        with log.open("ab") as output:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=self.folder, env={**os.environ, **self.environment},
            )  # fmt: skip
        if self.port:
            try:
                until_open(self.child, self.port, log)
            except BaseException:
                self.kill()
                raise

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self.child is not None and self.child.poll() is None

    def send(self, number: int) -> None:
        assert self.child is not None
        self.child.send_signal(number)

    def kill(self) -> None:
        """End it as a power failure would."""
        self.end(signal.SIGKILL)

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.child is None:
            return
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child = None
