"""`purge_file`, `purge_job`: remove what was deleted, bytes first, rows last.

The rows are what finds the bytes, so a purge that is cut short is simply begun again. It begins
when listings show all that was written before the deletion. Of a file the daily aggregates keep
that it was there (`handlers/removing/counting.py`).
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.clock import SECOND
from mediamill.core.errors import ConditionFailed
from mediamill.engine.announcing import Announcer
from mediamill.engine.lease import Lease
from mediamill.handlers.removing import trimming
from mediamill.handlers.removing.counting import fact_of, forgetting
from mediamill.handlers.removing.trimming import KIND, Trimming
from mediamill.handlers.stages.pack import pack_group
from mediamill.store.port import (
    MAX_ACTIONS,
    Absent,
    Action,
    Delete,
    Equals,
    Put,
    Store,
    Update,
    key_index,
    unsettled,
)
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.attempts import Attempt, Attempts
from mediamill.store.repositories.captions import Captions
from mediamill.store.repositories.daily import Dailies, day_of
from mediamill.store.repositories.figures import About, Fact, Figures
from mediamill.store.repositories.files import File, Files, FileState, FileTag, tag_rows
from mediamill.store.repositories.gates import Gates
from mediamill.store.repositories.jobs import Job, Jobs, ManifestPage, Manifests
from mediamill.store.repositories.keeping import Keeping
from mediamill.store.repositories.results import Results
from mediamill.store.repositories.retention import Aging, CutShort, Origin, Sweeps
from mediamill.store.repositories.reuse import Reuse, Reuses
from mediamill.store.repositories.spending import Account, Spending, Spent
from mediamill.store.repositories.stream import StreamJob
from mediamill.store.repositories.units import Unit, Units, UnitState, lane_of
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.versions import Version, Versions
from mediamill.store.repositories.webhooks import Delivery, Webhooks

log = structlog.get_logger(__name__)

LOOK_AGAIN_MS = 30_000
CLOCKS_MS = 2 * SECOND
"""By so much servers may differ in what they take for the store's time."""
ROWS = MAX_ACTIONS // 2
"""Results of one transaction: each may be counted in its file's row."""


class Rooted(Protocol):
    """Something that holds what was made of files (`handlers/datasets/forget.py`)."""

    async def root(self, root: str) -> int:
        """Take all that was made of a file out; return how much that was."""


