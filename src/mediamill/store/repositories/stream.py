"""What has come by the stream: how far each partition is settled, and the jobs that it began.

All messages below `next` are settled: each became a file, or a dead letter. Files are written in
one transaction with the step of `next` past their messages, guarded by where it stood before. So
whoever else has the same messages, then or after years, writes none of them again, though of each
partition there is one row only. It outlives the files, and Kafka's memory of the group.
"""

from collections.abc import Container, Iterable, Sequence
from contextlib import suppress

from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Absent, Equals, Put, Store, Update

SHELF = "stream"
LEFT_MS = 7 * DAY
"""After so long nobody is told of a partition any more that nobody looks at."""


class StreamPartition(Record, frozen=True, kw_only=True):
    """A partition of a topic."""

    table = "stream_partitions"
    key = Key("source", "number")
    indexes = (Index("stream_listed", partition=("shelf",), sort=("source", "number")),)

    source: str
    """Ids of its cluster and of its topic: a topic that is made anew has another one."""
    number: int
    topic: str
    """The topic's name."""
    shelf: str = SHELF
    """The same for all, so that they can be listed."""
    next: int = 0
    """The first offset that is not settled."""
    files: int = 0
    """Messages that became files."""
    letters: int = 0
    """Messages that became dead letters."""
    end: int | None = None
    """The offset that the next message written to it gets, when that was last looked at."""
    seen: int | None = None
    """When it was (ms)."""


class StreamJob(Record, frozen=True, kw_only=True):
    """A job that was made of files as they arrived, and where its outcomes are to be written."""

    table = "stream_jobs"
    key = Key("job")

    job: str
    results: str
    """A topic."""


class StreamBooks:
    """Reads of partitions, and the step forward."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def open(self, source: str, number: int, topic: str) -> StreamPartition:
        """Return a partition's row, made when there is none yet."""
        found = await self.store.get(StreamPartition, source, number)
        while found is None:
            fresh = StreamPartition(source=source, number=number, topic=topic)
            with suppress(ConditionFailed):  # another process was first
                await self.store.transact(Put(fresh, when=(Absent(),)))
            found = await self.store.get(StreamPartition, source, number)
        return found

    async def note(self, row: StreamPartition, end: int | None, now: int) -> None:
        """Write down where a partition ends."""
        change = {"seen": now} if end is None else {"seen": now, "end": end}
        await self.store.transact(Update(StreamPartition, row.key_values(), set=change))

    async def list(self) -> Sequence[StreamPartition]:
        """Return every partition, also those of topics that are gone."""
        found: list[StreamPartition] = []
        after, index = None, StreamPartition.index("stream_listed")
        while True:
            page = await self.store.query(StreamPartition, index, SHELF, after=after, limit=1000)
            found += page.rows
            if (after := page.after) is None:
                return found


def watched(
    rows: Iterable[StreamPartition], topics: Container[str], now: int
) -> Sequence[StreamPartition]:
    """Return, as `summed`, what somebody is to be told of; `topics` are those that are named here.

    Rows stay for ever, a topic may be taken from no more. One that is not named here may be where
    it is taken from, and is then looked at: it counts as left after a day, what is named after a
    week. `now` is in milliseconds.
    """
    return [
        row
        for row in summed(rows)
        if row.seen is None or now - row.seen < (LEFT_MS if row.topic in topics else DAY)
    ]


def step(row: StreamPartition, until: int, files: int = 0, letters: int = 0) -> Update:
    """Make the action that settles everything before an offset; it fails where another stepped."""
    counts: dict[str, int | float] = {"files": files, "letters": letters}
    return Update(
        StreamPartition,
        row.key_values(),
        set={"next": until},
        add={name: count for name, count in counts.items() if count},
        when=(Equals("next", row.next),),
    )


def stepped(row: StreamPartition, until: int, files: int = 0, letters: int = 0) -> StreamPartition:
    """Return a row as that action leaves it."""
    return row.evolve(next=until, files=row.files + files, letters=row.letters + letters)


def summed(rows: Iterable[StreamPartition]) -> Sequence[StreamPartition]:
    """Return a row for each topic's name and number: where topics were made anew, the last's.

    Its counts are those of all.
    """
    found: dict[tuple[str, int], StreamPartition] = {}
    for row in sorted(rows, key=lambda row: row.seen or 0):
        before = found.get((row.topic, row.number))
        counts = (before.files, before.letters) if before else (0, 0)
        found[row.topic, row.number] = row.evolve(
            files=row.files + counts[0], letters=row.letters + counts[1]
        )
    return tuple(found.values())
