"""The ledger's writer: many rows in few transactions, each durable when it says so."""

import asyncio
from dataclasses import dataclass, field

import pytest

from mediamill.adapters.providers.port import Answer
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.errors import ConditionFailed, Unavailable
from mediamill.engine.asking.answers import Answers
from mediamill.engine.asking.journal import ROWS, Journal
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.attempts import Attempt, AttemptState
from tests.engine.asking.test_money import called


@dataclass
class Writes:
    """A lease that only writes."""

    store: MemoryStore
    sizes: list[int] = field(default_factory=list)
    fail: Exception | None = None

    async def write(self, *actions) -> None:
        await asyncio.sleep(0.005)
        if self.fail is not None:
            raise self.fail
        await self.store.transact(*actions)
        self.sizes.append(len(actions))


async def test_rows_that_come_together_are_written_together():
    writes = Writes(MemoryStore())
    journal = Journal(writes)
    rows = [called(10, 0, item=n) for n in range(200)]
    await asyncio.gather(*(journal.write(row, new=True) for row in rows))
    assert len(writes.sizes) <= 2 + 200 // ROWS
    kept = [await writes.store.get(type(row), *row.key_values()) for row in rows]
    assert kept == rows


async def test_of_one_attempt_rows_are_written_in_order():
    writes = Writes(MemoryStore())
    journal, row = Journal(writes), called(10, 0)
    for state in (AttemptState.ASKED, AttemptState.JOURNALED, AttemptState.ANSWERED):
        journal.later(row.evolve(state=state))
    await journal.settle()
    kept = await writes.store.get(type(row), *row.key_values())
    assert (kept.state, writes.sizes) == (AttemptState.ANSWERED, [1, 1, 1])


async def test_one_that_is_there_fails_alone():
    writes = Writes(MemoryStore())
    journal = Journal(writes)
    rows = [called(10, 0, item=n) for n in range(5)]
    await journal.write(rows[2], new=True)
    done = await asyncio.gather(
        *(journal.write(row, new=True) for row in rows), return_exceptions=True
    )
    assert [type(one) for one in done] == [type(None)] * 2 + [ConditionFailed] + [type(None)] * 2


async def test_whoever_waits_is_told_what_went_wrong():
    writes = Writes(MemoryStore(), fail=Unavailable("away"))
    journal = Journal(writes)
    journal.later(called(10, 0))
    with pytest.raises(Unavailable):
        await journal.write(called(10, 0, item=1))
    writes.fail = None
    await journal.write(called(10, 0, item=1))


async def test_rows_that_nobody_waited_for_are_written_once_more_or_told_of():
    writes = Writes(MemoryStore(), fail=Unavailable("away"))
    journal, rows = Journal(writes), [called(10, 0, item=n) for n in range(3)]
    for row in rows:
        journal.later(row)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await journal.settle()
    writes.fail = None
    await journal.settle()
    assert await writes.store.get_many(Attempt, [row.key_values() for row in rows]) == rows
    assert writes.sizes == [3]


async def test_the_longest_answers_of_any_script_go_in_one_transaction():
    writes = Writes(MemoryStore())
    journal, answers = Journal(writes), Answers(MemoryBlobs())
    rows = [
        await answers.kept(
            called(10, 0, item=n).evolve(error="粉" * 500), Answer("p", "m", "粉" * 2_600)
        )
        for n in range(ROWS)
    ]
    assert all(row.answer and "blob" not in row.answer for row in rows)
    await asyncio.gather(*(journal.write(row) for row in rows))
    assert writes.sizes == [ROWS]
