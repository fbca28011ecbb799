"""Send a large file past the server, to its bucket, in parts: those that are there are left out.

The server signs a request for each part when it is asked to, looks at the whole when it is told
that all are there, and says then what became of it.
"""

from dataclasses import dataclass, field
from typing import Any

from mediamill.client import routes
from mediamill.client.calling import KEY, Flow, Request, Response
from mediamill.client.errors import Unreachable, problem_of
from mediamill.client.paging import pages
from mediamill.client.retrying import Patience
from mediamill.client.shipping import PASSING, Shipment, asked, sent
from mediamill.client.sources import Part

SIGNED_ANEW = frozenset({400, 403})
"""How a bucket answers a request that has expired: a fresh one is worth a try."""


class NotOffered(Exception):
    """The server takes the bytes itself, or its bucket cannot be reached from here."""


@dataclass
class DirectShipment(Shipment):
    """One source on its way to the bucket.

    `send` raises `NotOffered`, having left nothing behind, and what the server finds wrong.
    """

    _told: bool = field(default=False, init=False)
    """Whether the bucket has answered."""

    def _place(self) -> Flow[str]:
        """Return where the upload goes on, begun if it was not; raises `NotOffered`."""
        if known := self.bookmark.place():
            if not (yield from asked("GET", known)).get("direct"):
                raise NotOffered
            return known
        if not (yield from self.port.offers_direct()):
            raise NotOffered
        said: dict[str, Any] = {"filename": self.source.name, "size": self.source.size}
        said |= {"sha256": self.source.sha256, "parts": True, "tags": list(self.said.tags)}
        if self.said.project:
            said["project"] = self.said.project
        here, headers = routes.begin_direct_upload.path, {KEY: self.key}
        begun = yield from asked("POST", here, json=said, headers=headers)
        place = str(begun["links"]["self"])
        self.bookmark.begin(place)
        return place

    def _rest(self, place: str, patience: Patience) -> Flow[str]:
        """Send the parts that are missing and return the file that they became."""
        if (yield from asked("GET", place))["state"] == "receiving":
            done, after = 0, None
            while True:  # each page is signed when it is asked
                page = yield from asked("GET", f"{place}/parts", params=pages(after))
                for part in page["data"]:
                    self.sent.reach(done)
                    if not part["arrived"]:
                        yield from self._send(place, part)
                    done += part["size"]
                    if self.sent.reach(done):
                        patience.renew()
                after = page.get("after")
                if not page["has_more"] or after is None:
                    break
            yield from asked("POST", f"{place}/complete", params={"wait": 30})
        return (yield from self._checked(place))

    def _send(self, place: str, part: dict[str, Any]) -> Flow[None]:
        told, body = part["request"], Part(self.source, part["start"], part["size"], self.sent.add)
        request = Request(
            told["method"], told["url"], headers=told["headers"], content=body, plain=True
        )
        try:
            answer: Response = yield request
        except Unreachable as error:
            if not error.sent and not self._told:
                yield from self._withdraw(place)
            message = f"The server’s bucket does not answer ({error.reason})."
            raise Unreachable(message) from error
        self._told = True
        if answer.status in SIGNED_ANEW | PASSING:
            raise Unreachable(f"The server’s bucket answers {answer.status}.")
        if answer.failed:
            why = f"The server’s bucket refuses a part: it answers {answer.status}."
            raise problem_of(answer.status, {"detail": why, "code": "bucket_refused"})

    def _withdraw(self, place: str) -> Flow[None]:
        """Give the upload up, and with it this way; raises `NotOffered`."""
        yield from sent(Request("DELETE", place))
        self.bookmark.forget()
        self.port.direct = False
        raise NotOffered
