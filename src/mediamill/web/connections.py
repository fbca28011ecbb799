"""Connections that must say what they want: a request's headers arrive within ten seconds.

uvicorn times a connection out between requests only, so one that never ends its headers, or that
never sends any, would hold its socket for ever. Bodies have their own limits (`limits.py`).
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0


class Connection(HttpToolsProtocol):
    """uvicorn's connection, closed when a request's headers do not end in time."""

    _deadline: asyncio.TimerHandle | None = None
    _between_requests = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._between_requests:
            self._start()
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start()

    def on_headers_complete(self) -> None:
        self._between_requests = False
        self._stop()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._between_requests = True

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
