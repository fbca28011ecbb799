"""What was done, for analysts: sums by day, type, source, customer, operation and outcome.

All of it is read from figures (`store/repositories/figures.py`), which name nobody.
"""

import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from mediamill.analytics.exporting import FIRST_DAY
from mediamill.analytics.table import days
from mediamill.core.access import Principal
from mediamill.core.clock import DAY as DAY_MS
from mediamill.core.errors import InvalidInput
from mediamill.services.roles import require_analyst
from mediamill.store.port import Store
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import (
    BOUNDS,
    COUNTED,
    NAMED,
    UNDER,
    About,
    Figure,
    Figures,
)

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
USUAL_DAYS, MOST_DAYS = 30, 1_100
"""Days that are shown where nobody says which, and the most at a time."""
GOOD = frozenset(("received", "succeeded", "reused", "answered"))
BAD = frozenset(("rejected", "refused", "failed", "partial"))
"""What of a row's status is a success and a failure; the rest is neither, as `cancelled`."""
BY = ("day", *NAMED)
LONGEST = BOUNDS[-1] / 1000
"""Seconds: of what took longer it is not told apart how much."""


@dataclass(frozen=True)
class Question:
    """What is asked of figures: what is counted, on which days, told apart by which names."""

    about: About
    first: str
    last: str
    by: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    """Only rows with these names; an operation also where others ran with it."""

    def takes(self, row: Figure) -> bool:
        """Tell whether a row is asked for; one that was only begun counts nothing yet."""
        if row.about is not self.about or not row.count:
            return False
        return all(_has(row, name, value) for name, value in self.where.items())


@dataclass
class Group:
    """Rows that are alike in what they are told apart by, summed."""

    names: dict[str, str]
    sums: Counter[str] = field(default_factory=Counter)
    good: int = 0
    bad: int = 0

    def add(self, row: Figure) -> None:
        """Count a row in; it is done for each of many."""
        sums = self.sums
        for name in COUNTED[row.about]:
            if more := getattr(row, name):
                sums[name] += more
        self.good += row.count if row.status in GOOD else 0
        self.bad += row.count if row.status in BAD else 0

    def join(self, other: "Group") -> None:
        """Count another group in."""
        self.sums.update(other.sums)
        self.good += other.good
        self.bad += other.bad

    @property
    def success(self) -> float | None:
        """Which part went well of what went well or wrong; None for nothing."""
        return self.good / (self.good + self.bad) if self.good + self.bad else None

    @property
    def mean(self) -> float | None:
        """Seconds that one took on average; None where that is not known of any."""
        return self.sums["milliseconds"] / self.sums["timed"] / 1000 if self.sums["timed"] else None

    def quantile(self, part: float) -> float | None:
        """Estimate the seconds in which such a part was done; None where none is known.

        Between two bounds it is drawn in a straight line; beyond the last, `LONGEST`, it is
        infinite: nobody knows.
        """
        wanted = part * self.sums["timed"]
        if not wanted:
            return None
        below, least = 0, 0.0
        for name, most in zip(UNDER, BOUNDS, strict=True):
            count = self.sums[name]
            if count >= wanted:
                return (least + (most - least) * (wanted - below) / (count - below)) / 1000
            below, least = count, most
        return math.inf


@dataclass(frozen=True)
class Answer:
    """What figures say."""

    question: Question
    groups: Sequence[Group]
    """The largest first; where days are told apart, by day, then the largest."""
    total: Group


@dataclass
class Summing:
    """Sums rows for a question."""

    question: Question
    groups: dict[tuple[str, ...], Group] = field(default_factory=dict)

    def add(self, row: Figure) -> None:
        """Count a row in, if it is asked for."""
        if not self.question.takes(row):
            return
        key = tuple(getattr(row, name) for name in self.question.by)
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Group(dict(zip(self.question.by, key, strict=True)))
        group.add(row)

    def answer(self) -> Answer:
        """Return what the rows come to."""
        total = Group({})
        for group in self.groups.values():
            total.join(group)
        return Answer(self.question, sorted(self.groups.values(), key=_place), total)


