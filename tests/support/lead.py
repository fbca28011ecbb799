"""Servers that all processes of a test run share: who leads them starts each, once, and ends it.

A process that runs tests asks for a server by its name, and is told where it is. It starts when it
is first asked for. Servers whose tests look at all that is in them, or stop them, are no matter of
this: each process has its own.
"""

import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import pytest

from tests.support.dynamodb import dynamodb_server
from tests.support.services import unavailable

Start = Callable[[Path], AbstractContextManager[Any]]
SHARED: Mapping[str, Start] = {"dynamodb": lambda folder: dynamodb_server("local", folder)}
"""What is told of each goes through a pipe."""
PATIENCE = 60.0
"""Seconds for a question to come behind its connection; others wait meanwhile."""


class Lead:
    """Starts servers for others, one at a time, until it ends."""

    def __init__(self, shared: Mapping[str, Start] = SHARED) -> None:
        self._shared, self._stack = shared, ExitStack()
        self._started: dict[str, Any] = {}
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.address = str(self._folder / "lead")
        self._listener = self._stack.enter_context(Listener(self.address, "AF_UNIX"))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End all that was started."""
        with Client(self.address, "AF_UNIX") as line:
            line.send(None)
        self._thread.join(2 * PATIENCE)
        self._stack.close()

    def _serve(self) -> None:
        while True:
            try:
                with self._listener.accept() as line:
                    if not line.poll(PATIENCE):
                        continue
                    if (name := line.recv()) is None:
                        return
                    self._answer(line, name)
            except (EOFError, OSError):
                continue  # who asked is gone

    def _answer(self, line: Connection, name: str) -> None:
        try:
            if name not in self._started:
                server = self._shared[name](self._folder)
                self._started[name] = self._stack.enter_context(server)
            said = (self._started[name], "", "")
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            said = (None, str(missing), "")
        except BaseException:  # theirs who asked: this thread serves the others
            said = (None, "", traceback.format_exc())
        line.send(said)


def server_of(address: str, name: str) -> Any:
    """Return what whoever leads at an address tells of a server; skips, or fails, without one."""
    with Client(address, "AF_UNIX") as line:
        line.send(name)
        told, missing, broken = line.recv()
    if missing:
        unavailable(missing)
    assert not broken, broken
    return told
