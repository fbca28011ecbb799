"""What retention has to do and has done, for who runs the service; and what is counted of files."""

import re
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from time import monotonic

from mediamill.core.access import Principal
from mediamill.core.clock import DAY, HOUR
from mediamill.core.errors import InvalidInput
from mediamill.core.retention import RULED, SOURCES, Held, Retention, age_of
from mediamill.services.roles import require_analyst
from mediamill.store.port import Page, Walks
from mediamill.store.repositories.daily import Dailies, Daily
from mediamill.store.repositories.files import File
from mediamill.store.repositories.keeping import Keeping
from mediamill.store.repositories.retention import Aging, Sweep, Sweeps

SECONDS = 30.0
"""How long a look holds, for all who ask."""
MOST = 1_000
"""Files that are counted of what is overdue."""
PAGES = 5
"""So many times `MOST` files are looked at for these: projects may keep many."""
LATE_MS = HOUR
"""What has been due for less is not late: where files come steadily, there is always some."""
FIRST, LAST = "0001-01-01", "9999-12-31"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Amount:
    """Some files; sizes in bytes."""

    files: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class State:
    """One source: its rule, what is due now and within a day from now, and what was done."""

    source: str
    rule: str
    """What this process has."""
    held: Held
    """What is in force."""
    due: Amount
    soon: Amount
    done: Sweep


AHEAD = (0, DAY, 7 * DAY, 30 * DAY)
"""How far ahead a forecast looks (ms), each as far as the one before is not."""


@dataclass(frozen=True)
class Forecast:
    """What a rule for one source would take: at once, and within each time of `AHEAD`."""

    source: str
    rule: str
    amounts: tuple[Amount, ...]


@dataclass(frozen=True)
class Overdue:
    """Files of one source that are due and not removed yet, at most `MOST`."""

    done: Sweep
    files: int


