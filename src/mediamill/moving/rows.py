"""Carry records, and compare them."""

from collections import Counter
from collections.abc import Iterable, Iterator

from mediamill.core.errors import Unavailable
from mediamill.core.records import Record
from mediamill.moving.journal import Journal, Progress
from mediamill.moving.meter import Meter
from mediamill.moving.survey import moving_kinds, pages
from mediamill.store.calls import changes_of
from mediamill.store.opening import Source
from mediamill.store.port import MAX_ACTIONS, Counts, Put, Store
from mediamill.store.repositories.moves import Move
from mediamill.store.repositories.units import Unit, UnitState

MOST = MAX_ACTIONS - 1
"""Records of a transaction: the journal's row is in each."""
MOST_BYTES = 3_500_000
TRIES = 5


def carried(record: Record) -> Record:
    """Return a record as it is in the target: nobody works there on what somebody had here."""
    if isinstance(record, Unit) and record.state is UnitState.LEASED:
        return record.evolve(state=UnitState.READY, holder="")
    return record


async def copy_rows(
    source: Source, target: Store, journal: Journal, progress: Progress, meter: Meter
) -> None:
    """Copy what the journal does not say is there; one that is there already is written again."""
    for kind in moving_kinds():
        if progress.copied or kind.table < progress.table:
            continue
        after = progress.after if kind.table == progress.table else None
        async for page in pages(source, kind, _key(after)):
            for batch in _batches(page):
                progress.table, progress.after = kind.table, batch[-1].key_values()
                progress.rows += len(batch)
                await _put(batch, journal, progress)
                meter.add(rows=len(batch))
    progress.copied = True
    await journal.save(progress)


def _key(after: Iterable[object] | None) -> tuple[object, ...] | None:
    return None if after is None else tuple(after)


async def _put(batch: list[Record], journal: Journal, progress: Progress) -> None:
    puts = [Put(record) for record in batch]
    for left in reversed(range(TRIES)):
        try:
            await journal.save(progress, *puts)
        except Unavailable:  # it may have been written: the same once more does no harm
            if not left:
                raise
        else:
            return


def _batches(page: list[Record]) -> Iterator[list[Record]]:
    """Divide records into transactions, as they are carried."""
    batch: list[Record] = []
    size = 0
    for record in map(carried, page):
        own = changes_of([Put(record)])[0].size()
        if batch and (len(batch) == MOST or size + own > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += own
    if batch:
        yield batch


async def differences(source: Source, target: Store, meter: Meter) -> list[str]:
    """Compare every record with what is read back from the target, and how many there are."""
    found, counted = list[str](), Counter[str]()
    for kind in moving_kinds():
        async for page in pages(source, kind):
            counted[kind.table] += len(page)
            for start in range(0, len(page), MAX_ACTIONS):
                some = page[start : start + MAX_ACTIONS]
                found += await _compare(kind, some, target)
                meter.add(compared=len(some))
    return found + await _count(counted, target)


async def _compare(kind: type[Record], page: list[Record], target: Store) -> list[str]:
    there = await target.get_many(kind, [record.key_values() for record in page])
    return [
        f"{kind.table} {'/'.join(map(str, record.key_values()))} "
        + ("is missing" if other is None else "is different")
        for record, other in zip(page, there, strict=True)
        if other != carried(record)
    ]


async def _count(counted: Counter[str], target: Store) -> list[str]:
    if not isinstance(target, Counts):
        return []
    there = Counter(await target.count())
    del there[Move.table]
    return [
        f"{table}: {there[table]} records, not {counted[table]}"
        for table in sorted({*there, *counted})
        if there[table] != counted[table]
    ]
