"""Make files of messages: their bytes at once and beside each other, their rows together in order.

What a file was made of is in its lineage. What cannot be taken is a dead letter: the message as it
was, with the reason and where it stood.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.stream.port import Message, Outgoing, Part
from mediamill.blobs.port import Digest
from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput, MediamillError, QuotaExceeded, Unavailable
from mediamill.services.stream.customers import Customers
from mediamill.services.stream.envelopes import Wanted, open_envelope
from mediamill.services.stream.fetching import Places
from mediamill.services.stream.rules import TopicRule
from mediamill.services.uploads.recording import FileRows, Label, known
from mediamill.services.uploads.validating import Validator
from mediamill.store.repositories.files import File

log = structlog.get_logger(__name__)

AT_ONCE = 16
"""Messages that are written and looked at at a time, of all partitions."""
DEFECT_TRIES, FETCH_TRIES = 5, 8
"""Tries after which a message is a dead letter that is not refused but fails all the same."""
PAUSE_SECONDS, MOST_PAUSE = 0.2, 20.0


@dataclass(frozen=True)
class Prepared:
    """A message of which a file can be made, or why none can."""

    message: Message
    file: File | None = None
    error: MediamillError | None = None


@dataclass
class Filing:
    """What it takes to make a file."""

    rows: FileRows
    validator: Validator
    customers: Customers
    places: Places

    def __post_init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)

    async def prepare(self, message: Message, rule: TopicRule) -> Prepared:
        """Write and look at what a message brings; a file's row is not written yet.

        Comes back only with a verdict: what is away is waited for.
        """
        tries = 0
        while True:
            try:
                async with self._room:
                    return Prepared(message, await self._file(message, rule))
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

    async def _file(self, message: Message, rule: TopicRule) -> File:
        wanted = open_envelope(message, rule, self.validator.max_bytes)
        principal = await self.customers.principal(wanted.customer, rule)
        label = Label("stream", wanted.tags, wanted.sha256, {"stream": origin(message)})
        file = await self.rows.begun(principal, wanted.name, 0, label)
        digest = await self._bytes(principal, file.blob, wanted, rule)
        try:
            facts = await self.validator.look(file.blob, file.name, digest, wanted.sha256)
        except BaseException:
            await self.validator.blobs.delete(file.blob)
            raise
        return file.evolve(**known(file, digest, facts))

    async def _bytes(
        self, principal: Principal, blob: str, wanted: Wanted, rule: TopicRule
    ) -> Digest:
        if wanted.data is not None:
            return await self.validator.keep(principal.user, blob, wanted.data)
        try:
            chunks, size = await self.places.read(wanted.place, rule)
        except Unavailable as error:
            raise FetchTrouble(error.message) from error
        await self.validator.require_room(principal.user, size)
        told = _told_apart(chunks)
        return await self.validator.store(principal.user, blob, told, size)


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


def letter(part: Part, prepared: Prepared, topic: str, *, whole: bool = True) -> Outgoing:
    """Make the dead letter of a message: as it was, then what is said of it.

    Not `whole` it is without its value, where the topic takes none of that size.
    """
    message, error = prepared.message, prepared.error or InvalidInput("")
    value = message.value
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
    if not whole:
        said["mediamill-omitted"] = str(len(value or b""))
    added = tuple((name, text.encode("utf-8", "replace")) for name, text in said.items())
    return Outgoing(topic, value if whole else None, message.key, (*message.headers, *added))
