"""Length-prefixed messages over a Unix socket pair, with descriptors beside them (SCM_RIGHTS).

The child's end blocks; the worker's end (`worker_end.py`) lives on the event loop.
"""

import array
import select
import socket
import struct
from collections import deque
from collections.abc import Iterator
from typing import Any

_LENGTH = struct.Struct(">I")
LONGEST = 64 << 20
"""Largest message taken from a child, bytes."""

PIECE = 1 << 16
"""How much is read at once, bytes."""
_MOST_DESCRIPTORS = 64


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


def rights_of(descriptors: tuple[int, ...]) -> "list[tuple[int, int, array.array[int]]]":
    """Return what is sent beside a message to hand descriptors over."""
    if not descriptors:
        return []
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]


class ChildEnd:
    """The child's end: blocking, one thread."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._frames = Frames()
        self._messages: deque[bytes] = deque()
        self._held = bytearray()
        self.descriptors: deque[int] = deque()
        """Descriptors that came and were not taken yet, in order."""

    def receive(self) -> bytes:
        """Wait for a message; raises `Closed`."""
        while not self._messages:
            self._send_held()
            data, ancillary, _, _ = self._receive_some()
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self._take(content)
            if not data:
                raise Closed
            self._messages.extend(self._frames.feed(data))
        return self._messages.popleft()

    def quiet(self, seconds: float) -> bool:
        """Wait so long for the worker to say something; tell whether it did not."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return not self._messages and not waiting.poll(1000 * seconds)

    def _receive_some(self) -> Any:
        space = socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)
        try:
            return self._socket.recvmsg(PIECE, space, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            raise Closed from None

    def _take(self, content: bytes) -> None:
        received: array.array[int] = array.array("i")
        received.frombytes(content[: len(content) - len(content) % received.itemsize])
        self.descriptors.extend(received)

    def send(self, message: bytes) -> None:
        """Send a message whole; raises `ValueError` for one that is too long, and `Closed`."""
        self.hold(message)
        self._send_held()

    def hold(self, message: bytes) -> None:
        """Send a message with the next one, or before waiting: the worker is woken once for both.

        Raises `ValueError` for one that is too long.
        """
        self._held += frame(message)

    def _send_held(self) -> None:
        try:
            if self._held:
                self._socket.sendall(self._held)
        except OSError:
            raise Closed from None
        self._held.clear()
