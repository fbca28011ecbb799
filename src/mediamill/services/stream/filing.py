"""Make files of messages: their bytes at once and beside each other, their rows together in order.

What a file was made of is in its lineage. What cannot be taken is a dead letter: the message as it
was, with the reason and where it stood.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import structlog

from mediamill.adapters.stream.port import Message, Outgoing, Part
from mediamill.blobs.port import Digest
from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput, MediamillError, QuotaExceeded, Unavailable
from mediamill.services.stream.customers import Customers
from mediamill.services.stream.envelopes import Wanted, open_envelope, whose
from mediamill.services.stream.fetching import Places
from mediamill.services.stream.rules import TopicRule
from mediamill.services.uploads.recording import FileRows, Label, known
from mediamill.services.uploads.validating import Arrival, Validator
from mediamill.store.repositories.files import File, digest_key

log = structlog.get_logger(__name__)

SOURCE = "stream"
BATCH, BATCH_BYTES = 48, 8 << 20
"""Messages that are written and looked at together, and bytes of them."""
AT_ONCE, ALONE_AT_ONCE = 4, 16
"""Batches, and messages that go alone, of all partitions at a time."""
DEFECT_TRIES, FETCH_TRIES = 5, 8
"""Tries after which a message is a dead letter that is not refused but fails all the same."""
NEWCOMER = Principal("newcomer")
"""Whose a file is until its customer is made, which is when it is settled."""
PAUSE_SECONDS, MOST_PAUSE = 0.2, 20.0


class Kept(Enum):
    """What of a message goes into its letter, where the topic takes none of that size."""

    ALL = "all"
    HEADERS = "headers"
    """And the key: all but the value."""
    NOTHING = "nothing"


@dataclass(frozen=True)
class Prepared:
    """A message of which a file can be made, or why none can."""

    message: Message
    file: File | None = None
    error: MediamillError | None = None
    customer: str = ""
    """Whom what was refused is for, where that is known, and the id of that user."""
    owner: str = ""
    newcomer: str = ""
    """The customer who is to be made before the file's row is; the row has no owner till then."""


@dataclass
class Filing:
    """What it takes to make a file."""

    rows: FileRows
    validator: Validator
    customers: Customers
    places: Places

    def __post_init__(self) -> None:
        self._batches = asyncio.Semaphore(AT_ONCE)
        self._room = asyncio.Semaphore(ALONE_AT_ONCE)

    async def prepare(self, messages: Sequence[Message], rule: TopicRule) -> Sequence[Prepared]:
        """Write and look at what messages bring; rows of files are not written yet.

        Comes back only with a verdict on each: what is away is waited for. What cannot be had
        together with the others, such as an object from elsewhere, goes alone.
        """
        async with self._batches:
            told = await self._together(messages, rule)
        rest = [message for message in messages if message.offset not in told]
        alone = await asyncio.gather(*(self._alone(message, rule) for message in rest))
        told |= {one.message.offset: one for one in alone}
        return [told[message.offset] for message in messages]

    async def named(self, run: Sequence[Prepared], rule: TopicRule) -> Sequence[Prepared]:
        """Return what was refused with whom it was for, as far as that can be told."""
        return [await self._named(one, rule) for one in run]

    async def _named(self, one: Prepared, rule: TopicRule) -> Prepared:
        with suppress(MediamillError):
            customer = whose(one.message, rule, self.validator.max_bytes)
            found = await self.customers.find(customer, rule)
            return replace(one, customer=customer, owner=found.user if found else "")
        return one

    async def owned(self, one: Prepared, rule: TopicRule) -> Prepared:
        """Return a file with its owner, who is made now at the latest; or why there can be none."""
        if not one.newcomer or one.file is None:
            return one
        try:
            owner = (await self.customers.principal(one.newcomer, rule)).user
        except MediamillError as error:
            if not final(error):
                raise
            return replace(one, error=error, newcomer="")
        digest = digest_key(owner, one.file.sha256)
        return replace(one, file=one.file.evolve(owner=owner, listed=owner, digest=digest))

    async def _together(self, messages: Sequence[Message], rule: TopicRule) -> dict[int, Prepared]:
        """Return verdicts, by offset, on those messages on which there are any at once."""
        told: dict[int, Prepared] = {}
        begun: list[tuple[Message, File, str, Arrival]] = []
        try:
            for message in messages:
                try:
                    if one := await self._begin(message, rule):
                        begun.append((message, *one))
                except MediamillError as error:
                    told |= _verdict(message, error)
            came = await self.validator.admit([arrival for *_, arrival in begun])
        except Exception as error:  # each is tried alone, where this is told if it is theirs
            log.warning("messages go alone", action="messages_apart", error=repr(error))
            return told
        for (message, file, newcomer, _), found in zip(begun, came, strict=True):
            if isinstance(found, MediamillError):
                told |= _verdict(message, found)
            else:
                ready = file.evolve(**known(file, found.digest, found.facts))
                told[message.offset] = Prepared(message, ready, newcomer=newcomer)
        return told

    async def _begin(self, message: Message, rule: TopicRule) -> tuple[File, str, Arrival] | None:
        """Read a message and make its row; None where its bytes are elsewhere."""
        wanted = open_envelope(message, rule, self.validator.max_bytes)
        if wanted.data is None:
            return None
        file, newcomer = await self._row(message, wanted, rule)
        arrival = Arrival(file.owner, file.blob, file.name, wanted.data, wanted.sha256)
        return file, newcomer, arrival

    async def _alone(self, message: Message, rule: TopicRule) -> Prepared:
        """Prepare a message, however often that has to be tried."""
        tries = 0
        while True:
            try:
                async with self._room:
                    return await self._file(message, rule)
            except MediamillError as error:
                if final(error) or (isinstance(error, FetchTrouble) and tries >= FETCH_TRIES):
                    return Prepared(message, error=error)
                log.warning(
                    "message later", action="message_later", **about(message), error=str(error)
                )
            except Exception as error:
                log.exception("message failed", action="message_failed", **about(message))
                if tries >= DEFECT_TRIES:
                    told = MediamillError(f"This could not be taken: {type(error).__name__}.")
                    return Prepared(message, error=told)
            tries += 1
            await asyncio.sleep(pause(tries))

    async def discard(self, prepared: Prepared) -> None:
        """Remove the bytes of a file that will have no row; the collector finds what stays."""
        if prepared.file is not None:
            with suppress(MediamillError):
                await self.validator.blobs.delete(prepared.file.blob)

    async def _file(self, message: Message, rule: TopicRule) -> Prepared:
        wanted = open_envelope(message, rule, self.validator.max_bytes)
        file, newcomer = await self._row(message, wanted, rule)
        digest = await self._bytes(file.owner, file.blob, wanted, rule)
        try:
            facts = await self.validator.look(file.blob, file.name, digest, wanted.sha256)
        except BaseException:
            await self.validator.blobs.delete(file.blob)
            raise
        return Prepared(message, file.evolve(**known(file, digest, facts)), newcomer=newcomer)

    async def _row(self, message: Message, wanted: Wanted, rule: TopicRule) -> tuple[File, str]:
        """Make the row, and name its customer where that is one who is yet to be made."""
        principal = await self.customers.find(wanted.customer, rule)
        label = Label(SOURCE, wanted.tags, wanted.sha256, {"stream": origin(message)})
        file = await self.rows.begun(principal or NEWCOMER, wanted.name, 0, label)
        return file, "" if principal else wanted.customer

    async def _bytes(self, owner: str, blob: str, wanted: Wanted, rule: TopicRule) -> Digest:
        if wanted.data is not None:
            return await self.validator.keep(owner, blob, wanted.data)
        try:
            chunks, size = await self.places.read(wanted.place, rule)
        except Unavailable as error:
            raise FetchTrouble(error.message) from error
        await self.validator.require_room(owner, size)
        told = _told_apart(chunks)
        return await self.validator.store(owner, blob, told, size)


