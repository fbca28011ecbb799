"""How much there is to do, by class: what decides how many workers there should be.

A *running* unit is leased, a *ready* one is due and nobody has it, which is also said of one whose
lease ran out. Nothing is counted as work is done, for a counter that every claim writes to would be
the one row that all workers wait for. It is looked up when it is asked for, in the lanes that have
something to do, and only so far: enough is known when there is work for more workers than can be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mediamill.store.port import MAX_PAGE, Store
from mediamill.store.repositories.lanes import Lane, queue_name
from mediamill.store.repositories.units import Unit, UnitState

MOST_LANES, MOST_UNITS = 50, 500
"""What is looked at of a class: lanes that are active, and as many that wait for a time; ready
units, and as many running ones."""


@dataclass(frozen=True)
class Backlog:
    """The units of a class; `capped`: there are at least so many."""

    klass: str
    ready: int = 0
    running: int = 0
    capped: bool = False
    since: int | None = field(default=None, compare=False)
    """When the ready one that has waited longest was due (ms), of those that were looked at."""


class Backlogs:
    """Counts; `lease_ms` is the longest that a lease may last from now on."""

    def __init__(self, store: Store, lease_ms: int) -> None:
        self.store, self.lease_ms = store, lease_ms

    async def of(self, klass: str) -> Backlog:
        """Count the units of a class: two queries a lane, whatever there is in it."""
        now = await self.store.now()
        lanes, capped = await self._lanes(klass, now)
        found = Backlog(klass, capped=capped)
        for lane in lanes:
            found = await self._with(found, queue_name(klass, lane.owner), now)
            if found.ready > MOST_UNITS:
                return replace(found, ready=MOST_UNITS, capped=True)
        return found

    async def held(self, klass: str, owner: str) -> Sequence[Unit]:
        """List an owner's units of a class that are leased now, a thousand at most."""
        now, queue = await self.store.now(), queue_name(klass, owner)
        soon = now + self.lease_ms
        later = await self.store.query(
            Unit, Unit.index("unit_due"), queue, at_least=now + 1, at_most=soon, limit=MAX_PAGE
        )
        return [unit for unit in later.rows if unit.state is UnitState.LEASED]

    async def _lanes(self, klass: str, now: int) -> tuple[Sequence[Lane], bool]:
        """List the lanes that may have units that are due or leased; tell whether there are more.

        A lane whose only units are leased is parked until their leases end.
        """
        soon = now + self.lease_ms
        active = await self.store.query(Lane, Lane.index("lane_active"), klass, limit=MOST_LANES)
        parked = await self.store.query(
            Lane, Lane.index("lane_wake"), klass, at_most=soon, limit=MOST_LANES
        )
        lanes = {lane.owner: lane for lane in (*active.rows, *parked.rows)}
        return [*lanes.values()], active.after is not None or parked.after is not None

    async def _with(self, found: Backlog, queue: str, now: int) -> Backlog:
        """Add what is in a lane."""
        due = Unit.index("unit_due")
        later = await self.store.query(
            Unit, due, queue, at_least=now + 1, at_most=now + self.lease_ms, limit=MOST_UNITS
        )
        left = MOST_UNITS + 1 - found.ready
        ready = await self.store.query(Unit, due, queue, at_most=now, limit=left)
        return replace(
            found,
            ready=found.ready + len(ready.rows),
            running=found.running + sum(unit.state is UnitState.LEASED for unit in later.rows),
            capped=found.capped or later.after is not None,
            since=min(
                (due for due in (found.since, *(unit.due for unit in ready.rows[:1])) if due),
                default=None,
            ),
        )
