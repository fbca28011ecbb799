"""Claim work fairly: the owner who had least goes first, with their oldest due unit.

This is start-time fair queuing over lanes (`store/repositories/lanes.py`): a claim adds the unit's
estimated cost to its owner's virtual time, and the active lane with the least virtual time is
served next. A million units of one owner therefore never delay another owner's single photo.

The index that finds units may be late: what counts is the claim's own guard on state and fence, and
a lane in which nothing is to be seen is given up only after a long quiet (`_pause`). A store that
can claim in one step (`store/claims.py`) does it instead.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.core.clock import DAY, HOUR, SECOND
from mediamill.core.errors import ConditionFailed
from mediamill.store.claims import Claims
from mediamill.store.port import Equals, Lags, Store, Update
from mediamill.store.repositories.lanes import Lane, queue_name
from mediamill.store.repositories.units import Unit, UnitState

LANES_PER_LOOK = 32
CANDIDATES = 4
"""Due units looked at per lane: so many workers may collide on one lane before it looks again."""
PATIENCE_MS, LONGEST_MS, GIVEN_UP_MS = 5 * SECOND, HOUR, DAY
"""On a store that lags: how long a quiet lane is looked at as before, how long it is parked at most
between two looks, and after how long a quiet it is switched off."""
MOST_QUIET = 10_000
"""Lanes that are remembered; then all are forgotten, and looked at as if for the first time."""


@dataclass(frozen=True)
class Quiet:
    """What was seen of a lane since work was added to it last; times in milliseconds."""

    epoch: int
    begun: int
    """When it was first looked at after that."""
    since: int
    """When a unit of it was seen last, or `begun`."""


class Scheduler:
    """Hands out due units of a class, one at a time."""

    def __init__(self, store: Store, lease_ms: int) -> None:
        self.store, self.lease_ms = store, lease_ms
        self._claims = store if isinstance(store, Claims) else None
        self._quiet: dict[tuple[str, str], Quiet] = {}

    async def claim_next(
        self, klasses: Sequence[str], holder: str, lease_ms: int | None = None
    ) -> Unit | None:
        """Claim a due unit of the first class that has one; None when nothing is due."""
        lease_ms = self.lease_ms if lease_ms is None else lease_ms
        if self._claims is not None:
            return await self._claims.claim(klasses, holder, lease_ms)
        for klass in klasses:
            if (unit := await self._claim(klass, holder, lease_ms)) is not None:
                return unit
        return None

    async def _claim(self, klass: str, holder: str, lease_ms: int) -> Unit | None:
        now = await self.store.now()
        after: str | None = None
        while True:
            page = await self.store.query(
                Lane, Lane.index("lane_active"), klass, after=after, limit=LANES_PER_LOOK
            )
            for lane in page.rows:
                if (unit := await self._claim_in(lane, now, holder, lease_ms)) is not None:
                    return unit
            after = page.after
            if after is None:
                return None

    async def _claim_in(self, lane: Lane, now: int, holder: str, lease_ms: int) -> Unit | None:
        queue = queue_name(lane.klass, lane.owner)
        index = Unit.index("unit_due")
        while True:
            page = await self.store.query(Unit, index, queue, at_most=now, limit=CANDIDATES)
            oldest, others = page.rows[:1], list(page.rows[1:])
            random.shuffle(others)  # who was first took the oldest: the rest do not race again
            for unit in (*oldest, *others):
                if (claimed := await self._take(lane, unit, now, holder, lease_ms)) is not None:
                    return claimed
            if len(page.rows) < CANDIDATES:
                return None

    async def _take(
        self, lane: Lane, unit: Unit, now: int, holder: str, lease_ms: int
    ) -> Unit | None:
        changes = {
            "state": UnitState.LEASED,
            "fence": unit.fence + 1,
            "due": now + lease_ms,
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

    async def soon(self, klasses: Sequence[str], within_ms: int) -> bool:
        """Tell whether a unit of some classes is due within a time, or a lease runs out.

        Clocks of processes may differ by so much as well: what is due there is not yet due here.
        """
        until = await self.store.now() + within_ms
        for klass in klasses:
            lanes = await self.store.query(
                Lane, Lane.index("lane_active"), klass, limit=LANES_PER_LOOK
            )
            for lane in lanes.rows:
                queue = queue_name(klass, lane.owner)
                page = await self.store.query(
                    Unit, Unit.index("unit_due"), queue, at_most=until, limit=1
                )
                if page.rows:
                    return True
        return False

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
        due = first.rows[0].due if first.rows else None
        pause = self._pause(lane, now, seen=due is not None)
        if pause == 0 or (due is not None and due <= now):
            return
        times = [time for time in (due, pause and now + pause) if time is not None]
        if times:
            await self._change(lane, active=None, parked=lane.klass, wake=min(times))
        else:
            await self._change(lane, active=None)

    def _pause(self, lane: Lane, now: int, *, seen: bool) -> int | None:
        """Return for how long at most (ms) a lane may be parked; None where that is no matter.

        Where indexes lag, a unit that was inserted, claimed or extended this moment may be nowhere
        to be seen. So a lane is left alone at first, then parked for as long as it was quiet: what
        was overlooked is found at the next look.
        """
        if not isinstance(self.store, Lags) or not self.store.lag:
            return None
        known = self._quiet.get((lane.klass, lane.owner))
        if known is None or known.epoch != lane.epoch:
            known = Quiet(lane.epoch, now, now)
        elif seen:
            known = Quiet(lane.epoch, known.begun, now)
        self._note(lane, known)
        quiet = now - (known.begun if seen else known.since)
        if quiet < PATIENCE_MS:
            return 0
        return min(quiet, LONGEST_MS) if quiet < GIVEN_UP_MS else None

    def _note(self, lane: Lane, known: Quiet) -> None:
        if len(self._quiet) >= MOST_QUIET:
            self._quiet.clear()
        self._quiet[lane.klass, lane.owner] = known

    async def _change(self, lane: Lane, **changes: str | float | None) -> None:
        """Change a lane unless work was added to it, or taken, since it was read."""
        same = tuple(Equals(name, getattr(lane, name)) for name in ("epoch", "active", "vtime"))
        try:
            await self.store.transact(Update(Lane, lane.key_values(), set=changes, when=same))
        except ConditionFailed:
            return
