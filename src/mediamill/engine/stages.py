"""Cut a job's steps into stages, and pack a stage's items into units.

Steps run together, one after the other on each item in one slot call, up to where a fan-out meets a
step that it cannot carry (a model's, or one that reads files), or the placement changes. A step
that surveys the set first makes three stages of them: `measure` runs what comes before it on every
item and keeps what it measures, `reduce` goes through all that in one item, and `run` begins anew
over the same inputs, knowing what was agreed: pictures in between are never written. A step that
makes nothing of its inputs, such as a report, ends with `reduce`.

A step that asks models is a stage of its own. One that asks once about all inputs measures what is
sent of each, and asks in its reduction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mediamill.core.tracing import traceparent
from mediamill.engine.costing import seconds_of
from mediamill.operations.base import Operation, Placement, SourceFacts
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.units import MODEL, Unit

UNIT_SECONDS, LEAST_SECONDS = 10.0, 2.0
"""Items are packed to about so much estimated work; towards the end to less, down to the second."""

SHARES = 4
"""Units in which what is left is divided at least, so that no slot is left alone with the last."""

UNIT_ITEMS = 500
"""The most items of a unit, which bounds its row."""


REDUCE_SECONDS = 0.002
"""What an input costs a reduction, roughly."""


class StageKind(StrEnum):
    RUN = "run"
    MEASURE = "measure"
    REDUCE = "reduce"


@dataclass(frozen=True)
class Stage:
    """Consecutive steps that run together, the first of them at place `first` of the job's."""

    steps: tuple[Operation, ...]
    first: int = 0
    kind: StageKind = StageKind.RUN
    again: bool = False
    """Whether its inputs are those of the measuring before it."""

    @property
    def asks(self) -> bool:
        """Whether it is for a step that asks models, or for what is sent to them."""
        return self.steps[-1].placement is Placement.MODEL

    @property
    def surveyor(self) -> int:
        """Place of the step that measures or reduces, among the job's."""
        return self.first + len(self.steps) - 1


def split(steps: Sequence[Operation]) -> tuple[Stage, ...]:
    """Cut steps into stages."""
    together: list[list[Operation]] = []
    for step in steps:
        if not together or _gathers(together[-1], step):
            together.append([])
        together[-1].append(step)
    stages, first = list[Stage](), 0
    for chosen in together:
        stages += _with_surveys(tuple(chosen), first)
        first += len(chosen)
    return tuple(stages)


def _with_surveys(steps: tuple[Operation, ...], first: int) -> list[Stage]:
    """Return the stages of steps that run together: two for each survey, then the run."""
    stages: list[Stage] = []
    for place, step in enumerate(steps):
        if step.surveys:
            measured = steps[: place + 1]
            stages.append(Stage(measured, first, StageKind.MEASURE, again=bool(stages)))
            stages.append(Stage((step,), first + place, StageKind.REDUCE))
    if steps[-1].applies:
        stages.append(Stage(steps, first, again=bool(stages)))
    return stages


def _gathers(together: Sequence[Operation], step: Operation) -> bool:
    """Tell whether a new stage begins between some steps and the one that follows."""
    if Placement.MODEL in (together[-1].placement, step.placement):
        return True
    return any(one.fans_out and not one.carries(step) for one in together)


def to_come(stages: Sequence[Stage], stage: int, cost: float, items: int) -> float:
    """Estimate the seconds of the stages that follow one and have the same inputs.

    `cost` is what the stage itself takes for its `items`.
    """
    seconds, each = 0.0, _nominal(stages[stage])
    for later in stages[stage + 1 :]:
        if later.kind is StageKind.REDUCE:
            seconds += REDUCE_SECONDS * items
        elif later.again:
            seconds += cost * _nominal(later) / each
        else:
            break
    return seconds


def _nominal(stage: Stage) -> float:
    """Return what a stage takes for a common image or a short video."""
    video = not stage.steps[0].takes("image/jpeg")
    facts = SourceFacts("video/mp4" if video else "image/jpeg", 1 << 20, 1280, 720, 60.0 * video)
    return max(0.001, seconds_of(stage.steps, facts))


def references_of(steps: Sequence[Operation]) -> tuple[str, ...]:
    """Return the files that are measured beside the inputs of a job's first stage."""
    stage = split(steps)[0]
    beside = stage.steps if stage.kind is StageKind.MEASURE else ()
    return tuple(dict.fromkeys(one for step in beside for one in step.references))


@dataclass(frozen=True)
class Piece:
    """One item to be packed: its index, its estimated seconds, and whether it goes alone."""

    item: int
    cost: float
    alone: bool


def pack(pieces: Iterable[Piece], more: float = 0.0) -> list[list[Piece]]:
    """Pack items in order into units of about ten seconds; what goes alone is its own unit.

    `more` is the seconds of the items that follow these. Of what takes longer than one unit the
    last ones are smaller, as in guided self-scheduling (Polychronopoulos and Kuck, 1987).
    """
    some = [*pieces]
    left = more + sum(piece.cost for piece in some if not piece.alone)
    guided = left > UNIT_SECONDS
    packed: list[list[Piece]] = []
    seconds, most = 0.0, UNIT_SECONDS
    shut = True
    for piece in some:
        full = seconds + piece.cost > most or (packed and len(packed[-1]) >= UNIT_ITEMS)
        if shut or full or piece.alone:
            packed.append([])
            seconds = 0.0
            if guided:
                most = min(UNIT_SECONDS, max(LEAST_SECONDS, left / SHARES))
        packed[-1].append(piece)
        seconds += piece.cost
        left -= 0.0 if piece.alone else piece.cost
        shut = piece.alone
    return packed


def klass_of(job: Job, stage: Stage) -> str:
    """Return the class of the units that a stage's items are in."""
    return MODEL if stage.asks else job.klass


def item_units(
    job: Job, stage: Stage, packed: Sequence[Sequence[Piece]], seq: int, now: int
) -> list[Unit]:
    """Make the units of a job's current stage and generation, numbered from `seq` on."""
    return [
        job_unit(
            job,
            "asks" if stage.asks else "items",
            klass=klass_of(job, stage),
            group=job.id,
            seq=seq + place,
            now=now,
            cost=max(0.001, sum(piece.cost for piece in pieces)),
            items=[piece.item for piece in pieces],
        )
        for place, pieces in enumerate(packed)
    ]


def pass_unit(job: Job, kind: str, now: int, **payload: Any) -> Unit:
    """Make a unit of which a job has one in each of its passes, such as `expand` and `seal`."""
    group = f"{job.id}:{kind}"
    return job_unit(job, kind, group=group, seq=job.turn, now=now, **payload)


def cancellation(job: Job, now: int) -> Unit:
    """Make the unit that cancels a job's pass; it is due before all else of its owner."""
    return pass_unit(job, "cancel", now).evolve(due=0)


def job_unit(
    job: Job,
    kind: str,
    *,
    group: str,
    seq: int,
    now: int,
    cost: float = 0.05,
    klass: str | None = None,
    **payload: Any,
) -> Unit:
    """Make one unit that belongs to a job, due now."""
    return Unit(
        group=group,
        seq=seq,
        kind=kind,
        owner=job.owner,
        klass=klass or job.klass,
        cost=cost,
        payload={"job": job.id, "stage": job.stage, "generation": job.generation, **payload},
        trace=traceparent() or job.trace,
        created=now,
    ).opened(now)
