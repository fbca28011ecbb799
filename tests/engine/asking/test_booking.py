"""Spending is summed by day as by month, and parts of budgets are told once, whatever dies."""

import asyncio
import random
from collections import Counter

import pytest

from mediamill.core.errors import Unavailable
from mediamill.core.settings import Settings
from mediamill.engine.asking.booking import NEAR, REACHED, Booking, Budgets
from mediamill.engine.asking.money import Sums
from mediamill.store.memory import MemoryStore
from mediamill.store.opening import open_store
from mediamill.store.port import MAX_PAGE, Delete, Put
from mediamill.store.repositories.attempts import Attempt, Attempts, AttemptState, of_item
from mediamill.store.repositories.spending import (
    EVERYBODY,
    Account,
    BudgetNotice,
    Limit,
    Purse,
    Spending,
    SpentDay,
)
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.users import Role, User, Users
from tests.support.places import EACH_STORE

MONTH = "2026-11"
PARTS, DAYS = (NEAR, REACHED), (1, 2, 30)


def purse(job: str = "job_a", owner: str = "user_a", day: int = 22) -> Purse:
    return Purse(
        job=job, unit=0, fence=1, owner=owner, day=f"{MONTH}-{day:02}", created=0,
        bounded=(job, owner, EVERYBODY),
    )  # fmt: skip


def call(of: Purse, cost: int, item: int = 0, *, failed: bool = False) -> Attempt:
    state = AttemptState.DECLINED if failed else AttemptState.ANSWERED
    return Attempt(
        of=of_item(of.job, 0, item), name="q", number=0, job=of.job, stage=0, item=item,
        owner=of.owner, day=of.day, operation="caption", provider="p", model="m", purse=1,
        began=item, state=state, reserved=cost, cost=cost,
    )  # fmt: skip


def booking(store, **most: int) -> Booking:
    async def budgets_of(owner: str) -> Budgets:
        return Budgets(**most)

    return Booking(Spending(store), budgets_of)


async def spend(books: Booking, cost: int, **whose) -> bool:
    """Make one call in a claim of its own."""
    held = await books.spending.allot(purse(**whose), cost, (), new=True)
    return await close(books, held, [call(held, cost)])


async def close(books: Booking, held: Purse, rows) -> bool:
    sums = Sums()
    for row in rows:
        sums.add(row)
    return await books.close(held, sums.spent, sums.facts)


async def told(store, most: int, scope: str = "user_a") -> list[int]:
    """Return the parts of a budget of which people are told."""
    found = []
    for part in PARTS:
        unit = await store.get(Unit, f"budget:{scope}:{MONTH}:{most}:{part}", 0)
        notice = await store.get(BudgetNotice, scope, MONTH, most, part)
        assert (unit is None) == (notice is None), "the one is there without the other"
        found += [part] if unit else []
    return found


async def recounted(store, owner: str) -> dict[str, tuple[int, int, int]]:
    """Sum an owner's ledger by day: calls, those that failed, cost."""
    sums = dict[str, tuple[int, int, int]]()
    for day in DAYS:
        name = f"{MONTH}-{day:02}"
        rows = (await Attempts(store).of_day(owner, name, limit=MAX_PAGE)).rows
        if rows:
            sums[name] = len(rows), sum(row.failed for row in rows), sum(row.cost for row in rows)
    return sums


