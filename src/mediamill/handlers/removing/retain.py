"""`retain`: take what is due by the rules of retention (`core/retention.py`).

A due file is hidden at once and for good, with the purge unit that removes it and what was made of
it. Looking again finds only what is due since, so a sweep that is cut short is simply begun again.
Of a file that its owner deleted an `Origin` may be left, for its results: it is taken likewise.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.clock import MINUTE, rfc3339
from mediamill.core.errors import ConditionFailed
from mediamill.core.retention import SOURCES, Retention, age_of
from mediamill.engine.lease import Lease
from mediamill.handlers.removing import lineage
from mediamill.store.port import Action, Equals, Update
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.purging import change, dooming, purge_unit
from mediamill.store.repositories.retention import Aging, Origin, Sweeps
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

KIND = "expire_file"
"""Of the units that remove what has expired: an earlier version would leave what was made of it."""
EVERY_MS = 5 * MINUTE
PAGE = 100
TOGETHER = 20
"""Files of one transaction: a row, a unit and a lane each, of at most 100 actions."""

Step = tuple[Action, Unit]
"""What hides a file, and the unit that removes it."""


@dataclass
class Retain:
    """Sweeps each source, one after the other; its unit is one of all servers' together."""

    recurs: ClassVar = True

    units: Units
    retention: Retention
    bell: Doorbell

    def __post_init__(self) -> None:
        self.aging, self.sweeps = Aging(self.units.store), Sweeps(self.units.store)

    async def run(self, lease: Lease) -> None:
        await self.sweep()
        await lease.release(EVERY_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Look again later: what has to go must go."""
        await lease.release(EVERY_MS, str(error))

    async def sweep(self, *, sure: bool = False) -> Counter[str]:
        """Take what is due now; return how many files, by source, of those that could be looked at.

        The rules are those in force, which others' settings may hold back (`Held`); those of this
        process when `sure`.
        """
        taken = Counter[str]()
        for source in SOURCES:
            now = await self.units.store.now()
            age = await self._age(source, now, sure=sure)
            if age is None or not await self._told(source):
                continue
            taken[source] += await self._files(source, now - age)
            taken[source] += await self._origins(source, now - age)
            await self.sweeps.note(source, now)
            if taken[source]:
                log.info("expired", action="files_expired", source=source, files=taken[source])
        if taken.total():
            await self.bell.ring("work:housekeeping")
        return taken

    async def _age(self, source: str, now: int, *, sure: bool) -> int | None:
        """Return how long files of a source are kept (ms) by the rule in force; None for ever."""
        mine = self.retention.told(source)
        held = await self.sweeps.hold(source, mine, now, sure=sure)
        if held.wanted is not None:
            until = rfc3339(held.in_force or now)
            log.warning("a shorter rule is held back", action="retention_held", source=source,
                        rule=held.rule, wanted=held.wanted, until=until)  # fmt: skip
        return age_of(held.rule)

    async def _told(self, source: str) -> bool:
        """Tell whether it is known of all results which file of a source they were made of.

        Of the stream they always were.
        """
        unit = None if source == "stream" else await self.units.get(lineage.KIND, 0)
        return source == "stream" or (unit is not None and not unit.state.open)

    async def _files(self, source: str, until: int) -> int:
        taken, after = 0, None
        while True:
            page = await self.aging.files(source, until, after, PAGE)
            now = await self.units.store.now()
            steps = [hiding(file, now) for file in page.rows if waiting(file)]
            taken += await self._take(steps)
            if (after := page.after) is None:
                return taken

    async def _origins(self, source: str, until: int) -> int:
        taken, after = 0, None
        while True:
            page = await self.aging.origins(source, until, after, PAGE)
            now = await self.units.store.now()
            taken += await self._take([taking(one, now) for one in page.rows if not one.expired])
            if (after := page.after) is None:
                return taken

    async def _take(self, steps: Sequence[Step]) -> int:
        """Write steps together; where one was overtaken each by itself, that one another time."""
        taken = 0
        for first in range(0, len(steps), TOGETHER):
            some = steps[first : first + TOGETHER]
            try:
                await self._write(some)
                taken += len(some)
            except ConditionFailed:
                for step in some:
                    with suppress(ConditionFailed):
                        await self._write([step])
                        taken += 1
        return taken

    async def _write(self, steps: Sequence[Step]) -> None:
        await self.units.insert([unit for _, unit in steps], *(action for action, _ in steps))


def waiting(file: File) -> bool:
    """Tell whether a file that is due is still to be taken: nobody removes it yet."""
    return file.expired is None and file.counted is None


def hiding(file: File, now: int) -> Step:
    """Make the change that hides a file for good, and the unit that will remove it."""
    fields: dict[str, Any] = {
        "state": FileState.TRASHED,
        "listed": None,
        "digest": None,
        "trashed": now,
        "trash": None,
        "expired": now,
        **dooming(file, now),
    }
    return change(file, **fields), purge_unit(file, now, now).evolve(kind=KIND)


def taking(origin: Origin, now: int) -> Step:
    same = Equals("expired", None)
    unit = Unit.chore(
        "expire_origin", f"origin:{origin.id}", 0, origin.owner, cost=0.05, now=now, due=now,
        origin=origin.id,
    )  # fmt: skip
    return Update(Origin, (origin.id,), set={"expired": now}, when=(same,)), unit
