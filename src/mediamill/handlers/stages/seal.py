"""`seal`: write the layout of a job's download and give the job its final state.

The layout lists every member of the zip: first `manifest.jsonl`, which says for each item what it
became and how, then the results in item order. Archives of frames are flattened to `{video}/…`.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

import msgspec

from mediamill.blobs.port import Blobs, Digest, Upload
from mediamill.engine.lease import Lease
from mediamill.engine.members import flattened, list_members
from mediamill.handlers.stages.enrolling import Enrolling
from mediamill.handlers.stages.naming import ManyNames
from mediamill.handlers.stages.spool import BUFFER, Spool
from mediamill.handlers.telling.notify import notice_of
from mediamill.media.archive.layout import Member, Summary, parse
from mediamill.media.archive.names import Names, safe_name
from mediamill.store.port import Absent, Equals, Put, Update
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import About, Fact, Figures, pipeline, took
from mediamill.store.repositories.jobs import Counts, Job, Jobs, JobState, failing_as
from mediamill.store.repositories.results import ItemOutcome, Result, Results
from mediamill.store.repositories.retention import CutShort
from mediamill.store.repositories.units import lane_of
from mediamill.store.repositories.usage import Usages


@dataclass
class Seal:
    """Ends jobs."""

    jobs: Jobs
    results: Results
    blobs: Blobs
    scratch: Path
    enrolling: Enrolling | None = None
    """Lets results join the project that the job names; nobody seals such jobs without."""

    def __post_init__(self) -> None:
        self.figures = Figures(self.jobs.store)

    async def run(self, lease: Lease) -> None:
        job = await self.jobs.need(lease.unit.payload["job"])
        if self.enrolling is not None and (why := await self.enrolling.run(lease, job)):
            job = job.evolve(error=job.error or why)
        root = f"layouts/{job.id}/{lease.unit.seq}-{lease.unit.fence}"
        outcomes, summary = await self.write(job, root)
        counts = counts_of(job, outcomes)
        await self._end(lease, job.evolve(counts=counts), f"{root}-layout", summary)

    async def write(self, job: Job, root: str) -> tuple[Counter[ItemOutcome], Summary]:
        """Write the layout of a download, and its first member; `root` begins their keys."""
        async with Spool(self.scratch) as members:
            listed, outcomes = await self._manifest(job, f"{root}-manifest", members)
            summary = Summary()
            first = Member("manifest.jsonl", listed.size, listed.crc32, f"{root}-manifest")
            async with Lines(self.blobs, f"{root}-layout") as layout:
                await layout.add(summary.add(first), end=b"")
                async for line in members.lines():
                    await layout.add(summary.add(parse(line)), end=b"")
                await layout.commit()
        return outcomes, summary

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """End the job as failed: its results are there, its download is not."""
        job = await self.jobs.need(lease.unit.payload["job"])
        job = job.evolve(error=f"The download could not be prepared: {error}"[:500])
        await self._end(lease, job, None, Summary())

    async def _end(self, lease: Lease, job: Job, layout: str | None, summary: Summary) -> None:
        """Write the final state and the announcement in one transaction."""
        now = await self.jobs.store.now()
        state = final_state(job, sealed=layout is not None)
        changes: dict[str, Any] = {
            "state": state,
            "failing": failing_as(state),
            "counts": job.counts,
            "active": None,
            "open": None,
            "checked": None,
            "finished": now,
            "layout": layout,
            "download_size": summary.size if layout else 0,
            "download_etag": summary.etag if layout else "",
            "error": job.error,
            **job.uncounted,
        }
        guard = (Equals("generation", job.generation), Equals("sealing", job.generation))
        unit = notice_of(job.evolve(state=state, finished=now, layout=layout), now)
        short = job.cancelling or job.counts.cancelled or layout is None
        released = await Usages(self.jobs.store).end_job(job)
        ended = _fact(job.evolve(state=state, finished=now))
        figures = await self.figures.counting(job.owner, [ended])
        await lease.finish(
            Update(Job, (job.id,), set=changes, add={"revision": 1}, when=guard),
            Put(unit, when=(Absent(),)),
            *([Put(CutShort(owner=job.owner, job=job.id))] if short else ()),
            *released,
            *figures,
            wake=lane_of(unit),
        )
        lease.woken.add("transfer")  # a version may wait for this

    async def _manifest(
        self, job: Job, key: str, members: Spool
    ) -> tuple[Digest, Counter[ItemOutcome]]:
        """Go through the results once: write the manifest, and the other members to a spool."""
        outcomes = Counter[ItemOutcome]()
        async with Lines(self.blobs, key) as manifest:
            with ManyNames(self.scratch) as names:
                names.claim("manifest.jsonl")
                async for result in self.results.walk_stage(job.id, job.stage):
                    outcomes[result.outcome] += 1
                    if result.expired:
                        continue
                    named = member_names(result, names)
                    await manifest.add(msgspec.json.encode(manifest_line(job, result, named)))
                    async for member in self._members(result, named):
                        await members.add(msgspec.json.encode(member) + b"\n")
            return await manifest.commit(), outcomes

    async def _members(self, result: Result, named: Sequence[str]) -> AsyncIterator[Member]:
        """Yield the members that an item's files are in the download."""
        for (_, file), name in zip(result.outputs, named, strict=True):
            if not flattened(file):
                yield Member(name, file.size, file.crc32, file.blob)
                continue
            for inner in await list_members(self.blobs, file, self.scratch):
                path = f"{name}/{inner.name}"
                yield Member(path, inner.size, inner.crc32, file.blob, inner.offset)


