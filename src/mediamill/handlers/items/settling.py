"""Make the rows of what items became, and what they made durable."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mediamill.blobs.port import Blobs
from mediamill.blobs.together import adopt_together
from mediamill.core.errors import MediamillError
from mediamill.engine.libraries import libraries
from mediamill.engine.slots import Failed
from mediamill.handlers.items.steps import Work, result_file
from mediamill.operations.work import Outcome, Output
from mediamill.store.repositories.jobs import INLINE_BYTES, Entry, Job
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ItemOutcome, Result, ResultFile
from mediamill.store.repositories.units import Unit

MOST_WHY = 200
"""Characters of why a partner was left out."""
TENTHS = 10_000
"""Of a millisecond, in a second."""


def lineage(work: Work) -> dict[str, Any]:
    """Return what an input's outcome depends on beside its steps, for it to be made again."""
    found: dict[str, Any] = {"libraries": libraries()}
    if work.file.sha256:
        found["sha256"] = work.file.sha256
    if work.partners:
        found["partners"] = [partner.item for partner in work.partners]
    return found


@dataclass(frozen=True)
class Done:
    """What an item made, and the seconds that it ran; 0 where nobody took the time."""

    work: Work
    outcome: Outcome
    seconds: float


def _left_out(done: Done) -> dict[str, Any]:
    """Return which partners an item was made without, and why, for its report."""
    partners, found = done.work.partners, [*done.work.left_out]
    for place, why in done.outcome.left_out.items():
        if 0 <= place < len(partners):
            found.append((partners[place].item, why[:MOST_WHY]))
    said = [{"item": item, "why": why} for item, why in sorted(dict(found).items())]
    return {"partners_left_out": said} if said else {}


class Settling:
    """Makes the outcomes of one claim of a unit."""

    def __init__(
        self, lookup: FileLookup, results: Blobs, job: Job, unit: Unit, *, inner: bool = False
    ) -> None:
        """`inner` says that what is made is only for the stages that follow."""
        self._lookup, self._results, self._job, self._unit = lookup, results, job, unit
        self._fence, self._inner = unit.fence, inner
        self._roots: dict[str, str | None] = {}
        self.began = time.monotonic()
        """When the item at hand was begun."""

    def prefix(self, item: int) -> str:
        """Return what the keys of an item's blobs begin with; no other claim uses them."""
        return f"results/{self._job.id}/{self._unit.seq}-{self._fence}-{item}-"

    async def blank(self, item: int, entry: Entry, seconds: float = 0.0) -> Result:
        """Make an item's row, without an outcome yet; it ran for so many seconds.

        0 says that nothing ran, or that nobody took the time; what ran took a tenth of a
        millisecond at least.
        """
        return Result(
            job=self._job.id,
            stage=int(self._unit.payload["stage"]),
            item=item,
            generation=int(self._unit.payload["generation"]),
            outcome=ItemOutcome.SUCCEEDED,
            input=entry.file,
            root=await self._root(entry.file),
            name=entry.name,
            path=entry.path,
            seconds=math.ceil(seconds * TENTHS) / TENTHS,
            created=await self._lookup.store.now(),
        )

    async def failed(
        self,
        item: int,
        entry: Entry,
        error: MediamillError | Failed,
        seconds: float = 0.0,
    ) -> Result:
        """Make the outcome of an item that went wrong, after it ran for so many seconds."""
        blank = await self.blank(item, entry, seconds)
        return blank.evolve(
            outcome=ItemOutcome.FAILED,
            code=error.code,
            error=error.message[:1000],
            retryable=error.retryable,
        )

    def seconds(self) -> float:
        """Return how long the item at hand has taken."""
        return time.monotonic() - self.began

    async def succeeded(self, done: Sequence[Done]) -> list[Result]:
        """Make items' files durable, all together, under keys that only this claim uses."""
        await adopt_together(
            self._results,
            [
                (f"{self.prefix(one.work.item)}{n}", output.path)
                for one in done
                for n, output in enumerate(one.outcome.files)
            ],
        )
        return [await self._made(one) for one in done]

    async def _made(self, done: Done) -> Result:
        item, entry, outcome = done.work.item, done.work.entry, done.outcome
        files, inline, count = list[ResultFile](), 0, len(outcome.files)
        for n, output in enumerate(outcome.files):
            inline += len(output.annotations)
            beside = f"{self.prefix(item)}{count + n}" if inline > INLINE_BYTES else ""
            files.append(await self._file(output, f"{self.prefix(item)}{n}", beside))
        blank = await self.blank(item, entry, done.seconds)
        data = dict(outcome.data) if outcome.data is not None else None
        report, made = {**outcome.report, **_left_out(done)}, lineage(done.work)
        return blank.evolve(files=tuple(files), data=data, report=report, lineage=made)

    async def _file(self, output: Output, blob: str, beside: str) -> ResultFile:
        """Describe a file; what is marked on it goes to the key beside it, if one is given."""
        if not output.annotations or not beside:
            return result_file(output, blob, inner=self._inner)
        await self._results.put(beside, output.annotations)
        return result_file(output, blob, beside, inner=self._inner)

    async def _root(self, file: str) -> str | None:
        """Return the file that came in and that an input was made of."""
        if file not in self._roots:
            self._roots[file] = await self._lookup.root(file)
        return self._roots[file]
