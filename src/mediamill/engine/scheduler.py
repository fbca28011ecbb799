"""Claim work fairly: the owner who had least goes first, with their oldest due unit.

This is start-time fair queuing over lanes (`store/repositories/units.py`): a claim adds the unit's
estimated cost to its owner's virtual time, and the active lane with the least virtual time is
served next. A million units of one owner therefore never delay another owner's single photo.

The index that finds units may be stale: what counts is the claim's own guard on state and fence.
"""

from collections.abc import Sequence

from mediamill.core.errors import ConditionFailed
from mediamill.store.port import Equals, Store, Update
from mediamill.store.repositories.units import Lane, Unit, UnitState, queue_name

LANES_PER_LOOK = 32
CANDIDATES = 4
"""Due units looked at per lane: so many workers may collide on one lane before it looks again."""


class Scheduler:
    """Hands out due units of a class, one at a time."""

    def __init__(self, store: Store, lease_ms: int) -> None:
        self.store, self.lease_ms = store, lease_ms

    async def claim_next(self, klasses: Sequence[str], holder: str) -> Unit | None:
        """Claim a due unit of the first class that has one; None when nothing is due."""
        for klass in klasses:
            if (unit := await self._claim(klass, holder)) is not None:
                return unit
        return None

    async def _claim(self, klass: str, holder: str) -> Unit | None:
        now = await self.store.now()
        after: str | None = None
        while True:
            page = await self.store.query(
                Lane, Lane.index("lane_active"), klass, after=after, limit=LANES_PER_LOOK
            )
            for lane in page.rows:
                if (unit := await self._claim_in(lane, now, holder)) is not None:
                    return unit
            after = page.after
            if after is None:
                return None

    async def _claim_in(self, lane: Lane, now: int, holder: str) -> Unit | None:
        queue = queue_name(lane.klass, lane.owner)
        index = Unit.index("unit_due")
        while True:
            page = await self.store.query(Unit, index, queue, at_most=now, limit=CANDIDATES)
            for unit in page.rows:
                if (claimed := await self._take(lane, unit, now, holder)) is not None:
                    return claimed
            if len(page.rows) < CANDIDATES:
                return None

    async def _take(self, lane: Lane, unit: Unit, now: int, holder: str) -> Unit | None:
        changes = {
            "state": UnitState.LEASED,
            "fence": unit.fence + 1,
            "due": now + self.lease_ms,
            "holder": holder,
            "started": unit.started or now,
            "lost": unit.lost + (unit.state is UnitState.LEASED),
        }
        still = (Equals("state", unit.state), Equals("fence", unit.fence), Equals("due", unit.due))
        try:
            await self.store.transact(
                Update(Unit, unit.key_values(), set=changes, when=still),
                Update(Lane, lane.key_values(), add={"vtime": unit.cost}),
            )
        except ConditionFailed:
            return None
        # read again: the earlier claimant may have written after the look and before the claim
        claimed = await self.store.get(Unit, *unit.key_values())
        return claimed if claimed is not None and claimed.fence == unit.fence + 1 else None

    async def tidy(self, klass: str) -> None:
        """Park lanes that have nothing due, and wake parked ones whose time has come."""
        now = await self.store.now()
        waking = await self.store.query(Lane, Lane.index("lane_wake"), klass, at_most=now)
        active = await self.store.query(Lane, Lane.index("lane_active"), klass)
        floor = active.rows[0].vtime if active.rows else 0.0
        for lane in waking.rows:
            vtime = max(lane.vtime, floor)
            await self._change(lane, active=klass, parked=None, wake=None, vtime=vtime)
        for lane in active.rows:
            await self._park(lane, now)

    async def _park(self, lane: Lane, now: int) -> None:
        queue = queue_name(lane.klass, lane.owner)
        first = await self.store.query(Unit, Unit.index("unit_due"), queue, limit=1)
        if not first.rows:
            await self._change(lane, active=None)
        elif (due := first.rows[0].due) is not None and due > now:
            await self._change(lane, active=None, parked=lane.klass, wake=due)

    async def _change(self, lane: Lane, **changes: str | float | None) -> None:
        """Change a lane unless work was added to it since it was read."""
        same = (Equals("epoch", lane.epoch), Equals("active", lane.active))
        try:
            await self.store.transact(Update(Lane, lane.key_values(), set=changes, when=same))
        except ConditionFailed:
            return