def member_names(result: Result, names: Names) -> list[str]:
    """Choose the names of a result's files in the download; a folder's name for frames."""
    if not result.outputs:
        return []
    stem = PurePosixPath(safe_name(result.name)).stem or "item"
    return [
        names.claim(stem if flattened(file) else safe_name(file.name)) for _, file in result.outputs
    ]


def manifest_line(job: Job, result: Result, named: Sequence[str]) -> dict[str, Any]:
    """Describe one item, whose files have these names, for `manifest.jsonl`."""
    files = [
        {"path": name, "media_type": f.media_type, "size": f.size, "sha256": f.sha256, **f.info}
        | ({"annotations": msgspec.Raw(f.annotations)} if f.annotations else {})
        for (_, f), name in zip(result.outputs, named, strict=True)
    ]
    line: dict[str, Any] = {
        "item": result.item,
        "input": {
            "file": result.input,
            "name": result.name,
            **({"path": result.path} if result.path else {}),
        },
        "outcome": result.outcome,
        "steps": job.told(),
        "seed": job.seed,
        **result.lineage,
        "files": files,
    }
    if result.data is not None:
        line["data"] = result.data
    if result.report:
        line["report"] = result.report
    if result.error:
        line["error"] = {"code": result.code, "message": result.error}
    return line


def _fact(job: Job) -> Fact:
    """Return the end of a job as figures have it; how long a retry took is not told."""
    ended = job.finished or 0
    first = took(max(0, ended - job.created)) if job.generation == 1 else {}
    return Fact(
        about=About.JOBS,
        day=day_of(ended),
        status=job.state,
        operation=pipeline(step.operation for step in job.steps),
        counts={"count": 1, "items": job.items, **first},
    )


def counts_of(job: Job, outcomes: Counter[ItemOutcome]) -> Counts:
    """Return the counts that the rows give; what has no row was cancelled.

    Raises `RuntimeError` when a job that was not cancelled, and of which nothing has expired, has
    summed its units to other numbers.
    """
    counts = Counts(
        succeeded=outcomes[ItemOutcome.SUCCEEDED],
        failed=outcomes[ItemOutcome.FAILED],
        reused=outcomes[ItemOutcome.REUSED],
        cancelled=job.items - outcomes.total(),
    )
    if counts != job.counts and not job.cancelling and not job.expired:
        raise RuntimeError(f"{job.id}: its units sum to {job.counts}, its rows to {counts}")
    return counts


def final_state(job: Job, *, sealed: bool) -> JobState:
    """Judge a job by its items."""
    good = job.counts.succeeded + job.counts.reused
    if job.cancelling:
        return JobState.FAILED if job.error else JobState.CANCELLED
    undone = job.counts.failed + job.failed_earlier + job.counts.cancelled
    if not sealed or (undone and not good):
        return JobState.FAILED
    return JobState.PARTIAL if undone else JobState.SUCCEEDED


class Lines:
    """A blob of lines in the making, buffered."""

    def __init__(self, blobs: Blobs, key: str) -> None:
        self._context = blobs.upload(key)
        self._buffer = bytearray()
        self._upload: Upload

    async def __aenter__(self) -> Self:
        self._upload = await self._context.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._context.__aexit__(kind, error, traceback)

    async def add(self, line: bytes, end: bytes = b"\n") -> None:
        self._buffer += line
        self._buffer += end
        if len(self._buffer) >= BUFFER:
            await self._flush()

    async def commit(self) -> Digest:
        await self._flush()
        return await self._upload.commit()

    async def _flush(self) -> None:
        if self._buffer:
            await self._upload.write(bytes(self._buffer))
            self._buffer.clear()
