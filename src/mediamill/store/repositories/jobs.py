"""Jobs; the manifests that list their inputs are beside them (`manifests.py`).

    expanding ──▶ running ──▶ succeeded | partial | failed
        └────────────┴──▶ cancelling ──▶ cancelled          any of them ──▶ expired

`partial`: some items failed. A retry of failed items opens the job again in its next generation.
"""

from enum import StrEnum
from typing import Any

import msgspec

from mediamill.core.errors import NotFound
from mediamill.core.records import Index, Key, Record
from mediamill.core.tracing import traceparent
from mediamill.store.port import Page, Store
from mediamill.store.repositories.manifests import (
    INLINE_BYTES,
    PAGE_ENTRIES,
    Entry,
    ManifestPage,
    Manifests,
    Place,
    Problem,
    Weight,
)
from mediamill.store.repositories.spending import month_of

__all__ = [
    "INLINE_BYTES", "PAGE_ENTRIES", "Counts", "Entry", "Job", "JobState", "Jobs", "ManifestPage",
    "Manifests", "Place", "Problem", "Step", "Tally", "Weight",
]  # fmt: skip


FAILING = "failing"
"""What the index has of jobs that ended and of which not all succeeded."""


class JobState(StrEnum):
    EXPANDING = "expanding"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        return self in _ENDS


_ENDS = frozenset(JobState) - {JobState.EXPANDING, JobState.RUNNING, JobState.CANCELLING}


def failing_as(state: JobState) -> str | None:
    """Return what a job in a state has in `Job.failing`."""
    return FAILING if state in (JobState.FAILED, JobState.PARTIAL) else None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """An operation by its public name, with all its parameters resolved."""

    operation: str
    parameters: dict[str, Any] = {}


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Items of the current stage by outcome; the rest is pending."""

    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    reused: int = 0

    @property
    def settled(self) -> int:
        return self.succeeded + self.failed + self.cancelled + self.reused


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that the job has been in: its inputs and what became of them when it left."""

    items: int = 0
    counts: Counts = Counts()
    fed: int = 0
    """The generation up to which results of the stage before are listed as its inputs."""


class Job(Record, frozen=True, kw_only=True):
    """A list of steps over input files, run as stages."""

    table = "jobs"
    key = Key("id")
    indexes = (
        Index("job_listed", partition=("listed",), sort=("id",)),
        Index("job_open", partition=("open",), sort=("checked", "id"), shards=2),
        Index("job_active", partition=("active",), sort=("created", "id")),
        Index("job_finished", partition=("listed",), sort=("finished", "id")),
        Index("job_trashed", partition=("trash",), sort=("deleted", "id")),
        Index("job_failing", partition=("failing",), sort=("finished", "id"), shards=2),
    )

    id: str
    owner: str
    listed: str | None = None
    """The owner while the job shows in lists, else None."""
    active: str | None = None
    """The owner while the job is not terminal, else None."""
    open: str | None = None
    """`open` while the job is not terminal, else None: what the sweep looks at."""
    checked: int | None = None
    """When the sweep looked last (ms)."""
    failing: str | None = None
    """`failing` once the job has ended and not all of it succeeded, else None: what administrators
    look at. While it runs again it is not listed, as it has no `finished`."""
    name: str = ""
    inputs: dict[str, Any] = {}
    """Where the inputs of the first stage come from, if not from a list of files: `source` (one
    of `project`, `archive`, `manifest`), `id`, and for an archive `members`, its patterns; or
    `members_blob`, where they are too many for a row."""
    template: str = ""
    """The template that the steps were made from, and its version."""
    template_version: int = 0
    state: JobState = JobState.EXPANDING
    cancelling: bool = False
    """Cancellation was asked for; workers stop at their next heartbeat."""
    steps: tuple[Step, ...]
    klass: str
    seed: int = 0
    stage: int = 0
    """The stage that runs now."""
    stages: int = 1
    generation: int = 1
    items: int = 0
    """Inputs of the current stage, as far as it is expanded."""
    counts: Counts = Counts()
    failed_earlier: int = 0
    """Items that failed or were cancelled in stages before this one."""
    tallies: tuple[Tally, ...] = ()
    """One for each stage that the job has left, by moving on or by a retry of an earlier stage."""
    rerun: str = ""
    """Which items a retry runs again: `failed`, `cancelled` or `unfinished`, which is both."""
    agreed: dict[str, dict[str, Any]] = {}
    """What steps that survey the set first have agreed on, by their place in `steps`."""
    reuse: bool = True
    """Whether outcomes of earlier jobs may be taken over."""
    budget: int | None = None
    """The most that its model calls may cost, in micro-dollars; None for no limit."""
    batch: bool = False
    """Whether its questions may be answered within hours, for less."""
    chains: dict[str, tuple[tuple[str, str], ...]] = {}
    """Whom steps ask, by their place in `steps`: names of providers with their addresses, in
    order."""
    mail: bool | None = None
    """Whether its owner gets a mail when it has ended; None: as they want it for all jobs."""
    expanded: bool = False
    units: int = 0
    """Units of the job so far; the next one gets this sequence number."""
    watermark: int = 0
    """Units below this sequence number are summed in `counts`."""
    sealing: int = 0
    """The generation whose layout is being written, or was."""
    cost: float = 0.0
    """Estimated seconds of one core for all units."""
    planned: float = 0.0
    """The same for stages that are not in units yet, as far as it can be told."""
    spent: float = 0.0
    """Estimated seconds of the units below the watermark."""
    revision: int = 0
    """Grows with every change that listeners see; the id of events."""
    layout: str | None = None
    """Blob that describes the download."""
    download_size: int = 0
    download_etag: str = ""
    trace: str | None = msgspec.field(default_factory=traceparent)
    """The span in which it was submitted."""
    output_project: str = ""
    """The project that its result files join at the end."""
    joined: int = 0
    """How many have joined."""
    charged: int = 0
    """Bytes of its results that its owner's `Usage` counts."""
    counted: bool = False
    """Whether its owner's `Usage` counts it as open."""
    metered: dict[str, int] = {}
    """Items of it that its owner's `MonthlyUsage` counts, by month: those that were run, and those
    that are about to be; what is run now counts in the last month."""
    reserved: int = 0
    """How many of them are about to be run."""
    error: str = ""
    created: int
    started: int | None = None
    finished: int | None = None

    expired: int = 0
    """Items of the last stage whose input has expired: their outcomes count, and hold nothing."""
    trimming: int | None = None
    """When what has expired began to be taken out (ms); until that is over it has no download."""
    deleted: int | None = None
    """When its owner deleted it (ms); it is purged a day later, once its work has stopped."""
    trash: str | None = None
    """The owner while the deletion can be undone, else None."""

    @property
    def hidden(self) -> bool:
        """Whether it is answered as absent."""
        return self.deleted is not None

    @property
    def purged(self) -> bool:
        """Whether it is hidden for good: what is left of it goes."""
        return self.hidden and self.trash is None

    @property
    def turn(self) -> int:
        """Number of the job's pass, one per stage and generation."""
        return self.generation * self.stages + self.stage

    @property
    def month(self) -> str:
        """The month in which its items count, `2026-11` (UTC)."""
        return max(self.metered, default=month_of(self.created))

    def metering(self, items: int, month: str = "") -> dict[str, int]:
        """Return what it has `metered` when so many items more, or fewer, count in a month."""
        month = month or self.month
        return {**self.metered, month: self.metered.get(month, 0) + items}

    @property
    def overcounted(self) -> bool:
        """Whether it has ended and still counts, since an earlier version ended it."""
        return self.state.terminal and (self.counted or self.reserved > 0)

    @property
    def uncounted(self) -> dict[str, Any]:
        """What changes of it as it counts as open no more, nor what was to be run and never was."""
        return {"counted": False, "metered": self.metering(-self.reserved), "reserved": 0}

    def told(self) -> list[dict[str, Any]]:
        """Return the steps for a lineage: what each is, and what it agreed on if it surveyed."""
        return [
            {"operation": step.operation, "parameters": step.parameters}
            | ({"agreed": self.agreed[str(place)]} if str(place) in self.agreed else {})
            for place, step in enumerate(self.steps)
        ]

    def noted(self) -> tuple[Tally, ...]:
        """Return the tallies with that of the current stage as it is now."""
        known = [*self.tallies, *[Tally()] * (self.stage + 1 - len(self.tallies))]
        known[self.stage] = msgspec.structs.replace(
            known[self.stage], items=self.items, counts=self.counts
        )
        return tuple(known)

    def log_context(self) -> dict[str, Any]:
        return {"job": self.id, "owner": self.owner, "generation": self.generation}


