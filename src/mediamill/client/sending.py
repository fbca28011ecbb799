"""Choose how a source is sent: in one request, past the server, or by tus."""

from collections.abc import Callable
from uuid import uuid4

from mediamill.client.calling import Flow, Response
from mediamill.client.direct import DirectShipment, NotOffered
from mediamill.client.models import FileView
from mediamill.client.retrying import sending
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
    if_absent: bool = False,
) -> Flow[FileView]:
    """Return the server's record of a file that was sent.

    `advance` is told of bytes that arrived. With `if_absent` a file that is sent in one request
    and is there already is answered instead. Raises `Problem`, `Unreachable`, and what reading the
    source raises.
    """
    if source.size < LARGE and (yield from port.passes(source.size)):
        request = whole(source, said, uuid4().hex, Counter(advance), if_absent=if_absent)
        answer: Response = yield from sending(request, PATIENT)
        found: FileView = answer.json()
        return found
    file = yield from _shipped(port, source, said, bookmark, Counter(advance), notice)
    return (yield from record(file))


def _shipped(
    port: Port,
    source: Source,
    said: Said,
    bookmark: Bookmark,
    sent: Counter,
    notice: Callable[[str], None],
) -> Flow[str]:
    """Return the id of a large file; an upload that was begun goes on the way it began.

    What has no digest goes by tus: in parts nobody would see that its source changed.
    """
    if source.sha256:
        try:
            return (yield from DirectShipment(port, source, said, bookmark, sent, notice).send())
        except NotOffered:
            sent.begin_anew()
    return (yield from ResumableShipment(port, source, said, bookmark, sent, notice).send())
