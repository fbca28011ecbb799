"""Jobs, and the manifests that list a stage's inputs.

    expanding ──▶ running ──▶ succeeded | partial | failed
        └────────────┴──▶ cancelling ──▶ cancelled          any of them ──▶ expired

`partial`: some items failed. A retry of failed items opens the job again in its next generation.
"""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from mediamill.blobs.port import Blobs
from mediamill.core.errors import NotFound
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Page, Put, Store

INLINE_BYTES = 8_000
"""Larger data lives in a blob and the row points at it."""

PAGE_ENTRIES = 1_000
"""Inputs per manifest page."""


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
        return self not in (JobState.EXPANDING, JobState.RUNNING, JobState.CANCELLING)


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


class Job(Record, frozen=True, kw_only=True):
    """A list of steps over input files, run as stages."""

    table = "jobs"
    key = Key("id")
    indexes = (
        Index("job_listed", partition=("listed",), sort=("id",)),
        Index("job_open", partition=("open",), sort=("checked", "id")),
        Index("job_active", partition=("active",), sort=("id",)),
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
    name: str = ""
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
    """Items that failed in stages before this one."""
    expanded: bool = False
    units: int = 0
    """Units of the job so far; the next one gets this sequence number."""
    watermark: int = 0
    """Units below this sequence number are summed in `counts`."""
    sealing: int = 0
    """The generation whose layout is being written, or was."""
    cost: float = 0.0
    """Estimated seconds of one core for everything."""
    spent: float = 0.0
    """Estimated seconds of the units below the watermark."""
    revision: int = 0
    """Grows with every change that listeners see; the id of events."""
    layout: str | None = None
    """Blob that describes the download."""
    download_size: int = 0
    download_etag: str = ""
    error: str = ""
    created: int
    started: int | None = None
    finished: int | None = None

    deleted: int | None = None
    """When its owner deleted it (ms); it is purged once its work has stopped."""

    @property
    def hidden(self) -> bool:
        """Whether it is answered as absent."""
        return self.deleted is not None

    @property
    def turn(self) -> int:
        """Number of the job's pass, one per stage and generation."""
        return self.generation * self.stages + self.stage

    def log_context(self) -> dict[str, Any]:
        return {"job": self.id, "owner": self.owner, "generation": self.generation}


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One input of a stage."""

    file: str
    name: str


class ManifestPage(Record, frozen=True, kw_only=True):
    """Up to a thousand inputs of a stage: inline while small, else in a blob."""

    table = "manifests"
    key = Key("job", "stage", "page")

    job: str
    stage: int
    page: int
    inline: bytes | None = None
    blob: str | None = None


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

    async def running_of(self, owner: str, before: str) -> bool:
        """Tell whether an owner has an unfinished job accepted up to the id `before`."""
        index = Job.index("job_active")
        page = await self.store.query(Job, index, owner, at_most=before, limit=1)
        return bool(page.rows)

    async def unchecked_since(self, time: int, limit: int = 20) -> tuple[Job, ...]:
        """List unfinished jobs that no sweep has looked at since `time` (ms)."""
        index = Job.index("job_open")
        return (await self.store.query(Job, index, "open", at_most=time, limit=limit)).rows


class Manifests:
    """The inputs of each stage, in pages."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self.store, self.blobs = store, blobs

    async def page(self, job: str, stage: int, page: int, entries: Sequence[Entry]) -> Put:
        """Make the action that stores a page; a large one is written to its blob first."""
        data = msgspec.json.encode(entries)
        if len(data) <= INLINE_BYTES:
            return Put(ManifestPage(job=job, stage=stage, page=page, inline=data))
        blob = f"manifests/{job}/{stage}-{page}"
        await self.blobs.put(blob, data)
        return Put(ManifestPage(job=job, stage=stage, page=page, blob=blob))

    async def entries(self, job: str, stage: int, page: int) -> list[Entry]:
        """Read one page; raises `NotFound`."""
        row = await self.store.get(ManifestPage, job, stage, page)
        if row is None:
            raise NotFound(f"Job {job} has no inputs {page * PAGE_ENTRIES} … of stage {stage}.")
        data = row.inline if row.blob is None else await self.blobs.get(row.blob)
        return msgspec.json.decode(data or b"[]", type=list[Entry])

    async def at(self, job: str, stage: int, indexes: Sequence[int]) -> dict[int, Entry]:
        """Read the inputs of some item indexes."""
        found: dict[int, Entry] = {}
        for page in sorted({index // PAGE_ENTRIES for index in indexes}):
            entries = await self.entries(job, stage, page)
            start = page * PAGE_ENTRIES
            chosen = (i for i in indexes if i // PAGE_ENTRIES == page and i - start < len(entries))
            found.update((index, entries[index - start]) for index in chosen)
        return found

    async def walk(self, job: str, stage: int, items: int) -> AsyncIterator[tuple[int, Entry]]:
        """Visit every input of a stage as (index, entry)."""
        for page in range((items + PAGE_ENTRIES - 1) // PAGE_ENTRIES):
            for place, entry in enumerate(await self.entries(job, stage, page)):
                yield page * PAGE_ENTRIES + place, entry
