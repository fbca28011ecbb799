"""Count a unit's outcomes by what their inputs were, for the figures.

The counts are a field of the unit's row, written in the transaction with the outcomes, and become
figures when the unit is summed into its job (`rollup.py`): each outcome counts once, and no row is
written for it that others write too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import COUNTED, About, Fact, pipeline, took
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import ItemOutcome, Result
from mediamill.store.repositories.units import Unit, UnitState

MEASURED, CANCELLED, OTHER = "measured", "cancelled", "other"
MOST_KINDS = 40
"""Kinds of outcomes of one unit that are told apart; what comes beyond them is `other`."""
MOST_ROWS = 60
"""Rows of figures that are added to with the sum of some units."""
COUNTS = COUNTED[About.ITEMS]

Tally = Mapping[str, Sequence[int]]
"""By `{operation}|{source}|{media type}|{status}`, what `COUNTS` has."""


class Input(Protocol):
    """An input of a unit, and the file that it is, or is a member of."""

    @property
    def item(self) -> int: ...
    @property
    def file(self) -> File | None: ...


@dataclass
class Tallying:
    """Knows what the inputs of a unit are, whose outcomes are counted."""

    operations: Sequence[str] = ()
    """The steps that run together on each of them."""
    inner: bool = False
    """Whether what is made is only for the stages that follow."""
    inputs: dict[int, File] = field(default_factory=dict)
    """By item."""

    def know(self, *inputs: Iterable[Input]) -> None:
        """Take what inputs are; of those that are not there nothing is known."""
        for one in chain.from_iterable(inputs):
            if one.file is not None:
                self.inputs[one.item] = one.file

    def added(self, tally: Tally, batch: Sequence[Result]) -> dict[str, tuple[int, ...]]:
        """Return a unit's counts with those of some more outcomes."""
        found = {kind: tuple(counts) for kind, counts in tally.items()}
        for result in batch:
            kind, counts = self._kind(result), self._counts(result)
            if kind not in found and len(found) >= MOST_KINDS:
                operation, *_, status = kind.split("|")
                kind = "|".join((operation, OTHER, OTHER, status))
            known = found.get(kind, (0,) * len(COUNTS))
            found[kind] = tuple(a + b for a, b in zip(known, counts, strict=True))
        return found

    def _kind(self, result: Result) -> str:
        file = self.inputs.get(result.item)
        status = result.outcome.value
        if self.inner and result.outcome is ItemOutcome.SUCCEEDED:
            status = MEASURED
        source, media_type = (file.source, file.media_type) if file else ("", "")
        return "|".join((pipeline(self.operations), source, media_type, status))

    def _counts(self, result: Result) -> tuple[int, ...]:
        file, made = self.inputs.get(result.item), [file for _, file in result.outputs]
        counts = {
            "count": 1,
            "bytes": file.size if file else 0,
            "results": len(made),
            "result_bytes": sum(one.size for one in made),
        }
        if result.outcome is not ItemOutcome.REUSED:
            counts |= took(round(result.seconds * 1000))
        return tuple(counts.get(name, 0) for name in COUNTS)


def together(job: Job, closed: Sequence[Unit]) -> tuple[list[Unit], list[Fact]]:
    """Return the first of some closed units of a job, at least one, and what they are in figures.

    They are as many as one transaction counts.
    """
    units, facts, kinds = list[Unit](), list[Fact](), set[object]()
    for unit in closed:
        more = facts_of(job, unit)
        kinds |= {(one.day, one.operation, one.source, one.media_type, one.status) for one in more}
        if units and len(kinds) > MOST_ROWS:
            break
        units.append(unit)
        facts += more
    return units, facts


def facts_of(job: Job, unit: Unit) -> list[Fact]:
    """Return what a closed unit of a job is in figures.

    Outcomes of which an older program did not say what they were made of count all the same.
    """
    facts, told = list[Fact](), dict[str, int]()
    day = day_of(unit.finished or unit.created)
    for kind, counts in unit.tally.items():
        operation, source, media_type, status = kind.split("|")
        named = dict(zip(COUNTS, counts, strict=False))  # a newer program may count more
        facts.append(
            Fact(
                about=About.ITEMS, day=day, status=status, source=source,
                media_type=media_type, operation=operation, counts=named,
            )
        )  # fmt: skip
        known = "succeeded" if status == MEASURED else status
        told[known] = told.get(known, 0) + named["count"]
    all_ = pipeline(step.operation for step in job.steps)
    for status, more in _beside(unit, told).items():
        counts_ = {"count": more}
        facts.append(
            Fact(about=About.ITEMS, day=day, status=status, operation=all_, counts=counts_)
        )
    return facts


def _beside(unit: Unit, told: Mapping[str, int]) -> dict[str, int]:
    """Count what a unit's tally lacks: what was cancelled, and what an older program did."""
    settled = {
        "succeeded": unit.succeeded, "failed": unit.failed, "reused": unit.reused,
    }  # fmt: skip
    if unit.state is UnitState.CANCELLED:
        settled[CANCELLED] = len(unit.items) - sum(settled.values())
    left = {status: more - told.get(status, 0) for status, more in settled.items()}
    return {status: more for status, more in left.items() if more > 0}
