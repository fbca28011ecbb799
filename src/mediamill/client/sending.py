"""Choose how a source is sent: in one request, past the server, or by tus."""

from collections.abc import Callable
from uuid import uuid4

from mediamill.client.calling import Flow, Response
from mediamill.client.direct import DirectShipment, NotOffered
from mediamill.client.models import FileView
from mediamill.client.retrying import Retries, sending
from mediamill.client.shipping import (
    LARGE,
    PATIENT,
    Bookmark,
    Port,
    ResumableShipment,
    Said,
    record,
    whole,
)  # fmt: skip
from mediamill.client.sources import Counter, Source


def shipping(
    port: Port,
    source: Source,
    said: Said,
    bookmark: Bookmark,
    advance: Callable[[int], None],
    notice: Callable[[str], None],
    *,
    retries: Retries = PATIENT,
    if_absent: bool = False,
) -> Flow[FileView]:
    """Return the server's record of a file that was sent.

    `advance` is told of bytes that arrived. With `if_absent` a file that is sent in one request
    and is there already is answered instead. Raises `Problem`, `Unreachable`, and what reading the
    source raises.
    """
    if source.size < LARGE and (yield from port.passes(source.size)):
        request = whole(source, said, uuid4().hex, Counter(advance), if_absent=if_absent)
        answer: Response = yield from sending(request, retries)
        found: FileView = answer.json()
        return found
    begun = ResumableShipment(port, source, said, bookmark, Counter(advance), retries, notice)
    return (yield from record((yield from _shipped(begun)), retries))


def _shipped(begun: ResumableShipment) -> Flow[str]:
    """Return the id of a large file; an upload that was begun goes on the way it began.

    What has no digest goes by tus: in parts nobody would see that its source changed.
    """
    if begun.source.sha256:
        direct = DirectShipment(
            begun.port, begun.source, begun.said, begun.bookmark, begun.sent, begun.retries,
            begun.notice,
        )  # fmt: skip
        try:
            return (yield from direct.send())
        except NotOffered:
            begun.sent.begin_anew()
    return (yield from begun.send())
