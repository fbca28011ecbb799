"""`retain`: take what is due by the rules of retention (`core/retention.py`).

Every hour all files are looked at that the rules of the installation or of a project may take: what
another project keeps longer is met again each time. In between only what came to be due since.

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
from mediamill.core.clock import DAY, HOUR, MINUTE, rfc3339
from mediamill.core.errors import ConditionFailed
from mediamill.core.retention import RULED, SOURCES, Retention, age_of
from mediamill.engine.lease import Lease
from mediamill.handlers.removing import lineage
from mediamill.store.port import Action, Equals, Update
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.keeping import Keeping
from mediamill.store.repositories.projects import AGING
from mediamill.store.repositories.purging import change, dooming, purge_unit
from mediamill.store.repositories.retention import A, Aging, Origin, Sweeps
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

KIND = "expire_file"
"""Of the units that remove what has expired: an earlier version would leave what was made of it."""
EVERY_MS = 5 * MINUTE
THOROUGH_MS = HOUR
"""How often all that is due is looked at, where projects have rules; else what is so since."""
AGAIN_MS = DAY
"""So much of what was looked at then is again: files come late, or could not be taken."""
PAGE = 100
TOGETHER = 20
"""Files of one transaction: a row, a unit and a lane each, of at most 100 actions."""

Step = tuple[Action, Unit]
"""What hides a file, and the unit that removes it."""


@dataclass(frozen=True)
class Look:
    """One look at all that may be due."""

    rules: Retention
    """The installation's, in force."""
    told: tuple[str, ...]
    """The ways to come in of whose files it is known what was made of them."""
    since: int | None
    """When all was looked at, where that need not be again (ms)."""

    def first(self, source: str) -> int | None:
        """Return from when on files of a source are looked at, by when they came in (ms)."""
        age = self.rules.age(source)
        return None if self.since is None or age is None else self.since - AGAIN_MS - age


@dataclass
class Retain:
    """Sweeps each source, one after the other; its unit is one of all servers' together."""

    recurs: ClassVar = True

    units: Units
    retention: Retention
    bell: Doorbell

    def __post_init__(self) -> None:
        store = self.units.store
        self.aging, self.sweeps, self.keeping = Aging(store), Sweeps(store), Keeping(store)

    async def run(self, lease: Lease) -> None:
        now = await self.units.store.now()
        (done,) = await self.sweeps.all([AGING])
        since = done.swept if now - (done.swept or 0) < THOROUGH_MS else None
        await self.sweep(since=since)
        await lease.release(EVERY_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Look again later: what has to go must go."""
        await lease.release(EVERY_MS, str(error))

    async def sweep(self, *, sure: bool = False, since: int | None = None) -> Counter[str]:
        """Take what is due now; return how many files, by source, of those that could be looked at.

        The rules are those in force, which others' settings may hold back (`Held`); those of this
        process when `sure`. `since` is when all was looked at, where that need not be again (ms).
        """
        ages = {source: await self._age(source, sure=sure) for source in RULED}
        rules = Retention({source: age for source, age in ages.items() if age is not None})
        told = tuple([source for source in SOURCES if await self._told(source)])
        ruled = bool((await self.keeping.ruled(limit=1)).rows)
        look = Look(rules, told, since if ruled else None)
        taken = await self._early(look) if ruled and since is None else Counter[str]()
        for source, age in rules.ages.items():
            if source in told:
                now = await self.units.store.now()
                taken[source] += await self._files(look, source, now - self.keeping.behind - age)
                taken[source] += await self._origins(look, source, now - self.keeping.behind - age)
                await self.sweeps.note(source, now)
        for source, files in taken.items():
            if files:
                log.info("expired", action="files_expired", source=source, files=files)
        if taken.total():
            await self.bell.ring("work:housekeeping")
        return taken

    async def _age(self, source: str, *, sure: bool) -> int | None:
        """Return how long files of a source are kept (ms) by the rule in force; None for ever."""
        mine, now = self.retention.told(source), await self.units.store.now()
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

    async def _early(self, look: Look) -> Counter[str]:
        """Take what projects say is due, whatever the installation says."""
        taken, after, now = Counter[str](), None, await self.units.store.now()
        while True:
            page = await self.keeping.ruled(after)
            for project in page.rows:
                until = now - self.keeping.behind
                async for some in self.keeping.early(project, look.rules, until):
                    for source in look.told:
                        files = [f for f, _ in some if waiting(f) and f.source == source]
                        taken[source] += await self._take([hiding(f, now) for f in files])
                await self.keeping.forget(project)
            if (after := page.after) is None:
                await self.sweeps.note(AGING, now)
                return taken

    async def _files(self, look: Look, source: str, until: int) -> int:
        taken, after = 0, None
        while True:
            page = await self.aging.files(source, until, after, PAGE, look.first(source))
            files = await self._due(look, [file for file in page.rows if waiting(file)])
            now = await self.units.store.now()
            taken += await self._take([hiding(file, now) for file in files])
            if (after := page.after) is None:
                return taken

    async def _origins(self, look: Look, source: str, until: int) -> int:
        taken, after = 0, None
        while True:
            page = await self.aging.origins(source, until, after, PAGE, look.first(source))
            origins = await self._due(look, [one for one in page.rows if not one.expired])
            now = await self.units.store.now()
            taken += await self._take([taking(one, now) for one in origins])
            if (after := page.after) is None:
                return taken

    async def _due(self, look: Look, rows: Sequence[A]) -> list[A]:
        """Leave out what projects keep longer than the installation does."""
        dues = await self.keeping.dues(rows, look.rules)
        until = await self.units.store.now() - self.keeping.behind
        return [row for row in rows if (due := dues[row.id]) is not None and due <= until]

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
    same = Equals("expired", None), Equals("kept", origin.kept)
    unit = Unit.chore(
        "expire_origin", f"origin:{origin.id}", 0, origin.owner, cost=0.05, now=now, due=now,
        origin=origin.id,
    )  # fmt: skip
    return Update(Origin, (origin.id,), set={"expired": now}, when=same), unit
