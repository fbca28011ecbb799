"""What was made of a file that has expired: in which jobs it is, and the units that take it out.

One unit a job (`handlers/removing/expire_job.py`), for all files of it that are due together.
"""

import asyncio
from array import array
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass

from mediamill.core.clock import DAY, SECOND
from mediamill.core.errors import ConditionFailed, NotFound
from mediamill.core.ids import encode
from mediamill.store.port import Store
from mediamill.store.repositories.jobs import Job, Jobs, Manifests
from mediamill.store.repositories.retention import Aging
from mediamill.store.repositories.units import Unit, Units

KIND = "expire_job"
GATHER_MS = 2 * SECOND
"""How long a job waits for more of its files to be due."""
LOOK_AGAIN_MS = 2 * SECOND
MOST_IDS = 8_000_000
"""Ids of inputs that are kept in mind, of eight bytes each."""


@dataclass
class Trimming:
    """Finds jobs and has them trimmed."""

    store: Store
    jobs: Jobs
    manifests: Manifests | None = None
    """None where no inputs are listed."""

    def __post_init__(self) -> None:
        self.aging, self.units = Aging(self.store), Units(self.store)
        self.listed = None if self.manifests is None else Listed(self.manifests)

    async def wanted(self, owner: str, file: str, created: int) -> bool:
        """Have all jobs trimmed that hold something of a file; False when none is left."""
        found = dict.fromkeys(await self.aging.jobs(file))
        found |= dict.fromkeys(await self._cut_short(owner, file, created))
        for job in found:
            await self._begin(job)
        return bool(found)

    async def _begin(self, job_id: str) -> None:
        group = f"{KIND}:{job_id}"
        job = await self.jobs.get(job_id)
        if job is None or await self.units.get(group, 0) is not None:
            return
        now = await self.store.now()
        unit = Unit.chore(
            KIND, group, 0, job.owner, cost=0.5, now=now, due=now + GATHER_MS, trim=job_id
        )
        with suppress(ConditionFailed):  # another file's purge was first
            await self.units.insert([unit])

    async def _cut_short(self, owner: str, file: str, created: int) -> list[str]:
        """List the jobs whose manifests name a file of which they may have no outcome."""
        found, after = list[str](), None
        since = f"job_{encode(max(0, created - DAY) << 80)}"  # by some machine's clock
        while self.listed is not None:
            page = await self.aging.cut_short(owner, since, after)
            for job in await self.store.get_many(Job, [(row.job,) for row in page.rows]):
                if job is not None and await self.listed.names(job, file):
                    found.append(job.id)
            if (after := page.after) is None:
                break
        return found


@dataclass
class Listed:
    """What the lists of inputs of ended jobs name: read once for all files that expire.

    Kept is a hash of each id, for as long as a job's revision stays: retries and trims change it.
    """

    manifests: Manifests

    def __post_init__(self) -> None:
        self._kept: dict[str, tuple[int, array[int]]] = {}
        self._reading = asyncio.Lock()

    async def names(self, job: Job, file: str) -> bool:
        """Tell whether a job lists a file as its input."""
        async with self._reading:
            kept = self._kept.pop(job.id, None)
            if kept is None or kept[0] != job.revision:
                kept = job.revision, await self._read(job)
            self._kept[job.id] = kept  # as the last that was asked for
            while (
                len(self._kept) > 1 and sum(len(ids) for _, ids in self._kept.values()) > MOST_IDS
            ):
                del self._kept[next(iter(self._kept))]
        place = bisect_left(kept[1], hash(file))
        return place < len(kept[1]) and kept[1][place] == hash(file)

    async def _read(self, job: Job) -> "array[int]":
        """Read all pages of the first stage; return the hashes in order.

        That of a replay is not the first of its steps.
        """
        found, stage = set[int](), -1
        while not found and (stage := stage + 1) <= job.stage:
            page = 0
            with suppress(NotFound):  # behind the last page
                while True:
                    entries = await self.manifests.entries(job.id, stage, page)
                    found |= {hash(entry.file) for entry in entries if entry.file}
                    page += 1
        return array("q", sorted(found))
