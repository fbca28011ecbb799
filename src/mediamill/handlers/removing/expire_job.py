"""`expire_job`: take out of a job what was made of files that have expired, all of them at once.

    begin     the job has no download from here on, and cannot be retried
    layouts   go before any bytes that they name
    results   memberships and bytes; then the row is emptied but for its outcome, which counts
    leftovers bytes that no result names, lists of inputs, parts of long videos, rows for reuse
    end       a new layout, or, when no input is left, the job is purged

Each step finds by itself what is still to be done, so one that is cut short is begun again. Who was
overtaken changes nothing more: writes hold while the job is being trimmed since the same time, and
what is removed then is older than that, or named by nobody.
"""

import re
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import BlobInfo, Blobs
from mediamill.core.clock import MINUTE
from mediamill.core.errors import ConditionFailed, NotFound
from mediamill.engine.lease import Lease
from mediamill.handlers.removing.affected import Affected, files_in, without_names
from mediamill.handlers.removing.collect import RESULT_NAME
from mediamill.handlers.removing.trimming import LOOK_AGAIN_MS
from mediamill.handlers.stages.seal import Seal
from mediamill.store.port import Absent, Check, Delete, Equals, Put, Store, Update
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.captions import Captions, caption_id
from mediamill.store.repositories.jobs import PAGE_ENTRIES, Entry, Job, Jobs, Manifests, Problem
from mediamill.store.repositories.keeping import Keeping
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import Result, Results, parse_result_file
from mediamill.store.repositories.retention import Aging
from mediamill.store.repositories.reuse import Reuse, Reuses
from mediamill.store.repositories.units import Unit, Units, lane_of
from mediamill.store.repositories.usage import Usages

log = structlog.get_logger(__name__)

GONE = Entry("", "", problem=Problem(NotFound.code, "The input has expired."))
"""What a list of inputs holds instead of one that has expired."""
ROWS = 40
BLOBS = 100
PATIENCE_MS = MINUTE
"""How long a job waits at most for more of its files, which wait for jobs in their turn."""
TRIMMED = "t"
"""Begins the names of layouts that are made here; the time follows."""


def _still(job: Job) -> tuple[Equals]:
    """Return the guard that nobody else has trimmed the job meanwhile."""
    return (Equals("trimming", job.trimming),)


@dataclass(frozen=True)
class Left:
    """What is left of a job's inputs."""

    expired: int
    """Of the last stage."""
    whole: bool
    """Nothing is left of the first."""


