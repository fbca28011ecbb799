"""Calls that are cut off while their rows are written: the books say what the rows say."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.hooks import Outcome
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Answer, Used
from mediamill.adapters.providers.prices import Price
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.errors import BudgetExceeded, ProviderUnavailable, Unavailable
from mediamill.engine.asking.answers import Answers
from mediamill.engine.asking.asking import settle_dead
from mediamill.engine.asking.booking import Budgets
from mediamill.engine.asking.journal import Journal
from mediamill.engine.asking.ledger import QuestionLedger
from mediamill.engine.asking.money import Money
from mediamill.engine.asking.panel import Opened
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.attempts import Attempts, AttemptState
from mediamill.store.repositories.spending import Spending
from tests.engine.asking.test_money import booking, called, purse
from tests.support.providers.questions import caption

PRICE = Price(call=Decimal(1))
WORST = 1_000_000
ANSWER = Answer("one", "m", "A mill.", used=Used(input_tokens=10))


@dataclass
class Held:
    """A lease that only writes, when a test lets it; what fails may be written all the same."""

    store: MemoryStore
    fail: Exception | None = None
    go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, *actions) -> None:
        self.begun.set()
        await self.go.wait()
        await self.store.transact(*actions)
        if self.fail is not None:
            raise self.fail


@dataclass
class Desk:
    """One claim that asks about one item, and what is left of it."""

    lease: Held
    money: Money
    ledger: QuestionLedger

    async def asked(self):
        self.lease.go.set()
        attempt = await self.ledger.begin(self.ledger.chain["one"].provider, caption())
        self.lease.go.clear()
        self.lease.begun.clear()
        return attempt

    async def cut(self, work) -> None:
        """Cancel work while what it writes is on its way."""
        task = asyncio.create_task(work)
        await self.lease.begun.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self.lease.go.set()

    async def end(self) -> None:
        """End the claim, as `Claim.paying` does."""
        with suppress(Unavailable):
            await self.ledger.journal.settle()
            await self.money.close()

    async def booked(self) -> tuple[AttemptState, int, int]:
        """See to the claim's purse; return the row's state, its cost, and the books'."""
        spending, attempts = self.money.spending, Attempts(self.lease.store)
        async for left in spending.purses("job_a"):
            await settle_dead(attempts, self.money.booking, left, 0, [0])
        (row,) = await attempts.of_item("job_a", 0, 0)
        assert not [one async for one in spending.purses("job_a")]
        assert await spending.taken("job_a") == sum(
            one.cost for one in await spending.all_of("job_a")
        )
        return row.state, row.cost, await spending.taken("job_a")


@pytest.fixture
async def desk():
    store = MemoryStore()
    money = Money(booking(Spending(store)), purse(), Budgets(job=10 * WORST))
    configured = Configured("one", "echo:m")
    opened = Opened(open_provider(configured), configured, PRICE)
    lease, answers = Held(store), Answers(MemoryBlobs())
    blank = called(0, 0).evolve(state=AttemptState.ASKED)
    chain = {"one": opened}
    yield Desk(lease, money, QuestionLedger(Journal(lease), money, store, blank, chain, answers))
    await store.close()


async def test_an_answer_whose_row_is_written_while_all_is_cancelled_is_booked(desk):
    attempt = await desk.asked()
    await desk.cut(attempt.answered(ANSWER))
    await desk.end()
    assert await desk.booked() == (AttemptState.JOURNALED, WORST, WORST)


async def test_a_call_whose_row_is_written_while_all_is_cancelled_has_an_end(desk):
    await desk.cut(desk.ledger.begin(desk.ledger.chain["one"].provider, caption()))
    await desk.end()
    assert await desk.booked() == (AttemptState.UNKNOWN, WORST, WORST)


@pytest.mark.parametrize("row", ["asked", "journaled", "answered"])
async def test_rows_that_are_written_although_the_store_says_otherwise_are_booked(desk, row):
    desk.lease.go.set()
    desk.lease.fail = Unavailable("away") if row == "asked" else None
    with suppress(Unavailable):
        attempt = await desk.ledger.begin(desk.ledger.chain["one"].provider, caption())
        desk.lease.fail = Unavailable("away") if row == "journaled" else None
        await attempt.answered(ANSWER)
        desk.lease.fail = Unavailable("away")
        await attempt.ended(Outcome.ANSWERED, None)
    state = AttemptState.UNKNOWN if row == "asked" else AttemptState(row)
    await desk.end()
    assert await desk.booked() == (state, WORST, WORST)


async def test_an_end_that_is_not_kept_counts_as_the_most(desk, monkeypatch):
    attempt = await desk.asked()
    desk.lease.go.set()

    async def away(*actions) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(desk.lease, "write", away)
        await attempt.ended(Outcome.UNAVAILABLE, ProviderUnavailable("It is away."))
        await desk.end()
    assert await desk.booked() == (AttemptState.UNKNOWN, WORST, WORST)


async def test_who_waits_for_money_does_not_wait_for_a_call_that_broke_off(desk, monkeypatch):
    attempt, money = await desk.asked(), desk.money
    waiting = asyncio.create_task(money.reserve(9 * WORST + 1))
    while not money._lock.locked():
        await asyncio.sleep(0)

    async def broken(self, row, answer):
        raise OSError("no room")

    monkeypatch.setattr(Answers, "kept", broken)
    with pytest.raises(OSError, match="no room"):
        await attempt.answered(ANSWER)
    async with asyncio.timeout(60):
        with pytest.raises(BudgetExceeded):
            await waiting


async def test_a_call_ends_while_the_store_is_away(desk, monkeypatch):
    attempt = await desk.asked()

    async def away():
        raise Unavailable("away")

    monkeypatch.setattr(desk.lease.store, "now", away)
    await attempt.ended(Outcome.UNAVAILABLE, ProviderUnavailable("It is away."))
    assert (desk.money.under_way, desk.money.reserved) == (0, 0)
    assert attempt.row.ended >= attempt.row.began
