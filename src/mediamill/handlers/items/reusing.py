"""Take over what an earlier job made of the same bytes with the same steps.

Each job owns its blobs: files that are taken over get a second key, by a link where that is
possible, so jobs are purged without looking at each other (ADR 0010).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from mediamill.blobs.port import Blobs
from mediamill.core.errors import NotFound
from mediamill.engine.flush import Flush
from mediamill.engine.reuse import renamed
from mediamill.handlers.items.settling import Done, Settling, lineage
from mediamill.handlers.items.steps import Work
from mediamill.store.repositories.results import ItemOutcome, Result, ResultFile
from mediamill.store.repositories.reuse import Reuse, Reuses


@dataclass
class Takeover:
    """Copies files of earlier results to the keys of the claim that takes them over."""

    blobs: Blobs
    reuses: Reuses

    async def all(
        self, owner: str, works: Sequence[Work], settling: Settling, flush: Flush
    ) -> list[Work]:
        """Settle what earlier jobs did already; return what is left to run."""
        digests = [work.digest for work in works if work.digest]
        found, left = await self.reuses.find(owner, digests), list[Work]()
        for work in works:
            old, taken = found.get(work.digest), None
            if old is not None:
                blank = await settling.blank(work.item, work.entry)
                taken = await self.apply(blank, old, settling.prefix(work.item))
            if taken is None:
                left.append(work)
            else:
                made = {**lineage(work), "libraries": taken.lineage.get("libraries", {})}
                taken = taken.evolve(lineage=made)
                await flush.add(taken, reuse_row(owner, work.digest, taken))
        return left

    async def apply(self, blank: Result, old: Result, prefix: str) -> Result | None:
        """Return an item's outcome made of an older one; None where that is not possible.

        `blank` is the item's result without an outcome; keys are `prefix` with a number.
        """
        files = renamed(old, blank.name)
        if files is None:
            return None
        try:
            taken = [
                await self._copy(file, f"{prefix}{n}", f"{prefix}{len(files) + n}")
                for n, file in enumerate(files)
            ]
        except NotFound:  # purged meanwhile
            return None
        return blank.evolve(
            outcome=ItemOutcome.REUSED,
            files=tuple(taken),
            data=old.data,
            report=old.report,
            lineage=old.lineage,
            seconds=0.0,
        )

    async def _copy(self, file: ResultFile, key: str, beside: str) -> ResultFile:
        """Copy a file to a key, and what is marked on it to the one beside it."""
        await self.blobs.copy(file.blob, key)
        if not file.annotations_blob:
            return msgspec.structs.replace(file, blob=key)
        await self.blobs.copy(file.annotations_blob, beside)
        return msgspec.structs.replace(file, blob=key, annotations_blob=beside)


def reuse_of(owner: str, done: Done, result: Result) -> Reuse | None:
    """Return the same of what was just made; none where it is not all that its digest names."""
    return None if done.outcome.left_out else reuse_row(owner, done.work.digest, result)


def reuse_row(owner: str, digest: str, result: Result) -> Reuse | None:
    """Return the row by which later jobs find a result; None for one that they cannot use."""
    if not digest or result.outcome is ItemOutcome.FAILED:
        return None
    return Reuse(owner=owner, digest=digest, job=result.job, stage=result.stage, item=result.item)
