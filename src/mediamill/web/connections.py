"""Connections that must say what they want, and take what they asked for.

uvicorn times a connection out between requests only, so one that never ends its headers, or that
never sends any, would hold its socket for ever: a request's headers arrive within ten seconds.
Nor does it bound them: they are kept whole, and one long one is copied again with each piece. So a
request has 128 KiB of address, headers and trailers together, and is answered 431 beyond.
Bodies have their own limits (`limits.py`). So would one that never reads its answer, with what is
being read for it: when a minute passes in which not one byte was taken, the connection is cut. A
slow client is not a stopped one: what the kernel still holds counts as well, where it tells.
"""

import asyncio
import fcntl
import struct
import termios
from contextlib import suppress

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
STALL_SECONDS = 60.0
MAX_HEAD = 128 << 10
"""Bytes of a request's address and headers; a name and tags may take 70 kB of an address."""
TOO_LONG = f"A request's address and headers may have {MAX_HEAD:,} bytes here."


class Connection(HttpToolsProtocol):
    """uvicorn's connection, closed when headers are late or too long, or an answer is not taken."""

    _deadline: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    _untaken = 0
    _between_requests = True
    _head = 0
    """Bytes of the address and the headers that the parser has told of."""
    _untold = 0
    """Bytes that came since the parser told of anything: it keeps what is not whole."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP only
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._end_watch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._between_requests:
            self._start()
        self._untold += len(data)
        super().data_received(data)
        if self._untold > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(TOO_LONG)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0
        self._start()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._between_requests = False
        self._stop()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._untold = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._untold = 0
        super().on_message_complete()
        self._between_requests = True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_watch()
        if self.transport.is_closing():
            self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; the end of its last answer may still be on its way."""
        super().timeout_keep_alive_handler()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or a too long one; not into an answer that has begun."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()
            return
        if self._head <= MAX_HEAD and self._untold <= MAX_HEAD:
            super().send_400_response(msg)
            return
        head = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\n"
        head += f"content-length: {len(TOO_LONG)}\r\nconnection: close\r\n\r\n"
        self.transport.write((head + TOO_LONG).encode())
        self.transport.close()

    def _count(self, size: int) -> None:
        """Count what the parser tells of a head; raising, within it, makes it stop."""
        self._untold = 0
        self._head += size
        if self._head > MAX_HEAD:
            raise ValueError(TOO_LONG)

    def _watch(self) -> None:
        if self._stall is None:
            self._untaken = self._count_untaken()
            self._stall = self.loop.call_later(STALL_SECONDS, self._look)

    def _end_watch(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _look(self) -> None:
        """Cut the connection when nothing was taken since the last look, else look again."""
        self._stall = None
        if self._count_untaken() >= self._untaken:
            self.transport.abort()
        else:
            self._watch()

    def _count_untaken(self) -> int:
        """Return how many bytes wait here and, on Linux, in the kernel for the client."""
        count = self.transport.get_write_buffer_size()
        connection = self.transport.get_extra_info("socket")
        with suppress(OSError, AttributeError, ValueError):
            answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
            count += int(struct.unpack("i", answer)[0])
        return count

    def _start(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._late)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        """Close, but not while the answer to the request before is on its way."""
        self._deadline = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._start()
        else:
            self.transport.close()