class Jobs:
    """Reads of jobs."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, job_id: str) -> Job | None:
        return await self.store.get(Job, job_id)

    async def need(self, job_id: str) -> Job:
        """Return a job that must be there; raises `NotFound`."""
        job = await self.get(job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        return job

    async def of_owner(self, owner: str, after: str | None, limit: int) -> Page[Job]:
        """List an owner's jobs, newest first."""
        index = Job.index("job_listed")
        return await self.store.query(Job, index, owner, after=after, limit=limit, descending=True)

    async def unfinished(
        self,
        owner: str,
        *,
        until: int | None = None,
        after: str | None = None,
        limit: int = 100,
        descending: bool = False,
    ) -> Page[Job]:
        """List an owner's unfinished jobs accepted up to a time (ms), oldest first."""
        index = Job.index("job_active")
        return await self.store.query(
            Job, index, owner, at_most=until, after=after, limit=limit, descending=descending
        )

    async def finished_since(
        self, owner: str, time: int, after: str | None = None, limit: int = 100
    ) -> Page[Job]:
        """List an owner's jobs that ended at `time` (ms) or later, in the order of their ends."""
        index = Job.index("job_finished")
        return await self.store.query(Job, index, owner, at_least=time, after=after, limit=limit)

    async def last_finished(self, owner: str, limit: int) -> tuple[Job, ...]:
        """List the jobs of an owner that ended last, the latest first."""
        index = Job.index("job_finished")
        return (await self.store.query(Job, index, owner, limit=limit, descending=True)).rows

    async def last_failing(self, after: str | None, limit: int) -> Page[Job]:
        """List everybody's jobs that ended with something failed, the latest end first."""
        index = Job.index("job_failing")
        return await self.store.query(
            Job, index, FAILING, after=after, limit=limit, descending=True
        )

    async def trashed(
        self, owner: str, after: str | None, limit: int, *, since: int | None = None
    ) -> Page[Job]:
        """List an owner's deleted jobs that can be restored, the last deleted first."""
        index = Job.index("job_trashed")
        return await self.store.query(
            Job, index, owner, at_least=since, after=after, limit=limit, descending=True
        )

    async def running_of(self, owner: str, until: int) -> bool:
        """Tell whether an owner has an unfinished job accepted up to a time (ms), a settled one."""
        return bool((await self.unfinished(owner, until=until, limit=1)).rows)

    async def unchecked_since(self, time: int, limit: int = 20) -> tuple[Job, ...]:
        """List unfinished jobs that no sweep has looked at since `time` (ms)."""
        index = Job.index("job_open")
        return (await self.store.query(Job, index, "open", at_most=time, limit=limit)).rows
