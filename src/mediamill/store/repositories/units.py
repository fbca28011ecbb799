"""Units: lease-sized pieces of work; each is in the queue of its lane (`lanes.py`) while open.

    ready ──claim──▶ leased ──finish──▶ done
      ▲                │  └──cancel───▶ cancelled  (also from ready)
      └────release─────┘

A unit is open while `ready` or `leased`; `due` is then the time from which anybody may claim it:
not before that for a ready one, the end of the lease for a leased one. Each claim raises `fence`;
every later write of the claimant is guarded by it, so whoever lost the lease changes nothing.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any

import msgspec

from mediamill.core.errors import ConditionFailed, Restoring
from mediamill.core.records import Index, Key, Record
from mediamill.core.tracing import traceparent
from mediamill.store.port import (
    Absent,
    Action,
    Delete,
    Equals,
    Put,
    Store,
    Update,
    key_index,
)
from mediamill.store.repositories.lanes import Lane, queue_name, waking_of

LONG = "long"
"""The class of what functions leave to workers."""
MODEL = "model"
"""The class of what asks models, of whatever job."""
NOTICE_COST = 0.05
"""Estimated seconds of what only waits for somebody else's server."""


class UnitState(StrEnum):
    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        """Whether it is not at its end; so is what only a newer version knows."""
        return self not in (UnitState.DONE, UnitState.CANCELLED)


class Unit(Record, frozen=True, kw_only=True):
    """One piece of work. `group` and `seq` are its identity, so inserting it again is harmless."""

    table = "units"
    key = Key("group", "seq")
    indexes = (Index("unit_due", partition=("queue",), sort=("due", "group", "seq"), shards=2),)

    group: str
    """What it belongs to: a job's id for its items, `{job}:seal`, `thumbnail:{file}` …"""
    seq: int
    kind: str
    """The handler that runs it."""
    owner: str
    klass: str
    """`interactive`, `bulk`, `model`, `housekeeping`, `transfer`, `notices` or `long`."""
    state: UnitState = UnitState.READY
    queue: str | None = None
    """`{klass}|{owner}` while open, else None."""
    due: int | None = None
    """Milliseconds; see the module's first lines. None when closed."""
    fence: int = 0
    cost: float = 1.0
    """Estimated seconds; what a claim adds to the owner's virtual time."""
    payload: dict[str, Any] = {}
    """What its handler needs; for items: job, stage, generation, items (indexes)."""
    done: bytes = b""
    """One bit per entry of `payload["items"]`: flushed."""
    strikes: dict[str, int] = {}
    """Item index → how often it ended its slot."""
    current: int | None = None
    """The item that runs alone now, stored before it is started; set only after a crash."""
    attempts: int = 0
    """How often it was released with an error."""
    lost: int = 0
    """How often a lease ran out under it."""
    succeeded: int = 0
    failed: int = 0
    reused: int = 0
    made: int = 0
    """Bytes of the results that it has made."""
    tally: dict[str, tuple[int, ...]] = {}
    """The same outcomes by what their inputs were (`engine/tallying.py`)."""
    progress: float = 0.0
    """0…1 of the unit's items, for display only."""
    started: int | None = None
    """When it was claimed first (ms)."""
    holder: str = ""
    error: str = ""
    trace: str | None = msgspec.field(default_factory=traceparent)
    """The span in which it was made."""
    created: int
    finished: int | None = None

    @property
    def name(self) -> str:
        return f"{self.group}/{self.seq}"

    @property
    def items(self) -> list[int]:
        return list(self.payload.get("items", ()))

    @property
    def restoring(self) -> bool:
        """Whether it waits for bytes that are on their way back from cold storage."""
        return self.state is UnitState.READY and self.error.startswith(f"{Restoring.__name__}:")

    @property
    def for_workers(self) -> bool:
        """Whether it waits for a worker, for it is beyond what a function can do."""
        return self.state is UnitState.READY and self.klass == LONG

    def pending(self) -> list[int]:
        """List the item indexes whose outcome is not flushed yet."""
        return [
            item
            for place, item in enumerate(self.items)
            if place >> 3 >= len(self.done) or not self.done[place >> 3] >> (place & 7) & 1
        ]

    def works_on(self) -> list[int]:
        """List the item indexes that it brings on: of a part of a long one, that one."""
        return [int(self.payload["item"])] if "item" in self.payload else self.pending()

    def with_done(self, finished: Sequence[int]) -> bytes:
        """Return `done` with the bits of these item indexes set as well."""
        items = self.items
        bits = bytearray(self.done.ljust((len(items) + 7) >> 3, b"\0"))
        places = {item: place for place, item in enumerate(items)}
        for item in finished:
            bits[places[item] >> 3] |= 1 << (places[item] & 7)
        return bytes(bits)

    @classmethod
    def chore(
        cls, kind: str, group: str, seq: int, owner: str, *, cost: float, now: int, due: int,
        **payload: Any,
    ) -> "Unit":  # fmt: skip
        """Make a unit of housekeeping as inserted, due at a time (ms); see the fields."""
        unit = cls(
            group=group, seq=seq, kind=kind, owner=owner, klass="housekeeping", cost=cost,
            payload=payload, created=now,
        )  # fmt: skip
        return unit.opened(due)

    @classmethod
    def notice(
        cls, kind: str, group: str, seq: int, owner: str, *, now: int, **payload: Any
    ) -> "Unit":
        """Make a unit that tells somebody something, as inserted, due now; see the fields."""
        unit = cls.chore(kind, group, seq, owner, cost=NOTICE_COST, now=now, due=now, **payload)
        return unit.evolve(klass="notices").opened(now)

    def opened(self, due: int) -> "Unit":
        """Return it as inserted: ready, in its owner's queue."""
        return self.evolve(queue=queue_name(self.klass, self.owner), due=due)


