"""What a function can do within one call; what is beyond it is left to workers, in class `long`.

A function claims like a worker, and only then looks whether the unit fits: into the time that a
call of it has, by the estimate, and into its scratch folder. What does not fit is handed over, in
one write under the claim's fence, to the class that only workers take. So is a unit that two calls
could not bring any further, for whatever reason. Workers take everything, so an installation
without functions has no such units (docs/adr/0043-functions.md).

What units in hand need of the scratch folder is kept for them until their end, although it shows as
taken once they have copied their inputs: what they make takes room as well. One that had too little
beside others is tried again with all of it; only then is it found too large.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import structlog

from mediamill.engine.lease import Lease
from mediamill.store.repositories.units import LONG, Unit

log = structlog.get_logger(__name__)

FRUITLESS = 2
"""Calls that did not bring a unit any further before it is left to workers."""
CUT = "cut"
"""Under which a unit's payload counts calls that ended before it did, without any progress."""
CROWDED = "crowded"
"""Set in the payload of a unit that had no room beside others: it is to have all there is."""
MOVING_COST = 0.05
"""Seconds of its owner's time that finding out costs."""
NO_ROOM_MS = 2_000
"""How long a unit waits for room that others take now."""
FULL_MS = 5_000
"""How long one waits that has filled the scratch folder: for another call."""
FREE = ("notices", LONG)
"""Classes that are never handed over: what only waits, and what was."""


class Verdict(StrEnum):
    """Whether a unit fits; else what is said of it."""

    TAKE = "it fits"
    LATER = "the rest of this call is too short"
    NO_ROOM = "others have the scratch folder"
    TOO_LONG = "too long for a function"
    TOO_LARGE = "too large for a function"
    FRUITLESS = "a function could not finish it"


@dataclass(frozen=True)
class Need:
    """What a unit takes: estimated seconds, and bytes of scratch."""

    seconds: float
    size: int = 0


class Measures(Protocol):
    """Knows what units of a kind take, beyond their estimated cost."""

    async def need(self, unit: Unit) -> Need:
        """Estimate what a unit takes."""


@dataclass
class Bounds:
    """The bounds of one call; times are seconds of the monotonic clock."""

    work_ends: float
    """When work stops; what is done is written after it."""
    lease_ends: float
    whole: float
    """Seconds for work of a call that has nothing to open first."""
    most_seconds: float
    """A unit that is estimated to take longer is left to workers; so it is beyond `whole`."""
    room: Callable[[], tuple[int, int]]
    """Says how many bytes of scratch there are, and how many are free now."""
    measures: Mapping[str, Measures] = field(default_factory=dict)
    """By kind; a unit of any other kind takes no scratch to speak of."""
    taken: dict[str, int] = field(default_factory=dict)
    """Bytes of scratch that are kept for the units in hand, by name."""
    spent: bool = False
    """A unit did not fit into the time that is left: nothing more is to be claimed."""

    def left(self) -> float:
        """Return the seconds for work that are left."""
        return self.work_ends - time.monotonic()

    def lease_ms(self) -> int:
        """Return how long (ms) a lease lasts that begins now."""
        return max(0, int((self.lease_ends - time.monotonic()) * 1000))

    async def judge(self, unit: Unit, *, recurs: bool = False) -> Verdict:
        """Say whether a unit that was claimed fits, and keep room for it if so, until `end`.

        One that `recurs` lives for ever, and may have lost any number of leases.
        """
        if unit.klass in FREE:
            return Verdict.TAKE
        lost = 0 if recurs else unit.lost
        if lost + unit.payload.get(CUT, 0) >= FRUITLESS:
            return Verdict.FRUITLESS
        known = self.measures.get(unit.kind)
        need = await known.need(unit) if known is not None else Need(unit.cost)
        if unit.payload.get(CROWDED):
            need = Need(need.seconds, max(need.size, min(self.room())))
        verdict = self.verdict(need)
        if verdict is Verdict.TAKE:
            self.taken[unit.name] = need.size
        return verdict

    def end(self, unit: Unit) -> None:
        """Keep no more room for a unit."""
        self.taken.pop(unit.name, None)

    def _beside(self, unit: Unit) -> int:
        """Return how many bytes are kept for other units."""
        return sum(self.taken.values()) - self.taken.get(unit.name, 0)

    def verdict(self, need: Need) -> Verdict:
        """Say whether something fits beside what is in hand."""
        size, free = self.room()
        free -= sum(self.taken.values())
        if need.seconds > min(self.most_seconds, self.whole):
            return Verdict.TOO_LONG
        if need.size > size:
            return Verdict.TOO_LARGE
        if need.seconds > self.left():
            return Verdict.LATER
        return Verdict.NO_ROOM if need.size > free else Verdict.TAKE

    async def leave(self, lease: Lease, verdict: Verdict) -> None:
        """Give a unit that does not fit back, or hand it over; raises `LeaseLost`."""
        unit = lease.unit
        if verdict is Verdict.LATER:
            self.spent = True
            await lease.release(credit=unit.cost)
        elif verdict is Verdict.NO_ROOM and self._beside(unit):
            await lease.release(NO_ROOM_MS, credit=unit.cost)
        elif verdict is Verdict.NO_ROOM:  # nobody here has it: it may never be there
            await self.cut(lease, NO_ROOM_MS, tried=True, credit=unit.cost)
        else:
            await lease.hand_over(LONG, f"{verdict}", max(0.0, unit.cost - MOVING_COST))
            log.info("left to workers", action="unit_handed_over", unit=unit.name, kind=unit.kind,
                     cost=unit.cost, reason=f"{verdict}")  # fmt: skip

    async def full(self, lease: Lease) -> None:
        """Give a unit back that has filled the scratch folder; raises `LeaseLost`."""
        if self._beside(lease.unit):
            await lease.release(FULL_MS, payload={**lease.unit.payload, CROWDED: True})
        else:
            await self.cut(lease, FULL_MS, tried=True)

    async def cut(
        self, lease: Lease, delay_ms: int = 0, *, tried: bool = False, credit: float = 0.0
    ) -> None:
        """Give a unit back that did not end; hand it over where that is no use.

        `tried` says that it was stopped by something else than the end of its time; `credit` is for
        its lane when it is given back.
        """
        unit = lease.unit
        payload = {name: value for name, value in unit.payload.items() if name != CUT}
        tried = tried or time.monotonic() - lease.since >= self.whole / 2
        cuts = 0 if self._progressed(lease, payload) else unit.payload.get(CUT, 0) + tried
        if cuts >= FRUITLESS and unit.klass not in FREE:
            await self.leave(lease, Verdict.FRUITLESS)
            return
        changed = payload | ({CUT: cuts} if cuts else {})
        await lease.release(delay_ms, credit=credit, payload=changed)
        log.info("cut", action="unit_cut", unit=unit.name, kind=unit.kind, cuts=cuts)

    def _progressed(self, lease: Lease, payload: dict[str, Any]) -> bool:
        """Tell whether the row shows progress, which the next claimant begins with."""
        before = {name: value for name, value in lease.claimed.payload.items() if name != CUT}
        return (lease.claimed.done, before) != (lease.unit.done, payload)
