"""Money of claims: no limit is ever exceeded, nothing is lost, whatever dies."""

import asyncio
import random
from contextlib import suppress

import pytest

from mediamill.core.errors import BudgetExceeded, ConditionFailed
from mediamill.engine.asking.asking import settle_dead
from mediamill.engine.asking.booking import Booking, Budgets
from mediamill.engine.asking.money import Money
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Put
from mediamill.store.repositories.attempts import (
    AT_ONCE,
    Attempt,
    Attempts,
    AttemptState,
    of_item,
)
from mediamill.store.repositories.figures import About
from mediamill.store.repositories.spending import EVERYBODY, Purse, Spending, dollars
from tests.support.recounting import figures

MONTH, DAY = "2026-11", "2026-11-22"


@pytest.fixture
async def spending():
    store = MemoryStore()
    yield Spending(store)
    await store.close()


def booking(spending: Spending, **most: int) -> Booking:
    """Return what books for claims of which these budgets of a month hold."""

    async def budgets_of(owner: str) -> Budgets:
        return Budgets(**most)

    return Booking(spending, budgets_of)


def purse(job: str = "job_a", unit: int = 0, fence: int = 1, owner: str = "user_a") -> Purse:
    return Purse(
        job=job, unit=unit, fence=fence, owner=owner, day=DAY, created=0,
        bounded=(job, owner, EVERYBODY),
    )  # fmt: skip


def called(worst: int, cost: int, job: str = "job_a", fence: int = 1, item: int = 0) -> Attempt:
    return Attempt(
        of=of_item(job, 0, item), name="q", number=0, job=job, stage=0, item=item, owner="user_a",
        day=DAY, operation="caption", provider="p", model="m", purse=fence, began=0,
        state=AttemptState.ANSWERED, reserved=worst, cost=cost, input_tokens=10,
    )  # fmt: skip


async def test_calls_of_many_claims_never_exceed_a_budget(spending):
    draw = random.Random(5)
    budgets = Budgets(job=None, owner=5_000, everybody=8_000)
    most, under_way, refused = 0, 0, 0

    async def claim(n: int) -> None:
        nonlocal most, under_way, refused
        money = Money(booking(spending), purse(f"job_{n}", owner=f"user_{n % 3}"), budgets)

        async def call() -> None:
            nonlocal most, under_way, refused
            worst = draw.randint(50, 200)
            try:
                await money.reserve(worst)
            except BudgetExceeded:
                refused += 1
                return
            under_way += worst
            most = max(most, under_way)
            await asyncio.sleep(draw.random() / 100)
            under_way -= worst
            row = called(worst, draw.randint(0, worst), f"job_{n}")
            under_way += row.cost
            money.settle(row.evolve(owner=f"user_{n % 3}"))

        await asyncio.gather(*(call() for _ in range(30)))
        await money.close()

    await asyncio.gather(*(claim(n) for n in range(6)))
    assert refused
    assert most <= 8_000
    owners = [await spending.taken(f"user_{n}", MONTH) for n in range(3)]
    assert all(0 < taken <= 5_000 for taken in owners)
    assert await spending.taken(EVERYBODY, MONTH) == sum(owners)
    booked = [(await spending.of_month(f"user_{n}", MONTH)).rows for n in range(3)]
    assert [sum(row.cost for row in rows) for rows in booked] == owners


async def test_one_waits_for_what_calls_under_way_give_back(spending):
    money = Money(booking(spending), purse(), Budgets(job=100))
    await money.reserve(80)
    waiting = asyncio.create_task(money.reserve(60))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    money.settle(called(80, 20))
    await waiting
    money.settle(called(60, 30))
    with pytest.raises(
        BudgetExceeded, match=r"cost \$0.00006, and the job's budget of \$0.0001 has \$0.00005 left"
    ):
        await money.reserve(60)
    await money.close()
    assert await spending.taken("job_a") == 50


async def test_what_is_given_back_while_one_looks_what_is_left_is_counted(spending, monkeypatch):
    money = Money(booking(spending), purse(), Budgets(job=100))
    await money.reserve(80)
    allot = spending.allot

    async def while_the_last_call_ends(*given, **more):
        try:
            return await allot(*given, **more)
        finally:
            if money.under_way:
                money.settle(called(80, 20))

    monkeypatch.setattr(spending, "allot", while_the_last_call_ends)
    await money.reserve(60)
    assert (money.reserved, money.under_way) == (80, 1)


