"""The child's side of a slot: close the sandbox, then serve calls until the worker goes away."""

import os
import resource
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from mediamill.core.errors import InvalidInput, MediamillError, OutOfMemory
from mediamill.engine.slots import calls, sandbox
from mediamill.engine.slots.steps import KINDS, Build, Work, resolve
from mediamill.engine.slots.wire import ChildEnd, Closed
from mediamill.operations.base import Context

PROGRESS_SECONDS = 0.1
TRACEBACK_CHARACTERS = 4_000
_OOM_WORDS = ("Insufficient memory", "bad_alloc", "Cannot allocate memory", "OutOfMemoryError")


def main(descriptor: int, parent: int) -> None:
    """Serve the worker at the other end of a socket; `parent` is its process id."""
    sandbox.die_with(parent)
    child = Child(ChildEnd(descriptor))
    with suppress(Closed, BrokenPipeError, ConnectionResetError):
        child.start()
        while True:
            child.serve_call()


class Child:
    """A process that has preloaded its libraries, given up its rights and waits for calls."""

    def __init__(self, end: ChildEnd) -> None:
        self._end = end
        self._build: Build
        self._worn = False

    def start(self) -> None:
        """Take the setup, preload, close the sandbox and say so."""
        setup = self._receive(calls.Setup)
        os.chdir(setup.folder)
        sandbox.preload()
        self._build = resolve(setup.catalogue)
        module = sys.modules[setup.catalogue.partition(":")[0]]
        readable = (*setup.readable, str(Path(module.__file__ or "/nonexistent").parent))
        report = sandbox.apply(
            sandbox.Rules(
                writable=setup.folder,
                readable=readable,
                memory_bytes=setup.memory_bytes,
                file_bytes=setup.file_bytes,
                open_files=setup.open_files,
            )
        )
        self._send(calls.Ready(report))

    def serve_call(self) -> None:
        """Serve one call to its end."""
        begin = self._receive(calls.Begin)
        work = self._prepare(begin)
        context = Context(Path(begin.scratch), threads=begin.threads, seed=begin.seed)
        while isinstance(item := self._receive(calls.Item, calls.End), calls.Item):
            descriptor = self._end.descriptors.popleft()
            try:
                self._serve_item(work, item, descriptor, context, begin.seconds)
            finally:
                os.close(descriptor)
        self._send(calls.Done(self._worn))

    def _prepare(self, begin: calls.Begin) -> Work | MediamillError:
        """Return what to do with each item, or what is wrong with the call, for all its items."""
        try:
            return KINDS[begin.kind](begin, self._build)
        except MediamillError as error:
            return error
        except Exception as error:  # noqa: BLE001 - told by each item
            return _unexpected(error)

    def _serve_item(
        self,
        work: Work | MediamillError,
        item: calls.Item,
        descriptor: int,
        context: Context,
        seconds: float,
    ) -> None:
        self._send(calls.Started(item.index))
        context.report_progress = Reporter(self._send, item.index)
        sandbox.limit_cpu(seconds * max(1, context.threads))
        try:
            if isinstance(work, MediamillError):
                raise work
            source = msgspec.structs.replace(item, source=item.source).source
            outcome = work(_with_descriptor(source, descriptor), context)
            self._send(calls.Succeeded(item.index, outcome))
        except Exception as error:  # noqa: BLE001 - the child goes on with the next item
            self._send_failure(item.index, error)

    def _send_failure(self, index: int, error: Exception) -> None:
        known = _known(error)
        self._worn = self._worn or isinstance(known, OutOfMemory)
        details = msgspec.to_builtins(known.details, enc_hook=repr, str_keys=True)
        self._send(calls.Failed(index, known.code, known.message, known.retryable, details))

    def _receive(self, *kinds: type) -> Any:
        message = calls.to_child(self._end.receive())
        if not isinstance(message, kinds):
            raise SystemExit(f"unexpected {type(message).__name__}")
        return message

    def _send(self, message: Any) -> None:
        self._end.send(calls.encode(message))


class Reporter:
    """Pass progress on, at most ten times a second."""

    def __init__(self, send: Any, index: int) -> None:
        self._send, self._index, self._next = send, index, 0.0

    def __call__(self, fraction: float) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_SECONDS
            self._send(calls.Progress(self._index, fraction))