@dataclass
class Naming:
    """Collects which names rows have, for filters."""

    about: About
    found: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in NAMED})

    def add(self, row: Figure) -> None:
        """Take the names of a row."""
        if row.about is self.about:
            for name in NAMED:
                self.found[name].add(getattr(row, name))
            self.found["operation"].update(row.operation.split("+"))

    def names(self) -> dict[str, list[str]]:
        """Return those of each kind, in order; an operation also by itself."""
        return {name: sorted(values - {""}) for name, values in self.found.items()}


@dataclass(frozen=True)
class Look:
    """What a page about some days says."""

    told: Answer
    days: Answer
    choices: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class FigureService:
    """Reads of figures; every method raises `Forbidden` for others than analysts."""

    store: Store

    async def period(
        self, principal: Principal, first: str | None, last: str | None
    ) -> tuple[str, str]:
        """Return the days that are meant; raises `InvalidInput`.

        Days on which nothing can have been counted are left out: an open end is no longer search.
        """
        require_analyst(principal)
        now = await self.store.now()
        least, most = date.fromisoformat(FIRST_DAY), date.fromisoformat(day_of(now + DAY_MS))
        until = _day("to", last) if last else date.fromisoformat(day_of(now))
        since = _day("from", first) if first else None
        if since is not None and since > until:
            raise InvalidInput.at("from", "The first day comes after the last.")
        until = min(max(until, least), most)
        if since is None:
            since = max(until - timedelta(USUAL_DAYS - 1), least)
        since = min(max(since, least), most)
        if (until - since).days >= MOST_DAYS:
            days_ = f"The first day is more than {MOST_DAYS:,} days before the last."
            raise InvalidInput.at("from", days_)
        return since.isoformat(), until.isoformat()

    async def today(self) -> str:
        """Return the day that it is, in UTC."""
        return day_of(await self.store.now())

    async def ask(self, principal: Principal, question: Question) -> Answer:
        """Sum what is asked for; raises `InvalidInput` for names that are none."""
        require_analyst(principal)
        for name in (*question.by, *question.where):
            if name not in BY:
                raise InvalidInput.at("by", f"{name} is none of {', '.join(BY)}.")
        summing = Summing(question)
        await self._walked(question, summing)
        return summing.answer()

    async def look(self, principal: Principal, question: Question) -> Look:
        """Sum what is asked for, the same by day, and say which names there are, in one walk."""
        require_analyst(principal)
        told, days = Summing(question), Summing(replace(question, by=("day",)))
        naming = Naming(question.about)
        await self._walked(question, told, days, naming)
        return Look(told.answer(), days.answer(), naming.names())

    async def _walked(self, question: Question, *to: Summing | Naming) -> None:
        async for row in Figures(self.store).walk(question.first, question.last):
            for one in to:
                one.add(row)

    async def rows(
        self, principal: Principal, first: str, last: str
    ) -> AsyncIterator[dict[str, Any]]:
        """Visit all figures of some days, those of one name as one; the oldest day first."""
        require_analyst(principal)

        async def rows() -> AsyncIterator[dict[str, Any]]:
            async for day in days(self.store, first, last):
                for row in day.rows:
                    yield row

        return rows()


def _has(row: Figure, name: str, value: str) -> bool:
    said = getattr(row, name)
    return value in said.split("+") or value == said if name == "operation" else value == said


def _place(group: Group) -> tuple[Any, ...]:
    return group.names.get("day", ""), -group.sums["count"], *group.names.values()


def _day(field_: str, text: str) -> date:
    which = "first" if field_ == "from" else "last"
    if DAY.fullmatch(text) is None:
        raise InvalidInput.at(field_, f"The {which} day is to be written like 2026-11-21.")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput.at(field_, f"The {which} day, {text}, is in no calendar.") from None
