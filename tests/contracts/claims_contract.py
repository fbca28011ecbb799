"""How units are claimed on every store, in one step or in several; gives `store`, empty."""

import asyncio
from collections import Counter

import pytest

from mediamill.core.errors import ConditionFailed
from mediamill.engine.scheduler import Scheduler
from mediamill.store.port import Put, Store, Update
from mediamill.store.repositories.lanes import Lane
from mediamill.store.repositories.units import Unit, Units, UnitState

HOUR = 3_600_000


async def add(
    store: Store, owner: str, count: int = 1, klass: str = "bulk", due: int = 0, cost: float = 1.0
) -> None:
    """Insert units of one owner, due so much later (ms) than now."""
    now = await store.now()
    units = [
        Unit(
            group=f"{klass}-{owner}",
            seq=seq,
            kind="items",
            owner=owner,
            klass=klass,
            cost=cost,
            payload={"items": [seq]},
            created=now,
        ).opened(now + due)
        for seq in range(count)
    ]
    for start in range(0, count, 90):
        await Units(store).insert(units[start : start + 90])


async def claimed(store: Store, *klasses: str, lease_ms: int = HOUR) -> str | None:
    """Claim a unit; return its name."""
    unit = await Scheduler(store, lease_ms).claim_next(klasses or ("bulk",), "me")
    return unit.name if unit else None


async def everything(store: Store, tasks: int = 8, klass: str = "bulk") -> list[Unit]:
    """Claim until nothing is left, so many at once."""
    found: list[Unit] = []

    async def claim(name: str) -> None:
        scheduler = Scheduler(store, HOUR)
        while (unit := await scheduler.claim_next([klass], name)) is not None:
            found.append(unit)
            assert len(found) <= 1000, "what was claimed is claimed again"

    await asyncio.gather(*(claim(f"worker-{n}") for n in range(tasks)))
    return found


