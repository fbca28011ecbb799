"""`gather`: list the inputs of a job that names a project, an archive, a manifest or a result.

The walk writes manifest pages of a thousand entries. Each is written in the transaction that moves
the checkpoint (`pages` so far, and `at`, the walk's place behind the last of them), so whoever goes
on after a kill writes the same list. The job goes on to be expanded in one transaction.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

import msgspec
import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.errors import (
    ConditionFailed,
    InvalidInput,
    LimitExceeded,
    MediamillError,
    QuotaExceeded,
)
from mediamill.engine.expand import weight
from mediamill.engine.gathering import MAX_INPUTS, Found, Sources, Wish
from mediamill.engine.gathering.again import SOURCE as REPLAY
from mediamill.engine.gathering.ahead import ahead
from mediamill.engine.lease import Lease
from mediamill.engine.reuse import identity
from mediamill.engine.stages import pass_unit, references_of, split
from mediamill.operations.base import Operation
from mediamill.operations.catalogue import Catalogue
from mediamill.store.port import Absent, Action, Equals, Put, Update
from mediamill.store.repositories.jobs import (
    PAGE_ENTRIES,
    Entry,
    Job,
    Jobs,
    JobState,
    Manifests,
    Weight,
)
from mediamill.store.repositories.spending import month_of
from mediamill.store.repositories.units import lane_of
from mediamill.store.repositories.usage import Usages

log = structlog.get_logger(__name__)


@dataclass
class Gather:
    """Walks a source once; a job without inputs ends as failed."""

    jobs: Jobs
    manifests: Manifests
    sources: Sources
    bell: Doorbell
    catalogue: Catalogue
    usages: Usages
    most: int = MAX_INPUTS

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        if job.cancelling:
            await lease.finish()
            return
        wish, waiting = await self._wish(job), list[Found]()
        walk = ahead(self.sources.walk(wish, lease.unit.payload.get("at")))
        async with aclosing(walk) as batches:
            async for batch in batches:
                waiting += batch
                while len(waiting) > PAGE_ENTRIES:
                    await self._page(lease, job, waiting[:PAGE_ENTRIES])
                    waiting = waiting[PAGE_ENTRIES:]
        try:
            items = await self._go_on(lease, job, waiting)
        except QuotaExceeded as full:  # waiting would not help
            await self.give_up(lease, full)
            return
        log.info("inputs listed", action="job_gathered", items=items, **job.log_context())
        await self.bell.ring(f"work:{job.klass}")

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """End the job: without a list of inputs it cannot begin."""
        job = await self.jobs.need(lease.unit.payload["job"])
        known = isinstance(error, MediamillError)
        text = str(error) if known else "An internal error kept them from it; the log has it."
        stopping = {
            "cancelling": True,
            "state": JobState.CANCELLING,
            "error": f"The inputs could not be listed: {text}"[:500],
        }
        guard = (Equals("cancelling", False), Equals("generation", job.generation))
        try:
            stop = Update(Job, (job.id,), set=stopping, add={"revision": 1}, when=guard)
            await lease.finish(stop)
        except ConditionFailed:  # it is being cancelled already
            await lease.finish()

    async def _wish(self, job: Job) -> Wish:
        first = self.catalogue.get(job.steps[0].operation)
        named = await self.manifests.named(job.inputs)
        return Wish(
            owner=job.owner,
            source=named["source"],
            id=named["id"],
            members=tuple(named.get("members", ())),
            takes=first.takes,
            accepted=job.created,
            subset=named.get("subset"),
            split=named.get("split"),
        )

    async def _page(self, lease: Lease, job: Job, found: list[Found]) -> None:
        """Write the next full page and move the checkpoint behind it."""
        payload = lease.unit.payload
        put = await self._put(lease, job, _pages(lease), found)
        checkpoint = {**payload, "pages": _pages(lease) + 1, "at": found[-1].position}
        await lease.write(put, payload=checkpoint)

    async def _put(self, lease: Lease, job: Job, page: int, found: Sequence[Found]) -> Put:
        """Make the action that stores a page; raises `LimitExceeded`."""
        if page * PAGE_ENTRIES + len(found) > self.most:
            raise LimitExceeded(f"The {job.inputs['source']} lists more than {self.most:,} inputs.")
        operations = self.catalogue.build_all(job.steps)
        mixes = any(step.partners for step in operations)
        noting = Noting(split(operations)[job.stage].steps, mixes)
        entries = [noting.entry(one) for one in found]
        entries = [await self._marked(job, entry) for entry in entries]
        return await self.manifests.page(job.id, job.stage, page, entries, fence=lease.unit.fence)

    async def _marked(self, job: Job, entry: Entry) -> Entry:
        """Return an input with what is marked on it pinned, wherever that lies."""
        if not entry.annotations:
            return entry
        return await self.manifests.annotated(entry, job.id, entry.annotations)

    async def _references(self, job: Job) -> list[Found]:
        """List the files that are measured with the set and are no inputs themselves.

        What is made again lists them already.
        """
        if job.inputs["source"] == REPLAY:
            return []
        wanted = references_of(self.catalogue.build_all(job.steps))
        files = await self.sources.lookup.get_many(wanted, at=job.created)
        return [
            Found(Entry(each, file.name if file else each, reference=True), file, None)
            for each, file in zip(wanted, files, strict=True)
        ]

    async def _go_on(self, lease: Lease, job: Job, found: list[Found]) -> int:
        """Write the last page with the number of inputs, and the unit that expands them.

        Nothing of it when the job was cancelled meanwhile. Raises `InvalidInput` for no inputs, and
        `QuotaExceeded` for more than its owner may run.
        """
        if not _pages(lease) and not found:
            raise InvalidInput(f"The {job.inputs['source']} holds nothing for this job.")
        found = [*found, *await self._references(job)]
        items = _pages(lease) * PAGE_ENTRIES + len(found)
        now = await self.jobs.store.now()
        unit, month = pass_unit(job, "expand", now), month_of(now)
        guard = (Equals("cancelling", False), Equals("generation", job.generation))
        fields = {"items": items, "reserved": items, "metered": job.metering(items, month)}
        change = Update(Job, (job.id,), set=fields, add={"revision": 1}, when=guard)
        last = [
            await self._put(lease, job, page, found[start : start + PAGE_ENTRIES])
            for page, start in enumerate(range(0, len(found), PAGE_ENTRIES), _pages(lease))
        ]
        usages = self.usages
        charge = await usages.reserve(job.owner, month, items)
        actions: tuple[Action, ...] = (change, *last, *charge, Put(unit, when=(Absent(),)))
        try:
            async with usages.refusing(job.owner, actions, before=1):
                await lease.finish(*actions, wake=lane_of(unit))
        except ConditionFailed:
            await lease.finish()
        return items


@dataclass(frozen=True)
class Noting:
    """Notes on inputs what would else be looked up again."""

    steps: Sequence[Operation]
    """Those of the stage that begins: what an input costs, for packing."""
    mixes: bool
    """Whether inputs are given to each other, and need to be told apart by their bytes."""

    def entry(self, found: Found) -> Entry:
        entry, file = found.entry, found.file
        known = Weight(0.0, alone=False) if file is None else weight(entry, file, self.steps)
        digest = identity(file, entry) if self.mixes and file is not None else ""
        return msgspec.structs.replace(entry, weight=known, digest=digest)


def _pages(lease: Lease) -> int:
    """Return how many pages are written."""
    return int(lease.unit.payload.get("pages", 0))
