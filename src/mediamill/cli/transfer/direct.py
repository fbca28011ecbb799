"""Send a large file past the server, to its bucket, in parts: those that are there are left out.

The server signs a request for each part when it is asked to, looks at the whole when it is told
that all are there, and says then what became of it.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import httpx

from mediamill.cli.remote.client import TIMEOUT
from mediamill.cli.terminal.failures import Refused, Unreachable
from mediamill.cli.transfer.shipping import PASSING, Patience, Shipment, checked, closable

SIGNED_ANEW = frozenset({400, 403})
"""How a bucket answers a request that has expired: a fresh one is worth a try."""


class NotOffered(Exception):
    """The server takes the bytes itself, or its bucket cannot be reached from here."""


@dataclass
class DirectShipment(Shipment):
    """One source on its way to the bucket.

    `send` raises `NotOffered`, having left nothing behind, and what the server finds wrong.
    """

    _bucket: httpx.Client = field(init=False)
    _told: bool = field(default=False, init=False)
    """Whether the bucket has answered."""

    def _go_on(self) -> str:
        with _opened() as self._bucket:
            return super()._go_on()

    def _place(self) -> str:
        """Return where the upload goes on, begun if it was not; raises `NotOffered`."""
        if known := self.bookmark.place():
            if not self.client.get(known).get("direct"):
                raise NotOffered
            return known
        if not self.client.offers_direct():
            raise NotOffered
        said: dict[str, Any] = {"filename": self.source.name, "size": self.source.size}
        said |= {"sha256": self.source.sha256, "parts": True, "tags": list(self.said.tags)}
        if self.said.project:
            said["project"] = self.said.project
        begun = self.client.request("POST", "/v1/uploads/presigned", json=said)
        place = str(begun["links"]["self"])
        self.bookmark.begin(place)
        return place

    def _rest(self, place: str, patience: Patience) -> str:
        """Send the parts that are missing and return the file that they became."""
        if self.client.get(place)["state"] == "receiving":
            done = 0
            for part in self.client.pages(f"{place}/parts"):  # each page is signed when it is asked
                self.sent.reach(done)
                if not part["arrived"]:
                    self._send(place, part)
                done += part["size"]
                if self.sent.reach(done):
                    patience.renew()
            self.client.request("POST", f"{place}/complete", params={"wait": 30})
        return checked(self.client, place)

    def _send(self, place: str, part: dict[str, Any]) -> None:
        request = part["request"]
        try:
            with closing(self._bytes(part["start"], part["size"])) as body:
                answer = self._bucket.request(
                    request["method"], request["url"], headers=request["headers"], content=body
                )
        except httpx.TransportError as error:
            if isinstance(error, httpx.ConnectError) and not self._told:
                self._withdraw(place)
            raise Unreachable(f"The server’s bucket does not answer ({error}).", "") from error
        self._told = True
        if answer.status_code in SIGNED_ANEW | PASSING:
            raise Unreachable(f"The server’s bucket answers {answer.status_code}.", "")
        if answer.is_error:
            message = f"The server’s bucket refuses a part: it answers {answer.status_code}."
            raise Refused(message, status=answer.status_code, code="bucket_refused")

    def _withdraw(self, place: str) -> None:
        """Give the upload up, and with it this way; raises `NotOffered`."""
        self.client.request("DELETE", place)
        self.bookmark.forget()
        self.client.direct = False
        raise NotOffered

    def _bytes(self, start: int, size: int) -> Generator[bytes]:
        """Read one part of the source; a source that has become shorter ends early."""
        left = size
        with closing(closable(self.source.read(start))) as chunks:
            for chunk in chunks:
                data = chunk[:left]
                yield data
                self.sent.add(len(data))
                left -= len(data)
                if not left:
                    return


def _opened() -> httpx.Client:
    """Open a client that shows the bucket nothing but what was signed."""
    here = {f"all://{host}": None for host in ("127.0.0.1", "localhost")}  # past any proxy
    return httpx.Client(timeout=TIMEOUT, mounts=here)
