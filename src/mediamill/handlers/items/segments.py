"""`segment`: one part of a long input, worked on beside the others; and how parts become one.

The unit of an item that its operation can do in parts (`MediaOperation.segments`) plans them in a
slot and adds a unit for each to its job. It waits, given back, until they have closed; then it
joins their archives into the very bytes that one run over the whole would have written. Where
anything about that fails, the item is simply run whole, so its outcome is what it always was.

A worker that is killed costs one part. The units of parts belong to the job like others, without
items of their own: cancelling, purging and progress need to know nothing of them.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConditionFailed, MediamillError, NotFound, SlotFailure
from mediamill.engine.inputs import call_item, home_of, opened
from mediamill.engine.lease import Lease
from mediamill.engine.retry import may_be_late
from mediamill.engine.reuse import Digests
from mediamill.engine.slots import Call, Failed, Progress, SlotPool, Succeeded
from mediamill.engine.stages import StageKind, job_unit
from mediamill.handlers.items.steps import agreed_in, result_file, stage_of, stored
from mediamill.handlers.stages.joining import Joiner
from mediamill.operations.base import MediaOperation
from mediamill.operations.catalogue import Catalogue
from mediamill.store.port import Equals, Put, Update
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Job, Jobs, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ResultFile
from mediamill.store.repositories.reuse import Reuses
from mediamill.store.repositories.units import Unit, Units, UnitState, lane_of

log = structlog.get_logger(__name__)

MOST_PARTS = 80
"""Parts of one item, which are inserted in one transaction."""
JOINING_COST = 0.1
WAIT_MS = 5_000
"""How long a waiting unit sleeps at most; whoever closes the last part wakes it."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Long:
    """A long input, and what is to be done to it."""

    item: int
    entry: Entry
    file: File
    steps: tuple[tuple[str, dict[str, Any]], ...]
    digest: str
    """By which an earlier outcome is found."""
    seed: int = 0
    agreed: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Segments:
    """Plans the parts of long inputs, runs them, waits for them, and hands them to the joiner."""

    jobs: Jobs
    units: Units
    manifests: Manifests
    lookup: FileLookup
    blobs: Blobs
    results: Blobs
    slots: SlotPool
    catalogue: Catalogue
    bell: Doorbell
    scratch: Path
    after_seconds: float = 600.0
    """Inputs that last longer are done in parts of about half of it; 0 does all whole."""

    # -- the unit of the item -------------------------------------------------------------------

    async def hold(self, lease: Lease, job: Job) -> bool:
        """Tell whether the item's unit was given back, to wait for the parts of its item."""
        if "parts" not in lease.unit.payload:
            long = await self._long(lease.unit, job)
            if long is None or not job.expanded or await self._done_before(job, long):
                return False
            spans = await self._planned(lease, long)
            if len(spans) < 2 or not await self._inserted(lease, job, spans):
                return False
        if not any(part.state.open for part in await self.parts(lease.unit)):
            return False
        await lease.release(WAIT_MS)
        await self._wake(lease.unit)  # the last part may have closed just before
        return True

    async def joined(self, lease: Lease, job: Job, key: str) -> tuple[ResultFile, Any] | None:
        """Join the parts of the unit's item as blob `key`; None where it is to be run whole.

        Returns the file and the report of the whole. Raises `NotFound` where bytes of a part may
        only not be seen yet.
        """
        if "parts" not in lease.unit.payload:
            return None
        parts = await self.parts(lease.unit)
        made = [part.payload["made"] for part in parts if "made" in part.payload]
        if not made or len(made) < len(parts):
            return None
        joiner = Joiner(self.results, self.scratch)
        files = [msgspec.convert(one["file"], ResultFile) for one in made]
        try:
            file = await joiner.join(files, key)
        except NotFound as error:
            if may_be_late(error, lease.unit.attempts):
                raise
            # Rows of a backup: they were joined, and removed, while it was made.
            log.warning("parts lost", action="parts_lost", parts=len(parts), **job.log_context())
            return None
        log.info("parts joined", action="parts_joined", parts=len(parts), **job.log_context())
        report = {**made[-1]["report"], "frames": file.info["frames"], "segments": len(parts)}
        return file, report

    async def clear(self, unit: Unit) -> None:
        """Remove what the parts of a unit's item wrote, which is joined now."""
        for part in await self.parts(unit):
            if "made" in part.payload:
                await self.results.delete(part.payload["made"]["file"]["blob"])

    async def parts(self, unit: Unit) -> tuple[Unit, ...]:
        """List the units of the parts of a unit's item."""
        if "parts" not in unit.payload:
            return ()
        first, count = unit.payload["parts"]
        return (await self.units.of_group(unit.group, first, count))[:count]

    async def _long(self, unit: Unit, job: Job) -> Long | None:
        """Return the one input of a unit if its stage may do that in parts."""
        pending = unit.pending()
        if len(unit.items) != 1 or not pending or not self.after_seconds or unit.strikes:
            return None
        stage = stage_of(self.catalogue, job, int(unit.payload["stage"]))
        first, *others = stage.steps
        whole = stage.kind is not StageKind.RUN or not isinstance(first, MediaOperation)
        if whole or not all(map(first.carries, others)):
            return None
        entries = await self.manifests.at(job.id, int(unit.payload["stage"]), pending)
        entry = entries[pending[0]]
        (file,) = await self.lookup.get_many([entry.file], at=job.created)
        if file is None or entry.path or file.duration <= self.after_seconds:
            return None
        if not first.takes(file.media_type):
            return None
        steps, agreed = stored(job, stage), agreed_in(job, stage)
        digest = Digests(steps, stage, job.seed, agreed).of(file, entry)
        named = tuple((step.operation, step.parameters) for step in steps)
        return Long(pending[0], entry, file, named, digest, job.seed, agreed)

    async def _done_before(self, job: Job, long: Long) -> bool:
        found = await Reuses(self.jobs.store).find(job.owner, [long.digest]) if job.reuse else {}
        return bool(found)

    async def _planned(self, lease: Lease, long: Long) -> list[Span]:
        """Ask the operation for the parts; none where it fails, which the whole run will tell."""
        seconds = max(self.after_seconds / 2, long.file.duration / MOST_PARTS)
        call = self._call(lease, long, kind="plan", segment_seconds=seconds)
        with suppress(MediamillError):
            async with call as event:
                if isinstance(event, Succeeded) and event.outcome.data:
                    spans = event.outcome.data["spans"]
                    return [(int(first), int(last)) for first, last in spans][:MOST_PARTS]
        return []

    async def _inserted(self, lease: Lease, job: Job, spans: Sequence[Span]) -> bool:
        """Add a unit for each part to the job; False where the job has moved on meanwhile.

        The parts carry the cost of the item, so its own unit pays back what its claim was charged.
        """
        unit, now = lease.unit, await self.jobs.store.now()
        while not job.cancelling:
            units = [
                job_unit(
                    job, "segment", group=job.id, seq=job.units + place, now=now,
                    cost=max(0.001, unit.cost / len(spans)), items=[], item=unit.pending()[0],
                    span=span, parent=unit.seq,
                )
                for place, span in enumerate(spans)
            ]  # fmt: skip
            guard = (
                Equals("units", job.units),
                Equals("generation", unit.payload["generation"]),
                Equals("cancelling", False),
            )
            growth: dict[str, int | float] = {"units": len(units), "revision": 1}
            adding = (Put(part) for part in units)
            payload = {**unit.payload, "parts": (job.units, len(units))}
            with suppress(ConditionFailed):
                await lease.write(
                    Update(Job, (job.id,), add=growth, when=guard), *adding,
                    wake=lane_of(unit), credit=unit.cost, payload=payload, cost=JOINING_COST,
                )  # fmt: skip
                await self.bell.ring(f"work:{job.klass}")
                return True
            job = await self.jobs.need(job.id)
            if job.generation != unit.payload["generation"]:
                break
        return False

    # -- the unit of a part ---------------------------------------------------------------------

    async def run(self, lease: Lease) -> None:
        """Run one part; what goes wrong in it is noted, and the item will be run whole."""
        job, unit = await self.jobs.need(lease.unit.payload["job"]), lease.unit
        parent = await self.units.get(unit.group, int(unit.payload["parent"]))
        if job.cancelling or parent is None or not parent.state.open:
            await lease.finish()
            return
        long = await self._long(parent, job)
        made = await self._made(lease, long) if long is not None else None
        payload = unit.payload if made is None else {**unit.payload, "made": made}
        await lease.finish(progress=1.0, payload=payload)
        await self._wake(parent)

    async def _made(self, lease: Lease, long: Long) -> dict[str, Any] | None:
        """Run a part in a slot and keep what it writes; None where that fails."""
        unit = lease.unit
        blob = f"results/{unit.group}/{unit.seq}-{unit.fence}-{long.item}-0"
        with suppress(SlotFailure):
            async with self._call(lease, long, span=tuple(unit.payload["span"])) as event:
                if not isinstance(event, Succeeded) or len(event.outcome.files) != 1:
                    return None
                (output,) = event.outcome.files
                await self.results.adopt(blob, output.path)
                file = msgspec.to_builtins(result_file(output, blob))
                return {"file": file, "report": dict(event.outcome.report)}
        return None

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Close the part without an outcome: its item will be run whole."""
        await lease.finish(error=str(error)[:500])
        parent = await self.units.get(lease.unit.group, int(lease.unit.payload["parent"]))
        if parent is not None:
            await self._wake(parent)

    async def _wake(self, waiting: Unit) -> None:
        """Let the item's unit be claimed now if all its parts have closed."""
        unit = await self.units.get(waiting.group, waiting.seq)
        if unit is None or unit.state is not UnitState.READY:
            return
        if any(part.state.open for part in await self.parts(unit)):
            return
        same = (Equals("state", unit.state), Equals("fence", unit.fence))
        due = {"due": await self.units.store.now()}
        with suppress(ConditionFailed):
            await self.units.commit(
                Update(Unit, unit.key_values(), set=due, when=same), wake=lane_of(unit)
            )
            await self.bell.ring(f"work:{unit.klass}")

    @asynccontextmanager
    async def _call(
        self, lease: Lease, long: Long, **options: Any
    ) -> AsyncIterator[Succeeded | Failed]:
        """Give what a slot makes of a long input; its files are there within the block."""
        home = home_of(long.file, self.blobs, self.results)
        async with opened(home, long.file.blob, self.scratch) as descriptor:
            item = call_item(long.item, long.file, descriptor, long.entry)
            async with self.slots.acquire() as slot:
                call = Call(long.steps, (item,), seed=long.seed, agreed=long.agreed, **options)
                async for event in slot.run(call):
                    if isinstance(event, Progress):
                        lease.progress = event.fraction
                    elif isinstance(event, Succeeded | Failed):
                        yield event
