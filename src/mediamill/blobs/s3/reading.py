"""Reading an object: resumed where it broke off, and compared with its checksum at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

from mediamill.blobs.keys import check_range
from mediamill.blobs.port import CHUNK
from mediamill.blobs.s3.answers import BEYOND, COLD, TAKEN, Refused, Spoilt, told
from mediamill.blobs.s3.bucket import Bucket
from mediamill.blobs.s3.checksums import Recorded
from mediamill.blobs.s3.cold import restoring
from mediamill.core.errors import BrokenMedia, Restoring, Unavailable

RESUMED = 8
"""How often one reader goes on after a break without getting further."""
PAUSE_SECONDS = 0.05
"""How long it waits the first time; then twice as long."""
JUDGED = 3
"""How often what came badly is read again before the object itself is called bad."""


async def read(
    bucket: Bucket, key: str, start: int = 0, stop: int | None = None
) -> AsyncIterator[bytes]:
    """Stream a range in chunks; the last is handed out once the whole is what was recorded."""
    check_range(start, stop)
    reading, held = Reading(bucket, key, start, stop), b""
    async for chunk in reading.chunks():
        if held:
            yield held
        held = chunk
    if not reading.whole:
        raise await _judged(bucket, key)
    if held:
        yield held


async def _judged(bucket: Bucket, key: str) -> Unavailable | BrokenMedia:
    """Read an object that did not match again, and again: it came badly, or it is bad."""
    for _ in range(JUDGED):
        again = Reading(bucket, key, 0, None)
        async for _chunk in again.chunks():
            pass
        if again.whole:
            return Spoilt(f"“{key}” was changed on its way from the bucket; try again.")
    return BrokenMedia(f"“{key}” is not what was written: its checksum differs.")


class Reading:
    """One reader of one version of an object."""

    def __init__(self, bucket: Bucket, key: str, start: int, stop: int | None) -> None:
        self.bucket, self.key = bucket, key
        self._at, self._stop = start, stop
        self._ranged = start > 0
        """Otherwise the whole is asked for, which comes with its checksum."""
        self._etag = ""
        self._record: Recorded | None = None

    @property
    def whole(self) -> bool:
        """Whether what was read has the checksum of the object, as far as that is known."""
        return self._record is None or self._record.matches()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what is left of the range, going on after a break."""
        breaks = 0
        if self._stop is not None and self._at >= self._stop:
            await self.bucket.info(self.key)
            return
        while True:
            before = self._at
            try:
                async for chunk in self._once():
                    self._at += len(chunk)
                    if self._record is not None:
                        self._record.update(chunk)
                    yield chunk
                return
            except Restoring:
                raise
            except Unavailable:
                breaks = 1 if self._at > before else breaks + 1
                if breaks > RESUMED:
                    raise
                await asyncio.sleep(PAUSE_SECONDS * 2**breaks)

    async def _once(self) -> AsyncIterator[bytes]:
        """Yield what one answer gives; raises `Unavailable` when it breaks off."""
        answer = await self._answered()
        if answer is None:
            return
        size = _size(answer)
        if not self._etag and not self._ranged:
            self._record = Recorded(answer, size)
        self._etag = answer.get("ETag", "")
        end = size if self._stop is None else min(size, self._stop)
        async for chunk in _chunks(self.key, answer["Body"]):
            yield chunk
        if self._at < end:
            raise Unavailable(f"“{self.key}” broke off at byte {self._at} of {end}.")

    async def _answered(self) -> dict[str, Any] | None:
        """Ask for what is left; None when nothing is."""
        answer = await self._asked()
        beyond = answer is not None and self._stop is not None and _size(answer) > self._stop
        if answer is None or self._ranged or self._at or not beyond:
            return answer
        answer["Body"].close()
        self._ranged = True
        return await self._asked()

    async def _asked(self) -> dict[str, Any] | None:
        asked: dict[str, Any] = {"IfMatch": self._etag} if self._etag else {}
        if self._ranged or self._at:
            last = "" if self._stop is None else self._stop - 1
            asked["Range"] = f"bytes={self._at}-{last}"
        try:
            return await self.bucket.ask("get_object", self.key, **asked)
        except Refused as refused:
            if refused.reason in BEYOND:
                await self.bucket.info(self.key)
                return None
            if refused.reason in COLD:
                raise await restoring(self.bucket, self.key) from None
            if refused.reason in TAKEN:
                raise BrokenMedia(f"“{self.key}” was replaced while it was read.") from None
            raise


def _size(answer: dict[str, Any]) -> int:
    """Return the size of the whole object."""
    total = str(answer.get("ContentRange", "")).rpartition("/")[2]
    return int(total) if total.isdecimal() else int(answer["ContentLength"])


async def _chunks(key: str, body: Any) -> AsyncIterator[bytes]:
    """Yield the bytes of an answer in chunks that are full but for the last."""
    held = bytearray()
    with closing(body):
        while True:
            with told(key):
                data = await body.read(CHUNK - len(held))
            held += data
            if held and (not data or len(held) == CHUNK):
                yield bytes(held)
                held.clear()
            if not data:
                return
