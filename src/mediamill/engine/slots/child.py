"""The child's side of a slot: close the sandbox, then serve calls until the worker goes away."""

import errno
import importlib
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from mediamill.core.errors import MediamillError, OutOfMemory, StorageFull
from mediamill.engine.slots import calls, libc, sandbox
from mediamill.engine.slots.steps import KINDS, Build, Work, resolve
from mediamill.engine.slots.wire import ChildEnd, Closed
from mediamill.operations.work import Context

PROGRESS_SECONDS = 0.1
IDLE_SECONDS = 0.2
"""After so long without a call there is time for imports."""
TRACEBACK_CHARACTERS = 4_000
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_MEMORY_WORDS = ("insufficient memory", "bad_alloc", "cannot allocate memory", "outofmemoryerror")

Send = Callable[[Any], None]


def main(descriptor: int, parent: int) -> None:
    """Serve the worker at the other end of a socket; `parent` is its process id."""
    with suppress(OSError):  # then nobody can tell what memory it held: see `process.Exit`
        if libc.fork_sibling():
            os._exit(0)
    sandbox.die_with(parent)
    child = Child(ChildEnd(descriptor))
    with suppress(Closed):
        child.start()
        while True:
            child.serve_call()


class Child:
    """A process that has given up its rights and waits for calls.

    Codecs are imported when a call needs them: the folders they lie in may be read.
    """

    def __init__(self, end: ChildEnd) -> None:
        self._end = end
        self._build: Build
        self._worn = False
        self._cold: list[str] = []
        """Modules that are still to be imported when there is time."""

    def start(self) -> None:
        """Take the setup, close the sandbox and say so."""
        setup = self._receive(calls.Setup)
        os.chdir(setup.folder)
        self._build = resolve(setup.catalogue)
        home = sys.modules[setup.catalogue.partition(":")[0]].__file__
        ours = [str(Path(home).parent)] if home else []
        rules = sandbox.Rules(
            setup.folder,
            (*setup.readable, *ours),
            setup.memory_bytes,
            setup.file_bytes,
            setup.open_files,
        )
        self._cold = [*setup.warm]
        self.send(calls.Ready(sandbox.apply(rules), os.getpid()))

    def serve_call(self) -> None:
        """Serve one call to its end."""
        self._warm_up()
        begin = self._receive(calls.Begin)
        work = self._prepare(begin)
        tempfile.tempdir = begin.scratch
        context = Context(
            Path(begin.scratch), threads=begin.threads, seed=begin.seed, span=begin.span
        )
        seconds = begin.seconds * max(1, begin.threads)
        while isinstance(item := self._receive(calls.Item, calls.End), calls.Item):
            count = 1 + len(item.source.partners)
            descriptors = [self._end.descriptors.popleft() for _ in range(count)]
            try:
                sandbox.limit_cpu(seconds)
                self._serve_item(work, item, _opened(item.source, descriptors), context)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
        self.send(calls.Done(self._worn))

    def _warm_up(self) -> None:
        """Import what calls will need, one by one for as long as nothing is asked."""
        seconds = IDLE_SECONDS
        while self._cold and self._end.quiet(seconds):
            with suppress(ImportError):  # the first call that needs it is told
                importlib.import_module(self._cold.pop(0))
            seconds = 0.0

    def _prepare(self, begin: calls.Begin) -> Work:
        """Return what to do with each item; what is wrong with the call is told by every item."""
        try:
            return KINDS[begin.kind](begin, self._build)
        except Exception as error:
            return Refusal(error)

    def _serve_item(
        self, work: Work, item: calls.Item, source: calls.Source, context: Context
    ) -> None:
        index = item.index
        self.send(calls.Started(index))
        context.report_progress = Reporter(self.send, index)
        try:
            answer = calls.encode(calls.Succeeded(index, work(source.verified(), context)))
            self._end.hold(answer)
        except Closed:
            raise
        except Exception as error:  # the child goes on with the next item
            self._send_failure(index, error)

    def _send_failure(self, index: int, error: Exception) -> None:
        known = public(error)
        self._worn = self._worn or isinstance(known, OutOfMemory)
        details = msgspec.to_builtins(known.details, enc_hook=repr, str_keys=True)
        self.send(calls.Failed(index, known.code, known.message, known.retryable, details))

    def _receive(self, *kinds: type) -> Any:
        message = calls.to_child(self._end.receive())
        if not isinstance(message, kinds):
            raise SystemExit(f"unexpected {type(message).__name__}")
        return message

    def send(self, message: Any) -> None:
        """Send a message to the worker."""
        self._end.send(calls.encode(message))


def _opened(source: calls.Source, descriptors: Sequence[int]) -> calls.Source:
    """Return a source with its descriptor, and its partners with theirs."""
    own, *others = descriptors
    partners = tuple(map(_with_descriptor, source.partners, others))
    return replace(source, descriptor=own, partners=partners)


def _with_descriptor(source: calls.Source, descriptor: int) -> calls.Source:
    return replace(source, descriptor=descriptor)


class Refusal:
    """Work that cannot be done: raises the same error for every item."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, source: calls.Source, context: Context) -> calls.Outcome:
        raise self._error


class Reporter:
    """Pass progress on, at most ten times a second; of what is over before there is none."""

    def __init__(self, send: Send, index: int) -> None:
        self._send, self._index = send, index
        self._next = time.monotonic() + PROGRESS_SECONDS

    def __call__(self, fraction: float) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_SECONDS
            self._send(calls.Progress(self._index, fraction))


def public(error: Exception) -> MediamillError:
    """Turn whatever an operation raised into an error with a code."""
    if isinstance(error, MediamillError):
        return error
    words = f"{type(error).__name__}: {error}"[:500]
    if isinstance(error, OSError) and error.errno in FULL:
        return StorageFull("The scratch disk is full.", error=words)
    if isinstance(error, MemoryError) or any(word in words.lower() for word in _MEMORY_WORDS):
        told = f"This input needs more memory than a slot has. {calls.REMEDY}"
        return OutOfMemory(told, error=words)
    tail = "".join(traceback.format_exception(error))[-TRACEBACK_CHARACTERS:]
    return MediamillError("The operation failed unexpectedly.", error=words, traceback=tail)