async def exercised(store, claims: int) -> None:
    """Let many claims spend at once; sums equal the ledger, and parts are told once."""
    draw, budgets = random.Random(4), {"owner": 2_000, "everybody": 5_000}
    books = booking(store, **budgets)
    jobs = [
        (
            f"job_{n}",
            f"user_{'abc'[n % 3]}",
            draw.choice(DAYS),
            [draw.randint(0, 300) for _ in "abc"],
        )
        for n in range(claims)
    ]

    async def claim(job: str, owner: str, day: int, costs: list[int]) -> None:
        held = await books.spending.allot(purse(job, owner, day), 900, (), new=True)
        rows = [call(held, cost, n, failed=n == 1) for n, cost in enumerate(costs)]
        await store.transact(*map(Put, rows))
        assert await close(books, held, rows)
        assert not await close(books, held, rows), "it was booked twice"

    await asyncio.gather(*(claim(*job) for job in jobs))
    whole = Counter[tuple[str, int]]()
    for owner in ("user_a", "user_b", "user_c"):
        days = {row.day: (row.calls, row.failed, row.cost)
                for row in await books.spending.days(owner, MONTH)}  # fmt: skip
        assert days == await recounted(store, owner)
        cost = sum(one[2] for one in days.values())
        assert cost == sum(row.cost for row in await books.spending.all_of(owner, MONTH))
        account = await store.get(Account, owner, MONTH)
        assert (account.spent, account.taken) == (cost, cost)
        await judge(store, 2_000, owner, cost)
        whole.update({(day, n): one[n] for day, one in days.items() for n in range(3)})
    all_days = await books.spending.days(EVERYBODY, MONTH)
    counted = {(row.day, n): (row.calls, row.failed, row.cost)[n]
               for row in all_days for n in range(3)}  # fmt: skip
    assert counted == dict(whole)
    await judge(store, 5_000, EVERYBODY, sum(row.cost for row in all_days))
    assert await books.spending.days("user_a", "2026-10") == ()


async def judge(store, most: int, scope: str, cost: int) -> None:
    """Check that the largest part that is passed was told, and none that is not."""
    passed, parts = (
        [part for part in PARTS if 100 * cost >= part * most],
        await told(store, most, scope),
    )
    assert parts[-1:] == passed[-1:]
    assert {*parts} <= {*passed}


async def test_sums_and_news_in_memory():
    await exercised(MemoryStore(), 12)


@pytest.mark.places(*EACH_STORE)
async def test_sums_and_news_on_every_store(place, tmp_path):
    store = await open_store(Settings(home=tmp_path).store_url)
    try:
        await exercised(store, 6)
        users = Users(store)
        for name, role in (("b", Role.ADMIN), ("a", Role.ADMIN), ("c", Role.USER)):
            await users.add(User(id=f"user_{name}", email=f"{name}@x", role=role, created=1))
        kept_out = User(id="user_d", email="d@x", role=Role.ADMIN, disabled=True, created=1)
        await users.add(kept_out)
        assert [user.id for user in await users.administrators()] == ["user_a", "user_b"]
    finally:
        await store.close()


async def test_each_part_is_told_once_and_another_budget_anew():
    store = MemoryStore()
    books, parts = booking(store, owner=1_000), []
    for n, cost in enumerate((799, 1, 100, 99, 1, 50)):
        await spend(books, cost, job=f"job_{n}")
        parts.append(await told(store, 1_000))
    assert parts == [[], [NEAR], [NEAR], [NEAR], [NEAR, REACHED], [NEAR, REACHED]]
    unit = await store.get(Unit, f"budget:user_a:{MONTH}:1000:80", 0)
    assert unit.payload["budget"] == {
        "scope": "user_a", "month": MONTH, "most": 1_000, "percent": 80, "spent": 800, "wanted": 0,
    }  # fmt: skip
    assert unit.payload["snapshot"]["type"] == "budget.near"
    books = booking(store, owner=1_200)
    await spend(books, 1, job="job_7")
    assert await told(store, 1_200) == [NEAR], "it is a new budget"
    await store.transact(*forgetting(1_000))
    await spend(booking(store, owner=1_000), 1, job="job_8")
    units = await Units(store).of_group(f"budget:user_a:{MONTH}:1000:80")
    assert not units, "the same budget is told of again"


def forgetting(most: int) -> list[Delete]:
    """Remove the units, as they are gone once they have told it."""
    return [Delete(Unit, (f"budget:user_a:{MONTH}:{most}:{part}", 0)) for part in PARTS]


async def test_who_passes_both_parts_at_once_is_told_of_the_larger():
    store = MemoryStore()
    await spend(booking(store, owner=1_000, everybody=1_200), 1_000)
    assert (await told(store, 1_000), await told(store, 1_200, EVERYBODY)) == ([REACHED], [NEAR])