class Units:
    """Reads and guarded writes of units; claiming them fairly is `engine/scheduler.py`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, group: str, seq: int) -> Unit | None:
        return await self.store.get(Unit, group, seq)

    async def of_group(self, group: str, first: int = 0, limit: int = 200) -> tuple[Unit, ...]:
        """List a group's units from sequence number `first` on."""
        page = await self.store.query(Unit, key_index(Unit), group, at_least=first, limit=limit)
        return page.rows

    async def walk_group(self, group: str, first: int = 0) -> AsyncIterator[Unit]:
        """Visit every unit of a group from `first` on, in order."""
        while rows := await self.of_group(group, first):
            for unit in rows:
                yield unit
            first = rows[-1].seq + 1

    async def lane(self, klass: str, owner: str) -> Lane | None:
        """Return an owner's lane in a class, if there was ever work in it."""
        return await self.store.get(Lane, klass, owner)

    async def active_lanes(self, klass: str, limit: int) -> tuple[Sequence[Lane], bool]:
        """List the active lanes that are served next, and tell whether there are more."""
        page = await self.store.query(Lane, Lane.index("lane_active"), klass, limit=limit)
        return page.rows, page.after is not None

    # -- building blocks of transactions ------------------------------------------------------

    async def insert(self, units: Sequence[Unit], *others: Action) -> None:
        """Insert ready units, absent before, together with other actions."""
        inserts = (Put(unit, when=(Absent(),)) for unit in units)
        lanes = dict.fromkeys(lane_of(unit) for unit in units)
        await self.commit(*others, *inserts, wake=[*lanes])

    async def commit(
        self,
        *actions: Action,
        wake: tuple[str, str] | list[tuple[str, str]],
        credit: float = 0.0,
    ) -> None:
        """Write actions and wake lanes in one transaction, whatever the lanes do meanwhile.

        `wake` is a lane's class and owner, or several; an active lane gets `credit` seconds of
        virtual time back. Raises `ConditionFailed` for a guard of the actions.
        """
        lanes = [wake] if isinstance(wake, tuple) else wake
        while True:
            waking = [await waking_of(self.store, *lane, credit) for lane in lanes]
            try:
                await self.store.transact(*actions, *waking)
            except ConditionFailed as error:
                if error.action < len(actions):
                    raise
            else:
                return

    # -- writes of the claimant, each guarded by its fence --------------------------------------

    def guarded(self, unit: Unit, **changes: Any) -> Update:
        """Make the update that holds only while `unit` is still leased under its fence."""
        return Update(Unit, unit.key_values(), set=changes, when=held(unit))

    async def write(
        self,
        unit: Unit,
        *others: Action,
        wake: tuple[str, str] | None = None,
        credit: float = 0.0,
        **changes: Any,
    ) -> Unit:
        """Change a leased unit together with other actions, and wake a lane if they add work.

        Raises `ConditionFailed`, of action 0 when the lease is lost.
        """
        actions = (self.guarded(unit, **changes), *others)
        if wake is None:
            await self.store.transact(*actions)
        else:
            await self.commit(*actions, wake=wake, credit=credit)
        return unit.evolve(**changes)

    async def finish(
        self, unit: Unit, *others: Action, wake: tuple[str, str] | None = None, **changes: Any
    ) -> Unit:
        """Close a leased unit as done, as `write` does."""
        now = await self.store.now()
        closing: dict[str, Any] = {"state": UnitState.DONE, "queue": None, "due": None}
        closing["finished"] = now
        return await self.write(unit, *others, wake=wake, **closing, **changes)

    async def remove(
        self, unit: Unit, *others: Action, wake: tuple[str, str] | None = None
    ) -> None:
        """Close a leased unit that nobody will ask for: its row goes, as `write` changes it."""
        gone = Delete(Unit, unit.key_values(), when=held(unit))
        if wake is None:
            await self.store.transact(gone, *others)
        else:
            await self.commit(gone, *others, wake=wake)

    async def release(
        self, unit: Unit, not_before: int, error: str, credit: float = 0.0,
        *, counted: bool = True, **changes: Any,
    ) -> None:  # fmt: skip
        """Give a leased unit back, to be claimed from `not_before` (ms) on.

        `credit` is what its lane gets back of the virtual time that the claim took. An error is one
        of the unit's attempts, unless that is not `counted`.
        """
        await self.write(
            unit,
            wake=lane_of(unit),
            credit=credit,
            state=UnitState.READY,
            due=not_before,
            holder="",
            error=error[:500],
            attempts=unit.attempts + (1 if error and counted else 0),
            **changes,
        )

    async def move(self, unit: Unit, klass: str, why: str, credit: float) -> None:
        """Give a leased unit back in another class, due now; `credit` is for the lane it was in.

        Raises `ConditionFailed`, of action 0 when the lease is lost.
        """
        await self.write(
            unit,
            Update(Lane, lane_of(unit), add={"vtime": -credit}),
            wake=(klass, unit.owner),
            klass=klass,
            queue=queue_name(klass, unit.owner),
            state=UnitState.READY,
            due=await self.store.now(),
            holder="",
            error=why[:500],
        )

    async def begin_once(self, kind: str, owner: str, every: int) -> None:
        """Insert the one unit of a housekeeping that comes again and again, each `every` ms."""
        if await self.get(kind, 0) is None:
            now = await self.store.now()
            unit = Unit.chore(kind, kind, 0, owner, cost=1.0, now=now, due=now + every)
            with suppress(ConditionFailed):  # another worker was first
                await self.insert([unit])

    # -- writes of everybody else ----------------------------------------------------------------

    async def cancel(self, unit: Unit) -> bool:
        """Close an open unit as cancelled; a claimant's late writes then fail by the fence."""
        now = await self.store.now()
        closing = {
            "state": UnitState.CANCELLED,
            "queue": None,
            "due": None,
            "finished": now,
            "fence": unit.fence + 1,
        }
        guard = (Equals("state", unit.state), Equals("fence", unit.fence))
        try:
            await self.store.transact(Update(Unit, unit.key_values(), set=closing, when=guard))
        except ConditionFailed:
            return False
        return True


def lane_of(unit: Unit) -> tuple[str, str]:
    """Return the class and the owner whose lane a unit is in."""
    return unit.klass, unit.owner


def held(unit: Unit) -> tuple[Equals, Equals]:
    """Return the guard of a claimant: still leased, still under this fence."""
    return Equals("state", UnitState.LEASED), Equals("fence", unit.fence)
