"""What a file came to, for the daily aggregates, whatever of its jobs is left.

As long as a job is there its results tell. When it is purged before a file, what it made of that is
counted in the file's row (`past_…`), in the transaction that removes the results.
"""

from collections import defaultdict
from collections.abc import Sequence

from mediamill.store.port import Action, Delete, Equals, Exists, Update
from mediamill.store.repositories.daily import Fact, Fate
from mediamill.store.repositories.datasets import Datasets
from mediamill.store.repositories.files import File
from mediamill.store.repositories.results import ItemOutcome, Result
from mediamill.store.repositories.retention import Aging, Origin

Counts = dict[str, int | float]


async def fact_of(aging: Aging, file: File) -> Fact:
    """Return what is counted of a file as it is now."""
    items, failed = file.past_items or 0, file.past_failed or 0
    results, size = file.past_results or 0, file.past_bytes or 0
    after: str | None = None
    while True:
        page = await aging.results(file.id, after)
        for row in page.rows:
            items, failed = items + 1, failed + (row.outcome is ItemOutcome.FAILED)
            results, size = results + len(row.files), size + sum(one.size for one in row.files)
        if (after := page.after) is None:
            break
    return Fact(
        owner=file.owner,
        created=file.created,
        source=file.source,
        media_type=file.media_type,
        outcome=fate_of(file, items, failed),
        bytes=file.size,
        items=items,
        results=results,
        result_bytes=size,
    )


def fate_of(file: File, items: int, failed: int) -> Fate:
    """Judge a file by its items."""
    if file.code:
        return Fate.REJECTED
    if failed:
        return Fate.FAILED
    return Fate.SUCCEEDED if items else Fate.UNPROCESSED


async def forgetting(aging: Aging, rows: Sequence[Result]) -> list[Action]:
    """Make the actions that remove results, and count them in the rows of their files.

    What is kept of a file that is gone itself goes with the last of them, unless versions hold it.
    Others that remove some of the same file's results at the same time are told: their transaction
    does not hold.
    """
    known = await aging.known(row.source for row in rows if row.source and not row.expired)
    sums: defaultdict[str, Counts] = defaultdict(Counts)
    for row in rows:
        file = known.get(row.source or "")
        if isinstance(file, File) and file.counted is None and not row.expired:
            counts = sums[file.id]
            for name, more in (
                ("past_items", 1),
                ("past_failed", int(row.outcome is ItemOutcome.FAILED)),
                ("past_results", len(row.files)),
                ("past_bytes", sum(one.size for one in row.files)),
            ):
                counts[name] = counts.get(name, 0) + more
    counting = [Update(File, (file,), add=sums[file]) for file in sums]
    keys = {row.key_values() for row in rows}
    last: list[Action] = []
    for each in known.values():
        if isinstance(each, Origin):
            left = (await aging.results(each.id, limit=len(rows) + 1)).rows
            same = (Equals("purges", each.purges),)
            all_gone = {row.key_values() for row in left} <= keys
            if all_gone and not await Datasets(aging.store).made_of(each.id, 1):
                last.append(Delete(Origin, (each.id,), same))
            else:
                last.append(Update(Origin, (each.id,), add={"purges": 1}, when=same))
    return [*(Delete(Result, key, (Exists(),)) for key in keys), *counting, *last]