def portions(messages: Iterable[Message]) -> Iterator[Sequence[Message]]:
    """Cut messages into batches that are prepared together."""
    waiting = deque(messages)
    while waiting:
        yield portion(waiting)


def portion(waiting: deque[Message]) -> Sequence[Message]:
    """Take the first messages off a queue, as many as are prepared together."""
    taken = [waiting.popleft()]
    size = taken[0].size
    while waiting and len(taken) < BATCH and (size := size + waiting[0].size) <= BATCH_BYTES:
        taken.append(waiting.popleft())
    return taken


def _verdict(message: Message, error: MediamillError) -> dict[int, Prepared]:
    """Return an error as the last word on a message, where it is."""
    return {message.offset: Prepared(message, error=error)} if final(error) else {}


class FetchTrouble(Unavailable):
    """The place that a message points to is away, which is waited for, but not for ever."""


async def _told_apart(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass bytes on; that their place is away is not that our own store is."""
    try:
        async for chunk in chunks:
            yield chunk
    except Unavailable as error:
        raise FetchTrouble(error.message) from error


def final(error: MediamillError) -> bool:
    """Tell whether an error is about the message, so that trying again is of no use.

    A customer without room is one too: others must not wait for that.
    """
    return isinstance(error, QuotaExceeded) or (error.status < 500 and not error.retryable)


def pause(tries: int) -> float:
    """Return how long to wait before another try, in seconds."""
    most: float = min(MOST_PAUSE, PAUSE_SECONDS * 2 ** min(tries, 10))
    return most * random.uniform(0.5, 1)  # noqa: S311 - to spread tries, no secret


def origin(message: Message) -> dict[str, Any]:
    """Say where a message stood."""
    part = message.part
    return {
        "cluster": part.cluster,
        "topic": part.topic,
        "topic_id": part.topic_id,
        "partition": part.number,
        "offset": message.offset,
        "written": message.time,
    }


def about(message: Message) -> Mapping[str, Any]:
    """Return what log lines say of a message."""
    part = message.part
    return {"topic": part.topic, "partition": part.number, "offset": message.offset}


def letter(part: Part, prepared: Prepared, topic: str, kept: Kept = Kept.ALL) -> Outgoing:
    """Make the dead letter of a message: what is kept of it, then what is said of it."""
    message, error = prepared.message, prepared.error or InvalidInput("")
    value, key, headers = message.value, message.key, message.headers
    said = {
        "mediamill-code": error.code,
        "mediamill-reason": error.message[:1000],
        "mediamill-cluster": part.cluster,
        "mediamill-topic": part.topic,
        "mediamill-topic-id": part.topic_id,
        "mediamill-partition": str(part.number),
        "mediamill-offset": str(message.offset),
        "mediamill-written": str(message.time),
    }
    if prepared.customer:
        said["mediamill-customer"] = prepared.customer
    if kept is not Kept.ALL:
        said["mediamill-omitted"] = str(len(value or b""))
        value = None
    if kept is Kept.NOTHING:
        key, headers = None, ()
    added = tuple((name, text.encode("utf-8", "replace")) for name, text in said.items())
    return Outgoing(topic, value, key, (*headers, *added))