@dataclass
class ExpireJob:
    """Trims one job."""

    store: Store
    jobs: Jobs
    results: Results
    units: Units
    manifests: Manifests
    blobs: Blobs
    seal: Seal
    bell: Doorbell
    annotations: Annotations | None = None
    """What is drawn on its results, where they joined projects; None where nothing can be."""

    def __post_init__(self) -> None:
        self.aging, self.lookup = Aging(self.store), FileLookup(self.store)
        self.keeping, self.usages = Keeping(self.store), Usages(self.store)

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.get(lease.unit.payload["trim"])
        if job is None or job.purged:
            await lease.vanish()
            return
        if not job.state.terminal or await self._more_to_come(lease, job):
            await lease.release(LOOK_AGAIN_MS)
            return
        if job.trimming is None and (job := await self._begun(lease, job)) is None:
            await lease.release(LOOK_AGAIN_MS)
            return
        await self._layouts(job)
        for stage in range(job.stages):
            await self._results(job, stage)
        await self._leftovers(job)
        left = await self._inputs(job)
        await self._measures(job)
        await self._agreements(job)
        await self._parts(job)
        await self._reuse(job)
        await self._end(lease, await self.jobs.need(job.id), left)
        await self.bell.ring(f"job:{job.id}")

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: what should be gone must go."""
        await lease.release(LOOK_AGAIN_MS * 15, str(error))

    async def _more_to_come(self, lease: Lease, job: Job) -> bool:
        """Tell whether others of its files are hidden already, and may go with these."""
        age = await self.store.now() - lease.unit.created
        if job.trimming is not None or age > PATIENCE_MS:
            return False
        page = await self.results.of_stage(job.id, 0, limit=1000)
        known = await self.aging.known(row.source for row in page.rows if row.source)
        return any(row.expired and row.counted is None for row in known.values())

    async def _begun(self, lease: Lease, job: Job) -> Job | None:
        """Take the download away; None when the job was opened again, or deleted, just now."""
        fixed = ("generation", "state", "deleted", "trash", "trimming")
        guard = tuple(Equals(name, getattr(job, name)) for name in fixed)
        fields: dict[str, Any] = {"layout": None, "download_size": 0, "download_etag": ""}
        fields["trimming"] = await self.store.now()
        change = Update(Job, (job.id,), set=fields, add={"revision": 1}, when=guard)
        payload = {**lease.unit.payload, "sealed": job.layout is not None}
        with suppress(ConditionFailed):
            await lease.write(change, payload=payload)
            return job.evolve(**fields)
        return None

    async def _layouts(self, job: Job) -> None:
        """Remove layouts from before: those of seals have the number of the job's pass."""
        async for blob in self.blobs.list(f"layouts/{job.id}/"):
            made = blob.key.rpartition("/")[2].partition("-")[0]
            bound = (job.trimming or 0) if made.startswith(TRIMMED) else job.turn
            if int(made.removeprefix(TRIMMED)) <= bound:
                await self.blobs.delete(blob.key)

    # -- results --------------------------------------------------------------------------------

    async def _results(self, job: Job, stage: int) -> None:
        affected = Affected(self.results, self.aging)
        for choose in (affected.at_once, affected.besides):
            after: str | None = None
            while True:
                page = await self.results.of_stage(job.id, stage, after, limit=1000)
                chosen = await choose(page.rows)
                for start in range(0, len(chosen), ROWS):
                    await self._take_out(job, chosen[start : start + ROWS])
                if (after := page.after) is None:
                    break

    async def _take_out(self, job: Job, rows: Sequence[Result]) -> None:
        """Remove what some results hold, then empty their rows, which sets their room free."""
        for row in rows:
            for n, file in enumerate(row.files):
                await self.keeping.forget_file(row.file_id(n))
                if self.annotations is not None:
                    await self.annotations.forget_file(row.file_id(n))
                for blob in file.blobs:
                    await self.blobs.delete(blob)
            await Captions(self.store).forget(caption_id(*row.key_values()))
        now, freed = await self.store.now(), sum(f.size for row in rows for f in row.files)
        same = (Equals("expired", None),)
        emptied = [Put(row.emptied(now), when=same) for row in rows]
        charged = Update(Job, (job.id,), add={"charged": -freed}, when=_still(job))
        released = await self.usages.charge_results(job.owner, -freed)
        await self.store.transact(*emptied, charged, *released)

    async def _leftovers(self, job: Job) -> None:
        """Remove what claims have written that no result names: nobody is at the job any more."""
        some = list[tuple[BlobInfo, re.Match[str]]]()
        async for blob in self.blobs.list(f"results/{job.id}/"):
            if written := RESULT_NAME.match(blob.key.rpartition("/")[2]):
                some.append((blob, written))
            if len(some) >= BLOBS:
                await self._unnamed(job, some)
                some = []
        await self._unnamed(job, some)

    async def _unnamed(self, job: Job, some: Sequence[tuple[BlobInfo, re.Match[str]]]) -> None:
        units = await self.store.get_many(Unit, [(job.id, int(found[1])) for _, found in some])
        keys = [
            (job.id, int(unit.payload.get("stage", 0)) if unit else 0, int(found[3]))
            for (_, found), unit in zip(some, units, strict=True)
        ]
        rows = await self.store.get_many(Result, keys)
        for (blob, _), unit, row in zip(some, units, rows, strict=True):
            if unit is not None and unit.state.open:
                continue
            if row is None or all(blob.key not in file.blobs for file in row.files):
                await self.blobs.delete(blob.key)

    # -- what else names an input ---------------------------------------------------------------

    async def _inputs(self, job: Job) -> Left:
        """Empty the lists of inputs of what has expired."""
        expired, some, others, marks = 0, 0, 0, set[str]()
        first: int | None = None
        for stage in range(job.stages):
            async for page, entries in self._pages(job, stage):
                first = stage if first is None else first  # a replay begins in a later one
                fresh = await self._emptied(job, stage, page * PAGE_ENTRIES, entries)
                if fresh != entries:
                    await self._rewrite(job, stage, page, fresh)
                marks |= {entry.annotations_blob for entry in fresh}
                gone = sum(entry == GONE for entry in fresh)
                expired += gone if stage == job.stage else 0
                some += gone if stage == first else 0
                others += sum(bool(entry.file) for entry in fresh) if stage == first else 0
        await self._unmark(job, marks)
        return Left(expired, whole=some > 0 and others == 0)

    async def _pages(self, job: Job, stage: int) -> AsyncIterator[tuple[int, list[Entry]]]:
        page = 0
        with suppress(NotFound):  # behind the last one
            while True:
                yield page, await self.manifests.entries(job.id, stage, page)
                page += 1

    async def _emptied(
        self, job: Job, stage: int, first: int, entries: Sequence[Entry]
    ) -> list[Entry]:
        """Return inputs as they are now; of those without an outcome the files are looked up."""
        rows: list[Result | None] = []
        for start in range(0, len(entries), 100):
            count = min(100, len(entries) - start)
            keys = [(job.id, stage, first + start + n) for n in range(count)]
            rows += await self.store.get_many(Result, keys)
        open_ = [e.file for e, row in zip(entries, rows, strict=True) if row is None and e.file]
        gone = await self._gone(list(dict.fromkeys(open_)))
        return [
            GONE if (entry.file in gone if row is None else row.expired) else entry
            for entry, row in zip(entries, rows, strict=True)
        ]

    async def _gone(self, files: Sequence[str]) -> set[str]:
        """Return those of some files that go now, and those results that are there no more."""
        going = await self.aging.going(files)
        made = [file for file in files if parse_result_file(file) is not None]
        found = await self.lookup.get_many(made)
        dead = {each for each, file in zip(made, found, strict=True) if file is None or file.hidden}
        return going | dead

    async def _unmark(self, job: Job, kept: Collection[str]) -> None:
        """Remove what was marked on inputs that are gone, and on none that is there."""
        async for blob in self.blobs.list(f"manifests/{job.id}/annotations-"):
            if blob.key not in kept:
                await self.blobs.delete(blob.key)

    async def _measures(self, job: Job) -> None:
        """Remove the measures of sets: they say what files were called that have expired."""
        async for blob in self.blobs.list(f"manifests/{job.id}/"):
            if "-measures-" in blob.key:
                await self.blobs.delete(blob.key)

    async def _agreements(self, job: Job) -> None:
        """Forget what the reference of a set was called, where it has expired."""
        gone = await self._gone([*files_in(job.agreed)])
        left = without_names(job.agreed, gone)
        if left != job.agreed:
            fresh = Update(Job, (job.id,), set={"agreed": left}, when=_still(job))
            await self.store.transact(fresh)

    async def _rewrite(self, job: Job, stage: int, page: int, entries: Sequence[Entry]) -> None:
        now = await self.store.now()
        put = await self.manifests.page(job.id, stage, page, entries, fence=now)
        await self.store.transact(put, Check(Job, (job.id,), _still(job)))
        async for blob in self.blobs.list(f"manifests/{job.id}/{stage}-{page}"):
            place, *made = blob.key.rpartition("/")[2].split("-")[1:]
            if place == str(page) and (not made or int(made[0]) < now):
                await self.blobs.delete(blob.key)

    async def _parts(self, job: Job) -> None:
        """Forget what the parts of long inputs were called and hashed to."""
        async for unit in self.units.walk_group(job.id):
            if "made" not in unit.payload:
                continue
            place = (job.id, int(unit.payload["stage"]), int(unit.payload["item"]))
            row = await self.results.get(*place)
            if row is None or row.expired:
                payload = {name: told for name, told in unit.payload.items() if name != "made"}
                await self.store.transact(Update(Unit, unit.key_values(), set={"payload": payload}))

    async def _reuse(self, job: Job) -> None:
        """Forget where outcomes are that are no more."""
        async for rows in Reuses(self.store).pages_of_job(job.id):
            keys = dict.fromkeys((row.job, row.stage, row.item) for row in rows)
            results = dict(zip(keys, await self.store.get_many(Result, [*keys]), strict=True))
            for row in rows:
                result = results[row.job, row.stage, row.item]
                if result is None or result.expired:
                    same = tuple(Equals(n, getattr(row, n)) for n in ("job", "stage", "item"))
                    with suppress(ConditionFailed):  # a newer outcome took it over
                        await self.store.transact(Delete(Reuse, row.key_values(), same))

    # -- the end --------------------------------------------------------------------------------

    async def _end(self, lease: Lease, job: Job, left: Left) -> None:
        """Give the job its new download, or have it purged when nothing is left of it."""
        if left.whole:
            await self._purge(lease, job)
            return
        now = await self.store.now()
        changes: dict[str, Any] = {"trimming": None, "expired": left.expired}
        if lease.unit.payload.get("sealed"):
            root = f"layouts/{job.id}/{TRIMMED}{now}-{lease.unit.fence}"
            _, summary = await self.seal.write(job, root)
            changes |= {"layout": f"{root}-layout", "download_size": summary.size}
            changes["download_etag"] = summary.etag
        await lease.vanish(Update(Job, (job.id,), set=changes, add={"revision": 1}))
        log.info("job trimmed", action="job_trimmed", expired=left.expired, **job.log_context())

    async def _purge(self, lease: Lease, job: Job) -> None:
        """Hide a job for good, with the unit that removes what is left of it."""
        now = await self.store.now()
        deleted = now if job.deleted is None else job.deleted
        fields = {"deleted": deleted, "listed": None, "trash": None, "trimming": None}
        same = (Equals("deleted", job.deleted), Equals("trash", job.trash))
        hiding = Update(Job, (job.id,), set=fields, add={"revision": 1}, when=same)
        unit = Unit.chore(
            "purge_job", f"purge:{job.id}", job.revision + 1, job.owner, cost=0.5, now=now, due=now,
            purge=job.id, deleted=deleted,
        )  # fmt: skip
        try:
            await lease.vanish(hiding, Put(unit, when=(Absent(),)), wake=lane_of(unit))
        except ConditionFailed:  # its owner deleted it, or brought it back, at this moment
            await lease.release()
            return
        log.info("job expired", action="job_expired", **job.log_context())
