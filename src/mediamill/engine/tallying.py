"""Count a unit's outcomes by what their inputs were, for the figures.

The counts are a field of the unit's row, written in the transaction with the outcomes, and become
figures when the unit is summed into its job (`rollup.py`): each outcome counts once, and no row is
written for it that others write too.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple, Protocol

from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import BOUNDS, COUNTED, About, Fact, pipeline
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Job
from mediamill.store.repositories.results import ItemOutcome, Result
from mediamill.store.repositories.units import Unit, UnitState

MEASURED, CANCELLED, OTHER = "measured", "cancelled", "other"
MOST_KINDS = 40
"""Kinds of outcomes of one unit that are told apart; what comes beyond them is `other`."""
MOST_ROWS = 60
"""Rows of figures that are added to with the sum of some units."""
COUNTS = COUNTED[About.ITEMS]
COUNT, BYTES, RESULTS, RESULT_BYTES, TIMED, MILLISECONDS = range(6)
FIRST_BOUND = 6
"""Places of them; those of the bounds of times come last."""

Tally = Mapping[str, Sequence[int]]
"""By `{operation}|{source}|{media type}|{status}`, what `COUNTS` has."""


class Input(Protocol):
    """An input of a unit, and the file that it is, or is a member of."""

    @property
    def item(self) -> int: ...
    @property
    def entry(self) -> Entry: ...
    @property
    def file(self) -> File | None: ...


class Known(NamedTuple):
    """What is known of an input before it is run."""

    source: str
    media_type: str | None
    """None of a member of an archive: only who runs it sees what it is."""
    size: int
    """Bytes of it, also of a member."""

    @classmethod
    def of(cls, file: File, entry: Entry) -> "Known":
        size = entry.place.size if entry.place else file.size
        return cls(file.source, None if entry.path else file.media_type, size)


UNKNOWN = Known("", "", 0)


@dataclass
class Tallying:
    """Knows what the inputs of a unit are, whose outcomes are counted."""

    operations: Sequence[str] = ()
    """The steps that run together on each of them."""
    inner: bool = False
    """Whether what is made is only for the stages that follow."""
    inputs: dict[int, Known] = field(default_factory=dict)
    """By item."""

    def know(self, *inputs: Iterable[Input]) -> None:
        """Take what inputs are; of those that are not there nothing is known."""
        for one in chain.from_iterable(inputs):
            if one.file is not None:
                self.inputs[one.item] = Known.of(one.file, one.entry)

    def added(self, tally: Tally, batch: Sequence[Result]) -> dict[str, tuple[int, ...]]:
        """Return a unit's counts with those of some more outcomes."""
        found = {kind: [*counts] for kind, counts in tally.items()}
        together = pipeline(self.operations)
        for result in batch:
            known = self.inputs.get(result.item, UNKNOWN)
            kind = self._kind(together, known, result)
            if kind not in found:
                if len(found) >= MOST_KINDS:
                    kind = "|".join((together, OTHER, OTHER, self._status(result)))
                found.setdefault(kind, [0] * len(COUNTS))
            _count(found[kind], known.size, result)
        return {kind: tuple(counts) for kind, counts in found.items()}

    def _kind(self, together: str, known: Known, result: Result) -> str:
        media_type = known.media_type
        if media_type is None:
            media_type = result.report.get("input", {}).get("media_type", "")
        return f"{together}|{known.source}|{media_type}|{self._status(result)}"

    def _status(self, result: Result) -> str:
        inner = self.inner and result.outcome is ItemOutcome.SUCCEEDED
        return MEASURED if inner else result.outcome.value


def _count(counts: list[int], size: int, result: Result) -> None:
    """Count an outcome; each of a hundred thousand is, so it builds nothing on the way."""
    counts[COUNT] += 1
    counts[BYTES] += size
    for _, made in result.outputs:
        counts[RESULTS] += 1
        counts[RESULT_BYTES] += made.size
    if result.seconds:  # something ran: it was not taken over, nor given up
        milliseconds = round(result.seconds * 1000)
        counts[TIMED] += 1
        counts[MILLISECONDS] += milliseconds
        for place in range(FIRST_BOUND + bisect_left(BOUNDS, milliseconds), len(counts)):
            counts[place] += 1


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