@dataclass
class PurgeFile:
    """Removes a trashed or rejected file, once the jobs accepted before that have ended.

    Only the unit that the row names in `doomed` may: a file that was brought back names none. The
    first step counts it into the daily aggregates; if that cannot be written, nothing is removed,
    and from it on the file cannot be brought back any more. What was made of one that has expired
    goes before it.
    """

    store: Store
    files: Files
    jobs: Jobs
    blobs: Blobs
    announcer: Announcer
    manifests: Manifests | None = None
    versions: Rooted | None = None
    """What takes an expired file out of frozen versions; None where there are none."""

    def __post_init__(self) -> None:
        self.aging, self.dailies = Aging(self.store), Dailies(self.store)
        self.figures = Figures(self.store)
        self.trimming = Trimming(self.store, self.jobs, self.manifests)

    async def run(self, lease: Lease) -> None:
        file = await self.files.get(lease.unit.payload["file"])
        if file is None or file.doomed != lease.unit.seq:
            await lease.vanish()
            return
        if wait := await ready(lease, self.jobs, file.owner, file.trashed or file.created):
            await lease.release(wait)
            return
        while file is not None and file.doomed == lease.unit.seq and file.counted is None:
            with suppress(ConditionFailed):  # it was changed meanwhile: look again
                await self._count(lease, file)
            file = await self.files.get(file.id)  # as it stays from now on
        if file is None or file.doomed != lease.unit.seq:
            await lease.vanish()
        elif file.expired and await self.trimming.wanted(file.owner, file.id, file.created):
            await lease.release(trimming.LOOK_AGAIN_MS)
        else:
            await self._remove(lease, file)

    async def _count(self, lease: Lease, file: File) -> None:
        """Pass the point of no return: count a file, and what was made of it, once."""
        now = await self.store.now()
        actions = await self.dailies.counting([await fact_of(self.aging, file)])
        if file.expired:
            actions += await Sweeps(self.store).counting(file.source, file.size)
        actions += await self.figures.counting(file.owner, _removed(file, now))
        guards = (
            Equals("doomed", lease.unit.seq),
            Equals("counted", None),
            Equals("past_items", file.past_items),
        )
        closing = {"listed": None, "trash": None, "state": FileState.TRASHED, "counted": now}
        close = Update(File, (file.id,), set=closing, add={"revision": 1}, when=guards)
        await lease.write(close, Delete(Unit, (f"thumbnail:{file.id}", 0)), *actions)

    async def _remove(self, lease: Lease, file: File) -> None:
        """Remove the bytes, then the rows."""
        await self.blobs.delete(file.blob)
        async for version in Versions(self.store).of(file.id):
            await self.blobs.delete(version.blob)
            unit = Delete(Unit, (f"version:{file.id}", version.until))
            await self.store.transact(Delete(Version, version.key_values()), unit)
        await self.blobs.delete(f"thumbnails/{file.id}")
        if file.source == "import":
            async for part in self.blobs.list(f"imports/{file.id}/"):
                await self.blobs.delete(part.key)
        if file.expired:
            await self._silence(file)
            if self.versions is not None:
                await self.versions.root(file.id)
        await self._finish(lease, file)
        log.info("file purged", action="file_purged", size=file.size, expired=bool(file.expired),
                 **file.log_context())  # fmt: skip

    async def _silence(self, file: File) -> None:
        """Remove what was, or is still to be, told of a file to its owner's webhooks."""
        webhooks = Webhooks(self.store)
        while told := await webhooks.about(file.id):
            await self.store.transact(*(Delete(Delivery, one.key_values()) for one in told))

    async def _finish(self, lease: Lease, file: File) -> None:
        """Remove the row and all that finds it; note what it was if results of it stay."""
        tags = [Delete(FileTag, row.key_values()) for row in tag_rows(file)]
        await Keeping(self.store).forget_file(file.id)
        await Annotations(self.store, self.blobs).forget_file(file.id)
        released = await Usages(self.store).charge(file.owner, -file.charged, -int(file.metered))
        shown = file.evolve(name="", sha256="", tags=()) if file.expired else file
        told = await self.announcer.of_files("file.purged", [shown], await self.store.now())
        gone: list[Action] = [Delete(File, (file.id,)), *tags, *released]
        gone.append(Delete(Unit, (f"fetch:{file.id}", 0)))
        if not file.expired and await self.aging.has_traces(file.id):
            last = await self.files.get(file.id) or file  # of what has just left its projects
            left = Origin(
                id=file.id, owner=file.owner, source=file.source, created=file.created,
                kept=last.kept,
            )  # fmt: skip
            gone.append(Put(left))
        wake = lane_of(told[0]) if told else None
        await lease.vanish(*gone, *(Put(unit, when=(Absent(),)) for unit in told), wake=wake)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: bytes that should be gone must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))


def _removed(file: File, now: int) -> list[Fact]:
    """Return the removal of a file as figures have it; what was not taken in never was one."""
    if file.code or not file.sha256:
        return []
    return [
        Fact(
            about=About.REMOVED, day=day_of(now), status="expired" if file.expired else "deleted",
            source=file.source, media_type=file.media_type, counts={"count": 1, "bytes": file.size},
        )
    ]  # fmt: skip


async def ready(lease: Lease, jobs: Jobs, owner: str, gone: int) -> int:
    """Return how long to wait (ms) until nothing works that may know what was hidden by `gone`.

    Where listings lag, so long again as they do: the last outcomes may not show yet.
    """
    if left := await in_use(lease, jobs, owner, gone):
        return left
    now, payload = await jobs.store.now(), lease.unit.payload
    if await unsettled(jobs.store, now) and "quiet" not in payload:
        await lease.write(payload={**payload, "quiet": now})
    return await unsettled(jobs.store, int(payload.get("quiet", now)))


async def in_use(lease: Lease, jobs: Jobs, owner: str, gone: int) -> int:
    """Return how long to wait (ms) until no job of an owner reads what was hidden by `gone` (ms).

    The first look shuts the owner's gate: no job is accepted any more whose inputs were looked at
    before. All others that may know it are there by then.
    """
    if "shut" not in lease.unit.payload:
        shut = max(gone, await jobs.store.now())
        payload = {**lease.unit.payload, "shut": shut}
        await lease.write(await Gates(jobs.store).shutting(owner), payload=payload)
    shut = int(lease.unit.payload["shut"])
    if left := await unsettled(jobs.store, shut):
        return left
    return LOOK_AGAIN_MS if await jobs.running_of(owner, until=shut + CLOCKS_MS) else 0


