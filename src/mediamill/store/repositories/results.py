"""Results: the one outcome of each item of a job's stage, per generation.

A result file has no row of its own: it is embedded in its item's row and its id says where,
`file_{job}-{stage}-{item}-{n}`, so that forty outcomes fit in one guarded transaction.
"""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

import msgspec

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Page, Store, key_index, unsettled


class ItemOutcome(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REUSED = "reused"


class ResultFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that an item produced; its bytes are the blob."""

    name: str
    media_type: str
    size: int
    sha256: str
    crc32: int
    blob: str
    info: dict[str, Any] = {}
    annotations: bytes = b""
    """What is marked on it (`ImageAnnotations.encode`), while it is small."""
    annotations_blob: str = ""
    """Else where that lies."""
    inner: bool = False
    """Only for the stages that follow, as what was measured: no output of the job."""

    @property
    def blobs(self) -> tuple[str, ...]:
        """All that it holds."""
        return (self.blob, self.annotations_blob) if self.annotations_blob else (self.blob,)


class Result(Record, frozen=True, kw_only=True):
    """What became of one item."""

    table = "results"
    key = Key("job", "stage", "item", shards=4)
    indexes = (
        Index("result_outcome", partition=("job", "outcome"), sort=("stage", "item"), shards=4),
        Index("result_input", partition=("job", "input"), sort=("stage", "item"), shards=2),
        Index("result_root", partition=("root",), sort=("job", "stage", "item"), shards=4),
    )

    job: str
    stage: int
    item: int
    """Index of the input in the stage's manifest."""
    generation: int
    outcome: ItemOutcome
    input: str
    """Id of the input file; empty once that has expired."""
    root: str | None = None
    """Id of the file that came in and of which all this was made, through whatever stages and jobs:
    it goes when that expires. None where nothing came in, or it has expired."""
    expired: int | None = None
    """When retention took what it held (ms): only the outcome is left, which the job counts."""
    name: str
    """Name of the input."""
    path: str = ""
    """Where in the input, an archive, the member lies; empty for the whole file."""
    files: tuple[ResultFile, ...] = ()
    data: dict[str, Any] | None = None
    report: dict[str, Any] = {}
    """What the operation measured or decided; part of the lineage."""
    lineage: dict[str, Any] = {}
    """What else it was made with: `libraries` and their versions, the input's `sha256`, `partners`
    (items of the same stage) that were mixed in."""
    code: str = ""
    """Error code of a failed item."""
    error: str = ""
    retryable: bool = False
    seconds: float = 0.0
    """How long it ran; 0 where nothing did, or nobody took the time."""
    created: int

    @property
    def source(self) -> str | None:
        """Id of the file that came in, also where an earlier version wrote the row."""
        plain = self.input and parse_result_file(self.input) is None
        return self.root or (self.input if plain else None)

    @property
    def outputs(self) -> tuple[tuple[int, ResultFile], ...]:
        """What came of the item for its owner, each file with its number."""
        return tuple((n, file) for n, file in enumerate(self.files) if not file.inner)

    def emptied(self, now: int) -> "Result":
        """Return it as it is once the file that it was made of has expired."""
        return Result(
            job=self.job,
            stage=self.stage,
            item=self.item,
            generation=self.generation,
            outcome=self.outcome,
            input="",
            name="",
            expired=now,
            created=self.created,
        )

    def file_id(self, n: int) -> str:
        return f"file_{self.job.removeprefix('job_')}-{self.stage}-{self.item}-{n}"


def parse_result_file(file_id: str) -> tuple[str, int, int, int] | None:
    """Read (job, stage, item, n) out of a result file's id; None for any other id."""
    head, *numbers = file_id.removeprefix("file_").split("-")
    if len(numbers) != 3 or not all(part.isascii() and part.isdigit() for part in numbers):
        return None
    if any(len(part) > 9 for part in numbers):
        return None
    stage, item, n = (int(part) for part in numbers)
    return f"job_{head}", stage, item, n


class Results:
    """Reads of results; they are written by `engine/flush.py`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, job: str, stage: int, item: int) -> Result | None:
        return await self.store.get(Result, job, stage, item)

    async def of_stage(
        self, job: str, stage: int, after: str | None = None, limit: int = 100
    ) -> Page[Result]:
        """List the results of one stage in item order."""
        return await self.store.query(
            Result,
            key_index(Result),
            job,
            at_least=stage,
            at_most=stage,
            after=after,
            limit=limit,
        )

    async def of_job(self, job: str, after: str | None = None, limit: int = 100) -> Page[Result]:
        """List the results of all stages, by stage and item."""
        return await self.store.query(Result, key_index(Result), job, after=after, limit=limit)

    async def with_outcome(
        self,
        job: str,
        outcome: ItemOutcome,
        after: str | None = None,
        limit: int = 100,
        stages: tuple[int | None, int | None] = (None, None),
    ) -> Page[Result]:
        """List a job's results of one outcome, of all or some stages, by stage and item."""
        first, last = stages
        return await self.store.query(
            Result,
            Result.index("result_outcome"),
            job,
            outcome,
            at_least=first,
            at_most=last,
            after=after,
            limit=limit,
        )

    async def of_input(
        self, job: str, input_id: str, after: str | None = None, limit: int = 100
    ) -> Page[Result]:
        """List what an input of any stage became, by stage and item."""
        index = Result.index("result_input")
        return await self.store.query(Result, index, job, input_id, after=after, limit=limit)

    async def failed_before(
        self, job: str, stage: int, ended: int | None = None
    ) -> AsyncIterator[Result]:
        """Visit the failed results of the stages before one, by stage and item.

        Of a job that `ended` (ms) a moment ago all results are looked at, lest the index lacks one.
        """
        if ended is not None and await unsettled(self.store, ended):
            for each in range(stage):
                async for result in self.walk_stage(job, each):
                    if result.outcome is ItemOutcome.FAILED:
                        yield result
            return
        after: str | None = None
        while stage > 0:
            page = await self.store.query(
                Result,
                Result.index("result_outcome"),
                job,
                ItemOutcome.FAILED,
                at_most=stage - 1,
                after=after,
            )
            for result in page.rows:
                yield result
            after = page.after
            if after is None:
                return

    async def walk_stage(self, job: str, stage: int) -> AsyncIterator[Result]:
        """Visit every result of a stage in item order, in constant memory."""
        after: str | None = None
        while True:
            page = await self.of_stage(job, stage, after, limit=1000)
            for result in page.rows:
                yield result
            after = page.after
            if after is None:
                return
