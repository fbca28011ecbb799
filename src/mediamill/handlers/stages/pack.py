"""`pack`: write a job's download as one object, for whoever cannot be sent it as it is made.

It lies beside the layout that it is made of and has no row of its own: what removes layouts removes
it. Who removes them writes into the job's row first, and who packs reads that row last, so that one
of the two sees the object. A day later it goes, and is made anew if somebody asks again. Until then
the unit stays, so that it is made once.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.clock import DAY, MINUTE
from mediamill.engine.lease import Lease
from mediamill.media.archive import layout
from mediamill.store.repositories.jobs import Job, Jobs
from mediamill.store.repositories.units import Unit

log = structlog.get_logger(__name__)

KLASS = "transfer"
KEPT_MS = DAY
LATER_MS = MINUTE
BYTES_PER_SECOND = 50 << 20
"""A guess at how fast members are read and written."""


def packed(key: str) -> str:
    """Return where the object of a layout lies."""
    return f"{key.removesuffix('-layout')}-zip"


def pack_group(key: str) -> str:
    """Return the group of the one unit that packs a layout."""
    return f"pack:{key}"


def pack_unit(job: Job, now: int) -> Unit:
    """Make the unit that packs a job's download."""
    cost = 0.2 + job.download_size / BYTES_PER_SECOND
    payload = {"job": job.id, "layout": job.layout}
    unit = Unit(
        group=pack_group(job.layout or ""), seq=0, kind="pack", owner=job.owner, klass=KLASS,
        cost=cost, payload=payload, created=now,
    )  # fmt: skip
    return unit.opened(now)


async def lines(blobs: Blobs, key: str) -> AsyncIterator[layout.Member]:
    """Go through a layout without holding it."""
    rest = b""
    async for chunk in blobs.read(key):
        *found, rest = (rest + chunk).split(b"\n")
        for line in found:
            yield layout.parse(line)


@dataclass
class Pack:
    """Makes the object, and removes it a day later."""

    jobs: Jobs
    blobs: Blobs

    async def run(self, lease: Lease) -> None:
        payload, now = lease.unit.payload, await self.jobs.store.now()
        key, until = packed(payload["layout"]), int(payload.get("until", now + KEPT_MS))
        job = await self._wanted(payload) if until > now else None
        if job is not None and "until" not in payload:
            await self._write(job, payload["layout"], key)
            job = await self._wanted(payload)  # it may have been purged, or trimmed, meanwhile
        if job is None:
            await self.blobs.delete(key)
            await lease.vanish()
            return
        if "until" not in payload:
            await lease.write(payload={**payload, "until": until})
            log.info("download packed", action="download_packed", size=job.download_size,
                     **job.log_context())  # fmt: skip
        await lease.release(until - now)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again in a minute: who wants it waits."""
        await lease.release(LATER_MS, str(error))

    async def _wanted(self, payload: dict[str, Any]) -> Job | None:
        """Return the job if the layout is still the one of its download."""
        job = await self.jobs.get(payload["job"])
        return None if job is None or job.purged or job.layout != payload["layout"] else job

    async def _write(self, job: Job, source: str, key: str) -> None:
        members = layout.stream(
            lambda: lines(self.blobs, source), self.blobs.read, 0, job.download_size
        )
        async with self.blobs.upload(key) as upload:
            async for chunk in members:
                await upload.write(chunk)
            await upload.commit()
