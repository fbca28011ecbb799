"""JPEGs that lie turned, as phones write them, upright: what a version holds of them.

Their annotations are of the upright picture, and many who read an export do not turn it. So they
are made upright once, when the version lists its images, under `{version}/upright/{sha256}`, and
get their key as others do; what is here goes when all have theirs.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.errors import NotFound, SlotFailure, TimedOut
from mediamill.engine.cutting import bytes_of, digest_of
from mediamill.engine.inputs import call_item, opened, written
from mediamill.engine.slots import Call, Failed, SlotPool, Succeeded
from mediamill.handlers.datasets.owning import Given
from mediamill.media.privacy.orientation import of_head
from mediamill.media.privacy.parts import Part, length
from mediamill.store.repositories.files import File

log = structlog.get_logger(__name__)

JPEG = "image/jpeg"
HEAD = 1 << 16
"""Bytes of a file that are looked at: EXIF is the first of its segments."""
AT_ONCE = 8


@dataclass
class Turning:
    """Turns pictures for a version. `attempts` is how often that was tried before."""

    blobs: Blobs
    slots: SlotPool
    scratch: Path

    async def all(self, root: str, some: Sequence[Given], attempts: int) -> list[Given]:
        """Return what is given of some files, those that lie turned upright.

        One that cannot be turned is as it lies. Raises `SlotFailure` for one that ended its slot,
        at the first attempt, and `NotFound` where its bytes may only not be seen yet.
        """
        room = asyncio.Semaphore(AT_ONCE)

        async def look(given: Given) -> bool:
            async with room:
                return await self._turned(given)

        turned = await asyncio.gather(*map(look, some))
        return [
            await self._upright(root, given, attempts) if lies else given
            for given, lies in zip(some, turned, strict=True)
        ]

    async def done(self, root: str) -> None:
        """Remove what was made for a version, whose images have keys of their own."""
        async for blob in self.blobs.list(f"{root}/upright/"):
            await self.blobs.delete(blob.key)

    async def _turned(self, given: Given) -> bool:
        """Tell whether a file may lie turned; results of jobs never do."""
        file, parts = given.file, _parts(given)
        if file.media_type != JPEG or file.source == "result":
            return False
        head = b""
        try:
            most = min(HEAD, sum(map(length, parts)))
            async for chunk in bytes_of(self.blobs, file.blob, parts, 0, most):
                head += chunk
        except NotFound:  # who gives it its key finds out
            return False
        return of_head(head) > 1

    async def _upright(self, root: str, given: Given, attempts: int) -> Given:
        file, key = given.file, f"{root}/upright/{given.file.sha256}"
        try:
            size = (await self.blobs.info(key)).size
        except NotFound:
            return await self._made(given, key, attempts)
        made = await digest_of(self.blobs, key, ((0, size),))
        return _given(file, key, made.size, made.sha256, made.crc32)

    async def _made(self, given: Given, key: str, attempts: int) -> Given:
        try:
            return await self._call(given, key)
        except SlotFailure as failure:
            if not attempts and not isinstance(failure, TimedOut):
                raise
            return given

    async def _call(self, given: Given, key: str) -> Given:
        """Turn one in a slot."""
        file = given.file
        descriptor = await self._opened(given)
        try:
            async with self.slots.acquire() as slot:
                call = Call(items=(call_item(0, file, descriptor),), kind="upright")
                async for event in slot.run(call):
                    if isinstance(event, Succeeded) and event.outcome.files:
                        (one,) = event.outcome.files
                        await self.blobs.adopt(key, one.path)
                        return _given(file, key, one.size, one.sha256, one.crc32)
                    if isinstance(event, Failed):
                        log.info(
                            "not turned upright", action="turning_failed", code=event.code,
                            reason=event.message, **file.log_context(),
                        )  # fmt: skip
        finally:
            os.close(descriptor)
        return given

    async def _opened(self, given: Given) -> int:
        """Return a descriptor of what is given, to be closed."""
        if not given.parts:
            async with opened(self.blobs, given.file.blob, self.scratch) as descriptor:
                return os.dup(descriptor)
        chunks = [chunk async for chunk in bytes_of(self.blobs, given.file.blob, given.parts)]
        (descriptor,) = await asyncio.to_thread(written, self.scratch, [b"".join(chunks)])
        return descriptor


def _parts(given: Given) -> Sequence[Part]:
    return given.parts or ((0, given.file.size),)


def _given(file: File, key: str, size: int, sha256: str, crc32: int) -> Given:
    lineage = {**file.lineage, "turned_upright": True}
    made = file.evolve(size=size, sha256=sha256, crc32=crc32, lineage=lineage)
    return Given(made, upright=key)
