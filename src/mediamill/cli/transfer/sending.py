"""Send bytes until they are there: whole if they are few, else resumed wherever it was cut.

What is large goes past the server, to its bucket, where it offers that, else by tus.
"""

import base64
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from mediamill.cli.remote.client import Advance, Client
from mediamill.cli.transfer.direct import DirectShipment, NotOffered
from mediamill.cli.transfer.shipping import (
    Bookmark,
    Counter,
    Patience,
    Said,
    Shipment,
    Source,
    checked,
    closable,
    patiently,
)

SMALL = 700_000
"""Up to so many bytes a file passes in one request everywhere."""
LARGE = 16 << 20
"""From so many bytes on a file is sent in more than one request."""


class Sender:
    """Sends sources to one server."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(
        self, source: Source, said: Said, bookmark: Bookmark, advance: Advance
    ) -> dict[str, Any]:
        """Return the server's record of the file.

        `advance` is told of bytes that arrived. Raises `Refused`, `Unreachable`, and what reading
        the source raises.
        """
        if source.size < LARGE and self.passes(source.size):
            return patiently(lambda _: self._whole(source, said, advance))
        file = self._shipped(source, said, bookmark, Counter(advance))
        record: dict[str, Any] = self.client.get(f"/v1/files/{file}")
        return record

    def passes(self, size: int) -> bool:
        """Tell whether so many bytes may come in one request; what is small is not asked about."""
        if size <= SMALL:
            return True
        most = patiently(lambda _: self.client.most_at_once())
        return most is None or size <= most

    def _shipped(self, source: Source, said: Said, bookmark: Bookmark, sent: Counter) -> str:
        """Return the id of a large file; an upload that was begun goes on the way it began.

        What has no digest goes by tus: in parts nobody would see that its source changed.
        """
        if source.sha256:
            try:
                return DirectShipment(self.client, source, said, bookmark, sent).send()
            except NotOffered:
                sent.begin_anew()
        return ResumableShipment(self.client, source, said, bookmark, sent).send()

    def _whole(self, source: Source, said: Said, advance: Advance) -> dict[str, Any]:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(source.size)}
        query = {"name": source.name, **said.given()}
        if source.sha256:
            query["if_absent"] = "true"
            headers["X-Content-SHA256"] = source.sha256
        answer: dict[str, Any] = self.client.request(
            "POST", "/v1/files", params=query, content=source.read(0), headers=headers
        )
        advance(source.size)
        return answer


class ResumableShipment(Shipment):
    """One source on its way by tus."""

    def _place(self) -> str:
        """Return where the upload goes on, begun if it was not."""
        if known := self.bookmark.place():
            return known
        said = {"filename": self.source.name, **self.said.given()}
        if self.source.sha256:
            said["sha256"] = self.source.sha256
        pairs = (f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in said.items())
        headers = {"Upload-Length": str(self.source.size), "Upload-Metadata": ",".join(pairs)}
        begun = self.client.send("POST", "/v1/uploads", headers=tus(headers))
        place = self.client.place(begun.headers["Location"])
        self.bookmark.begin(place)
        return place

    def _rest(self, place: str, patience: Patience) -> str:
        """Send what is missing and return the file that it became."""
        head = self.client.send("HEAD", place, headers=tus({}))
        offset, size = int(head.headers["Upload-Offset"]), self.source.size
        if self.sent.reach(offset):
            patience.renew()
        at_once = self.client.most_at_once() or size
        while offset < size:
            length = min(at_once, size - offset)
            headers = {
                "Upload-Offset": str(offset),
                "Content-Length": str(length),
                "Content-Type": "application/offset+octet-stream",
            }
            body = self._counted(self.source.read(offset), length)
            self.client.send("PATCH", place, headers=tus(headers), content=body)
            offset += length
            if self.sent.reach(offset):
                patience.renew()
        return checked(self.client, place)

    def _counted(self, chunks: Iterator[bytes], most: int) -> Iterator[bytes]:
        with closing(closable(chunks)) as read:
            for chunk in read:
                data = chunk[:most]
                yield data
                self.sent.add(len(data))
                most -= len(data)
                if not most:
                    return


def tus(headers: dict[str, Any]) -> dict[str, Any]:
    """Add the version of the protocol."""
    return {"Tus-Resumable": "1.0.0", **headers}