class ClaimsContract:
    async def test_a_unit_goes_to_another_class_with_its_fence(self, store: Store):
        units = Units(store)
        for owner in ("ann", "bob"):
            await add(store, owner, cost=100.0)
        mine = await Scheduler(store, HOUR).claim_next(["bulk"], "function")
        assert mine is not None
        await units.move(mine, "long", "too long", credit=99.0)
        assert (await store.get(Lane, "bulk", mine.owner)).vtime == 1.0
        moved = await units.get(mine.group, mine.seq)
        assert (moved.klass, moved.state, moved.fence) == ("long", UnitState.READY, mine.fence)
        assert (moved.holder, moved.error, moved.attempts) == ("", "too long", 0)
        with pytest.raises(ConditionFailed) as refused:
            await units.move(mine, "model", "late", credit=0.0)
        assert refused.value.action == 0
        other = await Scheduler(store, HOUR).claim_next(["bulk"], "function")
        assert other is not None
        assert other.owner != mine.owner
        assert await claimed(store, "bulk") is None
        assert await claimed(store, "interactive", "long") == mine.name
        assert (await units.get(mine.group, mine.seq)).fence == mine.fence + 1

    async def test_nothing_to_claim(self, store: Store):
        assert await claimed(store, "interactive", "bulk") is None
        await add(store, "ann", due=HOUR)
        assert await claimed(store) is None

    async def test_a_claim_leases_the_unit_and_charges_its_lane(self, store: Store):
        await add(store, "ann", cost=2.5)
        await store.transact(Update(Lane, ("bulk", "ann"), set={"vtime": 10.0}))
        before = await store.now()
        unit = await Scheduler(store, 5000).claim_next(["bulk"], "worker-1")
        assert unit is not None
        assert unit == await store.get(Unit, "bulk-ann", 0)
        assert (unit.state, unit.fence, unit.lost) == (UnitState.LEASED, 1, 0)
        assert (unit.holder, unit.queue, unit.items) == ("worker-1", "bulk|ann", [0])
        assert unit.started is not None
        assert unit.due == unit.started + 5000
        assert before - 1000 <= unit.started <= await store.now() + 1000
        lane = await store.get(Lane, "bulk", "ann")
        assert (lane.vtime, lane.active) == (12.5, "bulk")

    async def test_the_oldest_due_unit_goes_first_then_by_its_name(self, store: Store):
        await add(store, "ann", 3)
        for seq, due in ((0, 7), (1, 5), (2, 5)):
            await store.transact(Update(Unit, ("bulk-ann", seq), set={"due": due}))
        order = [await claimed(store) for _ in range(4)]
        assert order == ["bulk-ann/1", "bulk-ann/2", "bulk-ann/0", None]

    async def test_who_had_least_goes_first_then_by_name(self, store: Store):
        for owner, vtime in (("ann", 3.0), ("bob", 1.0), ("cid", 1.0)):
            await add(store, owner, 2, cost=1.5)
            await store.transact(Update(Lane, ("bulk", owner), set={"vtime": vtime}))
        order = [(await claimed(store) or "-")[5:] for _ in range(7)]
        assert order == ["bob/0", "cid/0", "bob/1", "cid/1", "ann/0", "ann/1", ""]

    async def test_a_lane_without_due_work_is_passed_over(self, store: Store):
        await add(store, "ann", due=HOUR)
        await add(store, "bob")
        await store.transact(Update(Lane, ("bulk", "bob"), set={"vtime": 99.0}))
        assert await claimed(store) == "bulk-bob/0"
        assert (await store.get(Lane, "bulk", "ann")).vtime == 0.0

    async def test_classes_go_in_the_order_given(self, store: Store):
        await add(store, "ann", klass="bulk")
        await add(store, "ann", klass="interactive")
        await store.transact(Update(Lane, ("interactive", "ann"), set={"vtime": 99.0}))
        order = [await claimed(store, "model", "interactive", "bulk") for _ in range(3)]
        assert order == ["interactive-ann/0", "bulk-ann/0", None]
        await add(store, "bob", klass="interactive")
        assert await claimed(store, "bulk") is None

    async def test_a_lapsed_lease_is_taken_over_and_counted(self, store: Store):
        await add(store, "ann")
        first = await Scheduler(store, 1).claim_next(["bulk"], "one")
        await asyncio.sleep(0.01)
        second = await Scheduler(store, HOUR).claim_next(["bulk"], "two")
        assert first is not None
        assert second is not None
        assert (second.fence, second.lost, second.holder) == (2, 1, "two")
        assert second.started == first.started
        assert await claimed(store) is None
        assert (await store.get(Lane, "bulk", "ann")).vtime == 2.0

    async def test_what_was_given_back_is_not_lost(self, store: Store):
        await add(store, "ann")
        first = await Scheduler(store, HOUR).claim_next(["bulk"], "one")
        assert first is not None
        await Units(store).release(first, 0, "")
        second = await Scheduler(store, HOUR).claim_next(["bulk"], "two")
        assert second is not None
        assert (second.fence, second.lost) == (2, 0)

    async def test_a_lane_that_is_not_active_waits(self, store: Store):
        await add(store, "ann")
        parked = {"active": None, "parked": "bulk", "wake": 1}
        await store.transact(Update(Lane, ("bulk", "ann"), set=parked))
        assert await claimed(store) is None
        await Scheduler(store, HOUR).tidy("bulk")
        assert await claimed(store) == "bulk-ann/0"

    async def test_closed_units_are_not_claimed(self, store: Store):
        await add(store, "ann", 2)
        unit = await Scheduler(store, HOUR).claim_next(["bulk"], "one")
        assert unit is not None
        await Units(store).finish(unit)
        other = await Units(store).get("bulk-ann", 1)
        assert other is not None
        assert await Units(store).cancel(other)
        assert await claimed(store) is None

    async def test_of_many_at_once_each_unit_goes_to_one(self, store: Store):
        for owner in ("ann", "bob", "cid"):
            await add(store, owner, 40)
        units = await everything(store)
        assert Counter(Counter(unit.name for unit in units).values()) == {1: 120}
        assert {(unit.fence, unit.lost) for unit in units} == {(1, 0)}
        for owner in ("ann", "bob", "cid"):
            assert (await store.get(Lane, "bulk", owner)).vtime == 40.0

    async def test_owners_share_though_many_claim_at_once(self, store: Store):
        await add(store, "ann", 200)
        for owner in ("bob", "cid", "dan"):
            await add(store, owner, 30)
        found = [unit.owner for unit in await everything(store, tasks=4)]
        shares = Counter(found[:80])
        assert all(15 <= shares[owner] <= 25 for owner in ("ann", "bob", "cid", "dan")), shares

    async def test_a_claim_beside_writes_of_the_holder(self, store: Store):
        """Leases that are extended or given up meanwhile: what is claimed is free, and whole."""
        await add(store, "ann", 20)
        held = [await Scheduler(store, 1).claim_next(["bulk"], "one") for _ in range(20)]
        await asyncio.sleep(0.01)
        now = await store.now()

        async def extend(unit: Unit) -> bool:
            try:
                await Units(store).write(unit, due=now + HOUR, progress=0.5)
            except Exception:  # whatever the reason: it is somebody else's now
                return False
            return True

        kept, taken = await asyncio.gather(
            asyncio.gather(*(extend(unit) for unit in held if unit)), everything(store, tasks=4)
        )
        assert kept.count(True) + len(taken) == 20
        assert {unit.fence for unit in taken} <= {2}
        rows = await Units(store).of_group("bulk-ann")
        assert sum(row.fence == 1 and row.progress == 0.5 for row in rows) == kept.count(True)

    async def test_a_lane_is_needed(self, store: Store):
        """Units without a lane are never seen: a lane is where claims look."""
        unit = Unit(group="g", seq=0, kind="items", owner="ann", klass="bulk", created=1)
        await store.transact(Put(unit.opened(1)))
        assert await claimed(store) is None