@dataclass
class PurgeJob:
    """Removes a deleted job: result bytes, layouts, manifests, rows, then its units.

    Only for the deletion that its unit names: the job may have been brought back since. Before the
    first step the job leaves the trash, from where it could be brought back.
    """

    store: Store
    jobs: Jobs
    results: Results
    units: Units
    blobs: Blobs
    annotations: Annotations | None = None
    """What is drawn on its results, where they joined projects; None where nothing can be."""

    def __post_init__(self) -> None:
        self.aging = Aging(self.store)

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.get(lease.unit.payload["purge"])
        if job is None or not job.hidden or job.deleted != self._deletion(lease, job):
            await lease.vanish()
            return
        used = await in_use(lease, self.jobs, job.owner, job.deleted or 0)
        if left := await unsettled(self.store, job.finished or 0):
            await lease.release(left)
            return
        if used or not job.state.terminal or await self._untold(job):
            await lease.release(LOOK_AGAIN_MS // 30)
            return
        async for _ in Spending(self.store).purses(job.id):  # what it cost is still to be booked
            await lease.release(LOOK_AGAIN_MS // 30)
            return
        await Usages(self.store).close(job)
        still = (
            Equals("deleted", job.deleted),
            Equals("trash", job.trash),
            Equals("trimming", None),
            Equals("counted", False),
            Equals("reserved", 0),
        )
        try:
            await lease.write(Update(Job, (job.id,), set={"trash": None}, when=still))
        except ConditionFailed:  # brought back at this moment, or something of it expires
            await lease.release(LOOK_AGAIN_MS // 30)
            return
        for prefix in ("results", "layouts", "manifests"):
            async for blob in self.blobs.list(f"{prefix}/{job.id}/"):
                await self.blobs.delete(blob.key)
        await Keeping(self.store).forget_job(job.id)
        if self.annotations is not None:
            await self.annotations.forget_job(job.id)
        await self._rows(job)
        await self._unpacked(job.layout or "")
        released = await Usages(self.store).charge_results(job.owner, -job.charged)
        rows = (Delete(Job, (job.id,)), Delete(StreamJob, (job.id,)))
        short = Delete(CutShort, (job.owner, job.id))
        await lease.vanish(*rows, short, Delete(Unit, (f"{KIND}:{job.id}", 0)), *released)
        log.info("job purged", action="job_purged", items=job.items, **job.log_context())

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: bytes that should be gone must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))

    def _deletion(self, lease: Lease, job: Job) -> int | None:
        """Return the time of the deletion that a unit belongs to (ms)."""
        deleted: int | None = lease.unit.payload.get("deleted", job.deleted)
        return deleted

    async def _untold(self, job: Job) -> bool:
        """Tell whether an end of the job is still to be announced: it would be lost."""
        return any(unit.state.open for unit in await self.units.of_group(f"{job.id}:notify"))

    async def _rows(self, job: Job) -> None:
        for stage in range(job.stages):
            while rows := (await self.results.of_stage(job.id, stage, limit=ROWS)).rows:
                with suppress(ConditionFailed):  # a file was being counted: look again
                    await self._delete(await forgetting(self.aging, rows))
        while ledger := (await Attempts(self.store).of_job(job.id, limit=ROWS)).rows:
            await self._delete([Delete(Attempt, row.key_values()) for row in ledger])
        while spent := (await Spending(self.store).of_month(job.id, "", limit=ROWS)).rows:
            await self._delete([Delete(Spent, row.key_values()) for row in spent])
        await self._delete([Delete(Account, (job.id, ""))])
        await Captions(self.store).forget_job(job.id)
        pages = key_index(ManifestPage)
        while found := (await self.store.query(ManifestPage, pages, job.id)).rows:
            await self._delete([Delete(ManifestPage, page.key_values()) for page in found])
        while reuse := await Reuses(self.store).of_job(job.id):
            await self._forget([Delete(Reuse, row.key_values(), _names(row)) for row in reuse])
        kinds = ("gather", "expand", "next_stage", "cancel", "seal", "notify", "mail", "announce")
        for group in (job.id, *(f"{job.id}:{kind}" for kind in kinds)):
            while units := await self.units.of_group(group, limit=MAX_ACTIONS):
                await self._delete([Delete(Unit, unit.key_values()) for unit in units])

    async def _unpacked(self, layout: str) -> None:
        """Remove the unit of a packed download; who packs it now removes all of it in the end."""
        unit = await self.units.get(pack_group(layout), 0)
        if unit is not None and unit.state is UnitState.READY:
            still = (Equals("state", unit.state), Equals("fence", unit.fence))
            await self._forget([Delete(Unit, unit.key_values(), still)])

    async def _forget(self, actions: list[Action]) -> None:
        """Remove rows; one that somebody took over meanwhile is theirs."""
        with suppress(ConditionFailed):
            await self.store.transact(*actions)

    async def _delete(self, actions: list[Action]) -> None:
        await self.store.transact(*actions)


def _names(row: Reuse) -> tuple[Equals, ...]:
    """Return the guard that a reuse row still points where it did."""
    return (Equals("job", row.job),)
