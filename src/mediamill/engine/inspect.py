"""Look at a stored blob in a slot: its type by content, its size in pixels, its duration."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from mediamill.blobs.port import Blobs, OpensLocally
from mediamill.core.errors import BrokenMedia, MediamillError, SlotFailure
from mediamill.core.tracing import span
from mediamill.engine.inputs import opened, written
from mediamill.engine.slots import CallItem, SlotPool
from mediamill.media.facts import Facts

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Viewed:
    """A blob whose bytes are here still."""

    blob: str
    name: str
    data: bytes


class Inspector:
    """Runs `media.probe` where hostile bytes can do no harm."""

    def __init__(self, slots: SlotPool, scratch: Path) -> None:
        self.slots, self.scratch = slots, scratch

    async def look(self, blobs: Blobs, blob: str, name: str, size: int) -> Facts:
        """Return what a blob is; raises what `media.probe.probe` raises.

        A file that ends its slot twice is `BrokenMedia`; once may be the slot's own end.
        """
        try:
            return await self._look(blobs, blob, name, size)
        except SlotFailure as failure:
            log.warning("a look ended its slot", action="probe_crashed", exc_info=failure)
        try:
            return await self._look(blobs, blob, name, size)
        except SlotFailure as failure:
            raise BrokenMedia(f"{name} cannot be opened: {failure.message}") from failure

    async def look_all(
        self, blobs: Blobs, viewed: Sequence[Viewed]
    ) -> Sequence[Facts | MediamillError]:
        """Return what each blob is, or what `look` would raise, from one call of a slot.

        From where one ends the slot, the rest are looked at one by one.
        """
        found: dict[int, Facts | MediamillError] = {}
        try:
            async with self._opened(blobs, viewed) as items, self.slots.acquire() as slot:
                async for index, fact in slot.probe_all(items):
                    if not isinstance(fact, SlotFailure):
                        found[index] = _public(fact) if isinstance(fact, Exception) else fact
        except SlotFailure as failure:
            log.warning("a look ended its slot", action="probe_crashed", exc_info=failure)
        return [
            found[index] if index in found else await self._alone(blobs, one)
            for index, one in enumerate(viewed)
        ]

    async def _alone(self, blobs: Blobs, one: Viewed) -> Facts | MediamillError:
        try:
            return await self.look(blobs, one.blob, one.name, len(one.data))
        except MediamillError as error:
            return error

    async def _look(self, blobs: Blobs, blob: str, name: str, size: int) -> Facts:
        async with opened(blobs, blob, self.scratch) as descriptor, self.slots.acquire() as slot:
            try:
                with span("inspect", size=size):
                    return await slot.probe(descriptor, name, size)
            except MediamillError as error:
                raise _public(error) from None

    @asynccontextmanager
    async def _opened(
        self, blobs: Blobs, viewed: Sequence[Viewed]
    ) -> AsyncIterator[tuple[CallItem, ...]]:
        """Open blobs for the length of the block; those that are not files here from their bytes.

        Raises `NotFound` for one that is gone.
        """
        if isinstance(blobs, OpensLocally):
            descriptors = await blobs.open_descriptors([one.blob for one in viewed])
        else:
            data = [one.data for one in viewed]
            descriptors = await asyncio.to_thread(written, self.scratch, data)
        with ExitStack() as stack:
            for descriptor in descriptors:
                if descriptor is not None:
                    stack.callback(os.close, descriptor)
            yield tuple(
                CallItem(index, descriptor, one.name, size=len(one.data))
                for index, (one, descriptor) in enumerate(zip(viewed, descriptors, strict=True))
                if descriptor is not None
            )


def _public(error: MediamillError) -> MediamillError:
    """Return an error as it may be told; what nobody foresaw is for the log."""
    if error.code != MediamillError.code:
        return error
    log.error("a look failed", action="probe_failed", **error.details)
    return MediamillError("The file could not be looked at; the log has it.")