@dataclass
class RetentionService:
    """Reads only; `handlers/removing/retain.py` takes what is due."""

    aging: Aging
    sweeps: Sweeps
    dailies: Dailies
    retention: Retention
    _seen: Sequence[Overdue] = ()
    _time: float = 0.0

    def __post_init__(self) -> None:
        self.keeping = Keeping(self.aging.store)

    async def dated(self, files: Sequence[File]) -> list[File]:
        """Return files with when they go, by the settings of this process."""
        return await self.keeping.dated(files, self.retention)

    async def dated_one(self, file: File) -> File:
        """Return one file with when it goes."""
        return (await self.dated([file]))[0]

    @property
    def since_upgrade(self) -> bool:
        """Whether some rules hold only for what came in since the upgrade.

        Files by the stream there were none before; a store that can be walked has found the others.
        """
        older = any(self.retention.age(source) for source in SOURCES if source != "stream")
        return older and not isinstance(self.aging.store, Walks)

    async def states(self) -> list[State]:
        """Look at each source; every file that is due within a day is counted."""
        done, rules = await self.sweeps.all(SOURCES), await self._in_force()
        pairs = zip(SOURCES, done, strict=True)
        return [await self._state(source, one, rules) for source, one in pairs]

    async def _in_force(self) -> Retention:
        """Return the rules in force; those of this process where none was noted yet."""
        done = zip(RULED, await self.sweeps.all(RULED), strict=True)
        ages = {one: age_of(row.held(self.retention.told(one)).rule) for one, row in done}
        return Retention({source: age for source, age in ages.items() if age is not None})

    async def _state(self, source: str, done: Sweep, rules: Retention) -> State:
        held = done.held(self.retention.told(source))
        age, now = rules.age(source), await self.aging.store.now()
        due, soon = Amount(), Amount()
        if age is not None:
            async for time, size in self._older(source, now + DAY - age, rules):
                if time <= now:
                    due = Amount(due.files + 1, due.bytes + size)
                elif time <= now + DAY:
                    soon = Amount(soon.files + 1, soon.bytes + size)
        return State(source, self.retention.told(source), held, due, soon, done)

    async def forecast(self, rules: Retention) -> list[Forecast]:
        """Tell what rules would take and when, once they are in force; nothing is changed."""
        now = await self.aging.store.now()
        return [await self._forecast(source, rules, now) for source in SOURCES]

    async def _forecast(self, source: str, rules: Retention, now: int) -> Forecast:
        amounts, age = [Amount() for _ in AHEAD], rules.age(source)
        if age is not None:
            async for time, size in self._older(source, now + AHEAD[-1] - age, rules):
                if time <= now + AHEAD[-1]:
                    place = bisect_left(AHEAD, time - now)
                    before = amounts[place]
                    amounts[place] = Amount(before.files + 1, before.bytes + size)
        return Forecast(source, rules.told(source), tuple(amounts))

    async def _older(
        self, source: str, until: int, rules: Retention
    ) -> AsyncIterator[tuple[int, int]]:
        """Visit files that came in up to a time: when each goes (ms), and its size.

        What projects keep for ever is left out.
        """
        after: str | None = None
        while True:
            page = await self.aging.files(source, until, after, 1000)
            dues = await self.keeping.dues(page.rows, rules)
            for file in page.rows:
                if (due := dues[file.id]) is not None:
                    yield due, file.size
            if (after := page.after) is None:
                return

    async def early(self) -> Amount:
        """Count what projects say is due now, and the installation does not say so yet."""
        rules = await self._in_force()
        found, after, now = dict[str, int](), None, await self.aging.store.now()
        while True:
            page = await self.keeping.ruled(after)
            for project in page.rows:
                async for some in self.keeping.early(project, rules, now):
                    for file, _ in some:
                        base = rules.due(file.source, file.created)
                        if file.expired is None and (base is None or base > now):
                            found[file.id] = file.size
            if (after := page.after) is None:
                return Amount(len(found), sum(found.values()))

    async def overdue(self) -> Sequence[Overdue]:
        """Count what has been due for long and is there, for metrics; half a minute old at most."""
        if not self._seen or monotonic() - self._time >= SECONDS:
            done = await self.sweeps.all(SOURCES)
            rules = await self._in_force()
            self._seen = [Overdue(one, await self._waiting(one.source, rules)) for one in done]
            self._time = monotonic()
        return self._seen

    async def _waiting(self, source: str, rules: Retention) -> int:
        if (age := rules.age(source)) is None:
            return 0
        late = await self.aging.store.now() - LATE_MS
        count, after = 0, None
        for _ in range(PAGES):
            page = await self.aging.files(source, late - age, after, MOST)
            dues = await self.keeping.dues(page.rows, rules)
            count += sum(due is not None and due <= late for due in dues.values())
            if (after := page.after) is None or count >= MOST:
                break
        return min(count, MOST)

    async def differing(self) -> list[str]:
        """Tell where the rules in force are not those of this process."""
        pairs = zip(RULED, await self.sweeps.all(RULED), strict=True)
        return [
            f"{source}={done.rule} in force, {source}={self.retention.told(source)} here"
            for source, done in pairs
            if done.rule not in (None, self.retention.told(source))
        ]

    # -- what is counted ------------------------------------------------------------------------

    async def daily(
        self,
        principal: Principal,
        first: str | None,
        last: str | None,
        source: str | None,
        after: str | None,
        limit: int,
    ) -> Page[Daily]:
        """List what the caller's purged files came to, the oldest day first.

        Raises `InvalidInput` for what is no day. A page may hold few rows where a source is chosen.
        """
        days = _day("from", first or FIRST), _day("to", last or LAST)
        page = await self.dailies.of_owner(principal.user, *days, after, limit)
        rows = tuple(row for row in page.rows if source in (None, row.source))
        return Page(rows, page.after)

    async def of_everybody(
        self,
        principal: Principal,
        first: str | None,
        last: str | None,
        after: str | None,
        limit: int,
    ) -> Page[Daily]:
        """List what everybody's purged files came to, the oldest day first; for analysts.

        Raises `Forbidden`, and `InvalidInput` for what is no day.
        """
        require_analyst(principal)
        days = _day("from", first or FIRST), _day("to", last or LAST)
        return await self.dailies.of_all(*days, after, limit)

    async def report(self, first: str | None, last: str | None) -> AsyncIterator[Daily]:
        """Visit what everybody's purged files came to, the oldest day first."""
        days, after = (_day("from", first or FIRST), _day("to", last or LAST)), None
        while True:
            page = await self.dailies.of_all(*days, after, 1000)
            for row in page.rows:
                yield row
            if (after := page.after) is None:
                return


def _day(field: str, text: str) -> str:
    """Return a day as it is; raises `InvalidInput`."""
    try:
        if _DAY.fullmatch(text) is None:
            raise ValueError(text)
        date.fromisoformat(text)
    except ValueError:
        raise InvalidInput.at(field, f"{text[:40]!r} is no day: write 2026-11-21.") from None
    return text
