"""What was made of a file that has expired: in which jobs it is, and the units that take it out.

One unit a job (`handlers/expire_job.py`), for all files of it that are due together.
"""

from contextlib import suppress
from dataclasses import dataclass

from mediamill.core.clock import DAY, SECOND
from mediamill.core.errors import ConditionFailed, NotFound
from mediamill.core.ids import encode
from mediamill.store.port import Store
from mediamill.store.repositories.jobs import Jobs, Manifests
from mediamill.store.repositories.retention import Aging
from mediamill.store.repositories.units import Unit, Units

KIND = "expire_job"
GATHER_MS = 2 * SECOND
"""How long a job waits for more of its files to be due."""
LOOK_AGAIN_MS = 2 * SECOND


@dataclass
class Trimming:
    """Finds jobs and has them trimmed."""

    store: Store
    jobs: Jobs
    manifests: Manifests | None = None
    """None where no inputs are listed."""

    def __post_init__(self) -> None:
        self.aging, self.units = Aging(self.store), Units(self.store)

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
        while self.manifests is not None:
            page = await self.aging.cut_short(owner, since, after)
            for row in page.rows:
                if await self._lists(self.manifests, row.job, file):
                    found.append(row.job)
            if (after := page.after) is None:
                break
        return found

    async def _lists(self, manifests: Manifests, job: str, file: str) -> bool:
        page = 0
        with suppress(NotFound):  # behind the last page
            while True:
                entries = await manifests.entries(job, 0, page)
                if any(entry.file == file for entry in entries):
                    return True
                page += 1
        return False