async def test_a_budget_of_nothing_and_none_are_no_news():
    store = MemoryStore()
    await spend(booking(store, owner=0), 0)
    assert await told(store, 0) == []
    await spend(booking(store), 5, job="job_b")


async def test_a_refusal_is_told_where_it_is_for_what_was_spent():
    store = MemoryStore()
    books, limit = booking(store), Limit("user_a", MONTH, 1_000, "the owner's budget")
    await spend(books, 600)
    await books.refused(limit, 1_001, 0)
    await books.refused(limit, 400, 0)
    await books.refused(Limit("job_a", "", 1_000, "the job's budget"), 900, 0)
    assert await told(store, 1_000) == [], "not even a whole budget would do, or others hold it"
    for _ in range(2):
        await books.refused(limit, 400, 1)
    assert await told(store, 1_000) == [REACHED]
    unit = await store.get(Unit, f"budget:user_a:{MONTH}:1000:100", 0)
    assert (unit.payload["budget"]["spent"], unit.payload["budget"]["wanted"]) == (601, 400)
    await spend(booking(store, owner=1_000), 300, job="job_b")
    assert await told(store, 1_000) == [REACHED], "the smaller part is no news any more"


class Overtaken:
    """Lets another claim be booked between a look at the accounts and the booking."""

    def __init__(self, store: MemoryStore) -> None:
        self.store, self.others = store, []

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def transact(self, *actions):
        if any(isinstance(getattr(one, "key", None), tuple) and one.kind is Purse
               for one in actions) and self.others:  # fmt: skip
            await self.others.pop()()
        await self.store.transact(*actions)


async def test_claims_that_pass_a_part_together_do_not_pass_it_unnoticed():
    store = MemoryStore()
    plain, watched = booking(store, owner=1_000), Overtaken(store)
    books = booking(watched, owner=1_000)
    held = [await plain.spending.allot(purse(f"job_{n}"), 450, (), new=True) for n in range(2)]

    async def other():
        assert await close(plain, held[1], [call(held[1], 450)])

    watched.others.append(other)
    assert await close(books, held[0], [call(held[0], 450)])
    assert not watched.others
    assert await told(store, 1_000) == [NEAR]


class Dying:
    """Fails at one of its writes: before that is made, or after."""

    def __init__(self, store: MemoryStore, at: int, *, after: bool) -> None:
        self.store, self.at, self.after = store, at, after

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def transact(self, *actions):
        self.at -= 1
        if self.at == 0 and not self.after:
            raise Unavailable("The worker dies.")
        await self.store.transact(*actions)
        if self.at == 0:
            raise Unavailable("The worker dies.")


@pytest.mark.parametrize("after", [False, True])
async def test_whoever_dies_between_spending_and_telling_nothing_is_lost_or_doubled(after):
    at = 0
    while True:
        at += 1
        store = MemoryStore()
        held = await Spending(store).allot(purse(), 850, (), new=True)
        dying = Dying(store, at, after=after)
        try:
            await close(booking(dying, owner=1_000), held, [call(held, 850)])
        except Unavailable:
            pass
        else:
            break
        account = await store.get(Account, "user_a", MONTH)
        assert await told(store, 1_000) == ([NEAR] if account.spent else [])
        await close(booking(store, owner=1_000), held, [call(held, 850)])  # the sweep
        assert await told(store, 1_000) == [NEAR]
        (day,) = await Spending(store).days("user_a", MONTH)
        account = await store.get(Account, "user_a", MONTH)
        assert (day.cost, account.spent, account.taken) == (850, 850, 850)
        assert await store.get(Purse, *held.key_values()) is None
    assert at > 3, "nothing died"


async def test_a_day_without_calls_has_no_row():
    store = MemoryStore()
    held = await Spending(store).allot(purse(), 10, (), new=True)
    assert await booking(store).close(held, [])
    assert await store.get(SpentDay, "user_a", held.day) is None
    assert await Spending(store).taken("user_a", MONTH) == 0
