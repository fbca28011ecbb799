"""The worker's end of the socket to a child, on the event loop: see `wire.py`."""

import asyncio
import errno
import socket
from collections import deque
from contextlib import suppress

from mediamill.engine.slots.wire import PIECE, Closed, Frames, Garbled, frame, rights_of

_MOST_WAITING, _MOST_WAITING_BYTES = 64, 1 << 20
"""What a child may say before it has to wait until somebody listens."""


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
            data = self._socket.recv(PIECE)
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

    async def send(self, *messages: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Send messages with descriptors beside them, so that they wake a child once.

        Raises `Closed`.
        """
        data = memoryview(b"".join(map(frame, messages)))
        rights = rights_of(descriptors)
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