async def test_what_dies_is_booked_by_what_its_rows_say(spending):
    store = spending.store
    money = Money(booking(spending), purse(), Budgets(job=1_000))
    for _ in range(3):
        await money.reserve(100)
    asked = called(100, 0, item=1).evolve(state=AttemptState.ASKED)
    others = called(100, 40), called(100, 0, fence=7, item=2)
    await store.transact(Put(asked), *map(Put, others))
    await settle_dead(Attempts(store), money.booking, money.purse, 0, [0, 1, 2])
    assert await spending.taken("job_a") == 140
    row = await store.get(Attempt, *asked.key_values())
    assert (row.state, row.cost) == (AttemptState.UNKNOWN, 100)
    await settle_dead(Attempts(store), money.booking, money.purse, 0, [0, 1, 2])
    assert await spending.taken("job_a") == 140, "it was booked twice"
    (sum_,) = (await spending.of_month("user_a", MONTH)).rows
    assert (sum_.calls, sum_.failed, sum_.cost, sum_.input_tokens) == (2, 1, 140, 20)
    with pytest.raises(ConditionFailed):
        await spending.allot(money.purse, 10, ())


async def test_calls_count_once_in_figures_whatever_write_their_booking_dies_at():
    class Mortal(MemoryStore):
        left = 0

        async def transact(self, *actions):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise DiedError
            await super().transact(*actions)
            if self.left == 0:
                raise DiedError

    class DiedError(BaseException):
        """The process is gone."""

    died = 0
    for write in range(1, 8):
        for after in (False, True):
            store = Mortal()
            store.after = after
            spending = Spending(store)
            money = Money(booking(spending), purse(), Budgets(job=1_000))
            await money.reserve(100)
            await store.transact(*(Put(called(50, 40, item=item)) for item in range(3)))
            store.left = write
            with suppress(DiedError):
                await settle_dead(Attempts(store), money.booking, money.purse, 0, [0, 1, 2])
            died += store.left <= 0
            store.left = 0
            again = booking(Spending(store))
            await settle_dead(Attempts(store), again, money.purse, 0, [0, 1, 2])
            (counts,) = (await figures(store, About.CALLS)).values()
            assert (counts["count"], counts["cost"]) == (3, 120), (write, after)
    assert died >= 2


async def test_a_claim_of_another_unit_with_the_same_fence_pays_for_itself(spending):
    store = spending.store
    for unit, cost in ((0, 70), (1, 100)):
        money = Money(booking(spending), purse(unit=unit), Budgets(job=1_000))
        await money.reserve(100)
        row = called(100, cost).evolve(unit=unit, number=unit)
        await store.transact(Put(row))
        await settle_dead(Attempts(store), money.booking, money.purse, 0, [0])
    assert await spending.taken("job_a") == 170, "a call of before a retry was booked twice"


async def test_attempts_of_many_items_are_read_in_their_order(spending):
    store = spending.store
    for n in range(40):
        await store.transact(Put(called(1, 1, item=n)))
    items = [39, *range(0, 36, 2), 77]
    found = [rows async for rows in Attempts(store).of_items("job_a", 0, items)]
    assert [[row.item for row in rows] for rows in found] == [[n] if n < 40 else [] for n in items]


async def test_attempts_of_many_items_are_read_some_at_a_time(spending, monkeypatch):
    now, most, attempts = 0, 0, Attempts(spending.store)
    usual = attempts.page_of_item

    async def page_of_item(*given):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        page = await usual(*given)
        now -= 1
        return page

    monkeypatch.setattr(attempts, "page_of_item", page_of_item)
    assert len([rows async for rows in attempts.of_items("job_a", 0, range(100))]) == 100
    assert most == AT_ONCE


def test_amounts_are_written_exactly():
    said = {0: "$0.00", 1: "$0.000001", 1_500_000: "$1.50", 1_234_567_890: "$1,234.56789"}
    assert {amount: dollars(amount) for amount in said} == said
