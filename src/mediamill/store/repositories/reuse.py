"""Where an owner's earlier outcomes are: by what was read and what was done to it.

The key is a digest of the input, the steps with their parameters and versions, and the seed where
a step draws (`engine/reuse.py`). A row points at the newest item with that outcome; what it points
at may be gone, and the item is then simply run.
"""

from collections.abc import AsyncIterator, Sequence

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Store
from mediamill.store.repositories.results import ItemOutcome, Result

BATCH = 100


class Reuse(Record, frozen=True, kw_only=True):
    """The item whose result may be taken over for a key."""

    table = "reuse"
    key = Key("owner", "digest", shards=8)
    indexes = (Index("reuse_job", partition=("job",), sort=("digest", "owner"), shards=4),)

    owner: str
    digest: str
    job: str
    stage: int
    item: int


class Reuses:
    """Reads of earlier outcomes; they are written by `engine/flush.py` with their results."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def find(self, owner: str, digests: Sequence[str]) -> dict[str, Result]:
        """Return the results that may be taken over, by their digest."""
        rows = [
            row
            for start in range(0, len(digests), BATCH)
            for row in await self.store.get_many(
                Reuse, [(owner, digest) for digest in digests[start : start + BATCH]]
            )
            if row is not None
        ]
        found: dict[str, Result] = {}
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            keys = dict.fromkeys((row.job, row.stage, row.item) for row in part)
            results = dict(zip(keys, await self.store.get_many(Result, [*keys]), strict=True))
            for row in part:
                result = results[row.job, row.stage, row.item]
                if result is None or result.expired:
                    continue
                if result.outcome is not ItemOutcome.FAILED:
                    found[row.digest] = result
        return found

    async def pages_of_job(self, job: str) -> AsyncIterator[Sequence[Reuse]]:
        """Visit the rows that point at a job, a hundred at most at a time."""
        after: str | None = None
        while True:
            index = Reuse.index("reuse_job")
            page = await self.store.query(Reuse, index, job, after=after, limit=BATCH)
            yield page.rows
            if (after := page.after) is None:
                return

    async def of_job(self, job: str, limit: int = BATCH) -> tuple[Reuse, ...]:
        """List some of the rows that point at a job."""
        return (await self.store.query(Reuse, Reuse.index("reuse_job"), job, limit=limit)).rows
