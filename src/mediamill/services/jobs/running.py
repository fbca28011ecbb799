"""What administrators see of everybody's work: how much waits, and what failed lately.

They run the service and see nobody's media: a job is told by ids, operations, error codes and
counts, without names, inputs, parameters or messages.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.services.jobs.backlog import Work
from mediamill.services.roles import require_admin
from mediamill.store.port import Page
from mediamill.store.repositories.backlog import Backlog
from mediamill.store.repositories.jobs import Job, Jobs
from mediamill.store.repositories.results import ItemOutcome, Results

LOOKED_AT = 20
"""Failed items of a job whose codes are looked at."""


@dataclass(frozen=True)
class Failure:
    """A job that has ended, not all of which succeeded."""

    job: Job
    codes: Mapping[str, int]
    """Error codes of the first `LOOKED_AT` failed items and how often each, the commonest first."""


@dataclass(frozen=True)
class Running:
    """Reads only; every method raises `Forbidden` for others."""

    work: Work
    jobs: Jobs
    results: Results

    async def queue(self, principal: Principal) -> Sequence[Backlog]:
        """Return the backlog of every class, which may be some seconds old."""
        require_admin(principal)
        return await self.work.look()

    async def failures(self, principal: Principal, after: str | None, limit: int) -> Page[Failure]:
        """List everybody's jobs that failed or failed in part, the latest end first.

        Deleted ones are left out, so that a page may hold fewer and still be followed by more.
        """
        require_admin(principal)
        page = await self.jobs.last_failing(after, limit)
        rows = [await self._failure(job) for job in page.rows if not job.hidden]
        return Page(tuple(rows), page.after)

    async def _failure(self, job: Job) -> Failure:
        stages = (0, job.stage)
        failed = ItemOutcome.FAILED
        page = await self.results.with_outcome(job.id, failed, limit=LOOKED_AT, stages=stages)
        codes = Counter(result.code for result in page.rows)
        return Failure(job, dict(codes.most_common()))
