"""Length-prefixed messages over a Unix socket pair, with descriptors beside them (SCM_RIGHTS).

The child's end blocks; the worker's end lives on the event loop.
"""

import array
import asyncio
import errno
import socket
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_LENGTH = struct.Struct(">I")
LONGEST = 64 << 20
"""Largest message taken from a child, bytes."""

_PIECE = 1 << 16
_MOST_WAITING, _MOST_WAITING_BYTES = 64, 1 << 20
"""What a child may say before it has to wait until somebody listens."""
_MOST_DESCRIPTORS = 16


class Closed(Exception):
    """The other side has gone."""


class Garbled(Exception):
    """The other side sent what is no message."""


class Frames:
    """Cut a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes; yield the messages that are complete. Raises `Garbled`, after those."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > LONGEST:
                raise Garbled(f"a message of {length} bytes")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            yield bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]


def frame(message: bytes) -> bytes:
    """Prefix a message with its length; raises `ValueError` for one that is too long."""
    if len(message) > LONGEST:
        raise ValueError(f"a message of {len(message)} bytes is too long")
    return _LENGTH.pack(len(message)) + message


def _rights(descriptors: tuple[int, ...]) -> "list[tuple[int, int, array.array[int]]]":
    if not descriptors:
        return []
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]


class ChildEnd:
    """The child's end: blocking, one thread."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._frames = Frames()
        self._messages: deque[bytes] = deque()
        self.descriptors: deque[int] = deque()
        """Descriptors that came and were not taken yet, in order."""

    def receive(self) -> bytes:
        """Wait for a message; raises `Closed`."""
        while not self._messages:
            data, ancillary, _, _ = self._receive_some()
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self._take(content)
            if not data:
                raise Closed
            self._messages.extend(self._frames.feed(data))
        return self._messages.popleft()

    def _receive_some(self) -> Any:
        space = socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)
        try:
            return self._socket.recvmsg(_PIECE, space, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            raise Closed from None

    def _take(self, content: bytes) -> None:
        received: array.array[int] = array.array("i")
        received.frombytes(content[: len(content) - len(content) % received.itemsize])
        self.descriptors.extend(received)

    def send(self, message: bytes) -> None:
        """Send a message whole; raises `ValueError` for one that is too long, and `Closed`."""
        data = frame(message)
        try:
            self._socket.sendall(data)
        except OSError:
            raise Closed from None


class WorkerEnd:
    """The worker's end, on the running event loop; reads no more while many messages wait."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket, self._loop = end, asyncio.get_running_loop()
        self._frames = Frames()
        self._messages: deque[bytes] = deque()
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._reading = False
        self._read_on()

    async def receive(self) -> bytes:
        """Wait for a message; raises `Closed`, `Garbled`, or what was given to `fail`."""
        while not self._messages:
            if self._failure is not None:
                raise self._failure
            self._read_on()
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._messages.popleft()

    def received(self) -> bytes | None:
        """Return the next message if it has come already."""
        return self._messages.popleft() if self._messages else None

    def fail(self, error: Exception) -> None:
        """Let `receive` raise this once the messages that came are taken."""
        self._failure = self._failure or error
        self._wake()

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
            if not data:
                raise Closed
            self._messages.extend(self._frames.feed(data))
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, Closed):
            self._stop(Closed())
        except Garbled as error:
            self._stop(error)
        if self._messages:
            if self._crowded():
                self._pause()
            self._wake()

    def _crowded(self) -> bool:
        many = len(self._messages) >= _MOST_WAITING
        return many or sum(map(len, self._messages)) >= _MOST_WAITING_BYTES

    def _stop(self, error: Exception) -> None:
        self._pause()
        self.fail(error)

    def _read_on(self) -> None:
        if not self._reading:
            self._reading = True
            self._loop.add_reader(self._socket.fileno(), self._on_readable)

    def _pause(self) -> None:
        """Stop reading, so that the child has to wait with what it says."""
        self._reading = False
        self._loop.remove_reader(self._socket.fileno())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def send(self, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Send a message with descriptors beside it; raises `Closed`."""
        data = memoryview(frame(message))
        rights = _rights(descriptors)
        while data:
            try:
                data = data[self._socket.sendmsg([data], rights) :]
                rights = []
            except (BlockingIOError, InterruptedError):
                await self._writable()
            except OSError as error:
                if error.errno == errno.EBADF and self._socket.fileno() >= 0:
                    raise  # the caller's descriptor is closed
                raise Closed from None

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_writer(self._socket.fileno(), _settle, ready)
        try:
            await ready
        finally:
            if self._socket.fileno() >= 0:
                self._loop.remove_writer(self._socket.fileno())

    def close(self) -> None:
        """Close the socket; whoever waits gets `Closed`."""
        descriptor = self._socket.fileno()
        if descriptor >= 0:
            with suppress(RuntimeError):  # the loop may be closed already
                self._loop.remove_reader(descriptor)
                self._loop.remove_writer(descriptor)
            self._socket.close()
            self.fail(Closed())


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
