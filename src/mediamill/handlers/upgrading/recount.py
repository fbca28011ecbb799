"""`recount`: make what is counted of each owner what the rows say, two days after an upgrade.

A file or a job that an earlier version removed was never counted out. Rows are summed while others
write; the sum is written where the owner's `Usage` has not changed since before, and tried again
later for the others.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from mediamill.core.clock import DAY, HOUR, MINUTE
from mediamill.core.errors import ConditionFailed
from mediamill.core.retention import SOURCES
from mediamill.engine.lease import Lease
from mediamill.store.port import Equals, Store, Update, unsettled
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.usage import Usage
from mediamill.store.repositories.users import Role, User

KIND = "recount"
DELAY = 2 * DAY
"""After what is done twice for an upgrade (ms)."""
TRIES = 24
"""One an hour, for owners who upload and run all the time."""
PAGE = 100

log = structlog.get_logger(__name__)


@dataclass
class Recount:
    """Sums files and open jobs by owner."""

    store: Store

    async def run(self, lease: Lease) -> None:
        tried = int(lease.unit.payload.get("tried", 0)) + 1
        busy = await self.mend()
        if busy and tried < TRIES:
            await lease.release(HOUR, payload={"tried": tried})
            return
        if busy:
            log.warning("usage not recounted", action="recount_left_out", owners=busy)
        await lease.finish()

    async def mend(self) -> int:
        """Write what the rows of each owner say; return of how many owners it changed meanwhile."""
        before = {row.owner: row async for row in self._usages()}
        await asyncio.sleep(await unsettled(self.store, await self.store.now()) / 1000)
        files, busy = await self._files(), 0
        for owner, was in before.items():
            counts = {"files": files[owner], "jobs": await self._jobs(owner)}
            if all(getattr(was, name) == count for name, count in counts.items()):
                continue
            same = (Equals("turn", was.turn),)
            mended = Update(Usage, (owner,), set=counts, add={"turn": 1}, when=same)
            try:
                await self.store.transact(mended)
            except ConditionFailed:
                busy += 1
                continue
            log.info("usage recounted", action="usage_recounted", owner=owner,
                     files=counts["files"] - was.files, jobs=counts["jobs"] - was.jobs)  # fmt: skip
        return busy

    async def _usages(self) -> AsyncIterator[Usage]:
        """Read what is counted of each user."""
        for role in Role:
            after: str | None = None
            while True:
                index = User.index("user_role")
                page = await self.store.query(User, index, role, after=after, limit=PAGE)
                for found in await self.store.get_many(Usage, [(user.id,) for user in page.rows]):
                    if found is not None:
                        yield found
                if (after := page.after) is None:
                    break

    async def _files(self) -> Counter[str]:
        """Sum the files that say that they count, by owner."""
        found, index = Counter[str](), File.index("file_aging")
        for source in SOURCES:
            after: str | None = None
            while True:
                page = await self.store.query(File, index, source, after=after, limit=PAGE)
                found.update(file.owner for file in page.rows if file.metered)
                if (after := page.after) is None:
                    break
        return found

    async def _jobs(self, owner: str) -> int:
        """Sum an owner's open jobs that say that they count."""
        found, index, after = 0, Job.index("job_active"), None
        while True:
            page = await self.store.query(Job, index, owner, after=after, limit=PAGE)
            found += sum(job.counted for job in page.rows)
            if (after := page.after) is None:
                return found

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Begin again later."""
        await lease.release(MINUTE, str(error))
