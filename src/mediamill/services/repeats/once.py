"""Requests that may be sent again: done once, and the same answer each time.

A key belongs to a user for a day. Its row is written before the work begins, with the numbers of
the ids that the work will use (`core/ids.py`), so an attempt that was cut off is found again: by
the attempt after it, which gets other ids or meets its own job. While somebody is at it, others
are told to come back; whoever that was is gone when their lease is over, or at once when they were
a process of this machine that no longer runs, or this one and it has let go: the store may be away
just when an attempt ends.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed, Conflict, InProgress, KeyReused, MediamillError
from mediamill.core.ids import Reservation, new_value, reserving
from mediamill.core.machine import this_machine
from mediamill.store.repositories.idempotency import (
    KeyedRequest,
    KeyedRequests,
    KeyState,
    blobs_of,
    remove_blobs,
)
from mediamill.store.repositories.jobs import INLINE_BYTES

log = structlog.get_logger(__name__)

KEPT_MS = DAY
LEASE_MS = 30_000
BUSY = "A request with this Idempotency-Key is being worked on: ask again in a moment."
REUSED = "This Idempotency-Key was used for another request in the last day: choose a new one."
SHOWN = (
    "A request with this Idempotency-Key was answered already, with a secret that is shown once "
    "only. Revoke what it made if the secret is lost, and use a new key."
)


@dataclass(frozen=True)
class Answer:
    """What a request was answered; `digests` are the SHA-256 of the files that its body brought."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    digests: tuple[str, ...] | None = None
    secret: bool = False
    """Never to be stored."""


def this_process() -> str:
    """Name this process, so that others of the machine can tell whether it still runs."""
    return f"{this_machine()}/{os.getpid()}/{_started(os.getpid())}"


def _started(process: int) -> str:
    """Return when a process began, in the kernel's ticks; empty when there is none."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def ended(holder: str) -> bool:
    """Tell whether a holder was a process of this machine that does not run any more."""
    machine, process, start, *_ = (*holder.split("/"), "", "")
    here = machine == this_machine() and process.isdigit()
    return here and _started(int(process)) != start


@dataclass
class Once:
    """Keeps what was answered under each key."""

    keys: KeyedRequests
    blobs: Blobs
    holder: str = field(default_factory=lambda: f"{this_process()}/{new_value()}")
    lease_ms: int = LEASE_MS
    _in_hand: set[tuple[str, str, str, int]] = field(default_factory=set)
    """The attempts that this process is at."""

    async def begin(
        self, owner: str, name: str, fingerprint: str, *, secret: bool = False
    ) -> KeyedRequest | Answer:
        """Return the answer that was given, or the row of a new attempt, for `let_go` at its end.

        Raises `KeyReused` for another request, `InProgress` while somebody is at it, and
        `Conflict` when the answer was, or may have been, a `secret`.
        """
        now = await self.keys.store.now()
        row = await self.keys.get(owner, name)
        if row is None or row.expires <= now:
            if row is not None:  # its blobs are found by the row that is replaced
                await remove_blobs(self.blobs, row)
            fresh = self._first(owner, name, fingerprint, now)
            return await self._reserve(fresh, row)
        if row.fingerprint != fingerprint:
            raise KeyReused(REUSED)
        if row.state is KeyState.DONE:
            return await self._given(row, secret=secret)
        if row.until > now and not self._left(row):
            raise InProgress(BUSY)
        if secret:
            raise Conflict(SHOWN)
        log.info("request taken over", action="request_taken_over", attempt=row.attempt + 1)
        mine = {"holder": self.holder, "until": now + self.lease_ms}
        return await self._reserve(row.evolve(attempt=row.attempt + 1, **mine), row)

    @asynccontextmanager
    async def attempt(self, row: KeyedRequest) -> AsyncIterator[None]:
        """Use the row's ids within the block, and keep others away meanwhile."""
        keeping = asyncio.create_task(self._keep(row))
        try:
            with reserving(Reservation(int(row.first), row.attempt)):
                yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def complete(self, row: KeyedRequest, answer: Answer) -> None:
        """Keep the answer; a secret one's body is not."""
        body = b"" if answer.secret else answer.body
        blob = None
        if len(body) > INLINE_BYTES:
            blob, body = f"{blobs_of(row)}{row.attempt}", b""
            await self.blobs.put(blob, answer.body)
        with suppress(ConditionFailed):  # somebody took it over meanwhile: their answer stays
            await self.keys.change(
                row,
                state=KeyState.DONE,
                status=answer.status,
                headers=dict(answer.headers),
                body=body or None,
                blob=blob,
                digests=answer.digests,
            )

    async def abandon(self, row: KeyedRequest, *, refused: bool) -> None:
        """End an attempt without an answer.

        A refused request made nothing and frees its key; any other may have, so the next attempt
        goes on with its ids.
        """
        with suppress(MediamillError):
            if refused:
                await self.keys.forget(row)
            else:
                await self.keys.change(row, until=0)

    def let_go(self, row: KeyedRequest) -> None:
        """Note that nobody here is at an attempt any more, however it ended."""
        self._in_hand.discard(_attempt_of(row))

    def _left(self, row: KeyedRequest) -> bool:
        """Tell whether nobody is at an attempt though its lease is not over."""
        here = row.holder == self.holder
        return _attempt_of(row) not in self._in_hand if here else ended(row.holder)

    def _first(self, owner: str, name: str, fingerprint: str, now: int) -> KeyedRequest:
        return KeyedRequest(
            owner=owner,
            name=name,
            fingerprint=fingerprint,
            first=str(new_value()),
            holder=self.holder,
            until=now + self.lease_ms,
            created=now,
            expires=now + KEPT_MS,
        )

    async def _reserve(self, row: KeyedRequest, before: KeyedRequest | None) -> KeyedRequest:
        self._in_hand.add(_attempt_of(row))
        try:
            await self.keys.reserve(row, before)
        except BaseException as error:
            self.let_go(row)
            if isinstance(error, ConditionFailed):
                raise InProgress(BUSY) from None
            raise
        return row

    async def _given(self, row: KeyedRequest, *, secret: bool) -> Answer:
        if secret:
            raise Conflict(SHOWN)
        body = row.body or b"" if row.blob is None else await self.blobs.get(row.blob)
        return Answer(row.status, row.headers, body, row.digests)

    async def _keep(self, row: KeyedRequest) -> None:
        """Extend the lease until cancelled; what cannot be extended runs out."""
        while True:
            await asyncio.sleep(self.lease_ms / 3000)
            with suppress(MediamillError):
                until = await self.keys.store.now() + self.lease_ms
                await self.keys.change(row, until=until)


def _attempt_of(row: KeyedRequest) -> tuple[str, str, str, int]:
    return row.owner, row.name, row.first, row.attempt
