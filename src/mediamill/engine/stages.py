"""Cut a job's steps into stages, and pack a stage's items into units.

A stage ends where a fan-out meets a step that it cannot carry (a model's, or one that reads files),
where the placement changes, and around a set step (`Placement`). Within a stage the steps run one
after the other on each item in one slot call.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mediamill.operations.base import Operation, Placement
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.units import Unit

UNIT_SECONDS = 10.0
"""Items are packed to about so much estimated work."""

UNIT_ITEMS = 500
"""The most items of a unit, which bounds its row."""


@dataclass(frozen=True)
class Stage:
    """Consecutive steps that run together."""

    steps: tuple[Operation, ...]


def split(steps: Sequence[Operation]) -> tuple[Stage, ...]:
    """Cut steps into stages."""
    stages: list[list[Operation]] = []
    for step in steps:
        if not stages or _gathers(stages[-1], step):
            stages.append([])
        stages[-1].append(step)
    return tuple(Stage(tuple(chosen)) for chosen in stages)


def _gathers(stage: Sequence[Operation], step: Operation) -> bool:
    """Tell whether a new stage begins between the steps of a stage and the one that follows."""
    before = stage[-1]
    if Placement.SET in (before.placement, step.placement):
        return True
    if before.placement is not step.placement:
        return True
    return any(one.fans_out and not one.carries(step) for one in stage)


@dataclass(frozen=True)
class Piece:
    """One item to be packed: its index, its estimated seconds, and whether it goes alone."""

    item: int
    cost: float
    alone: bool


def pack(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Pack items in order into units of about ten seconds; what goes alone is its own unit."""
    packed: list[list[Piece]] = []
    seconds = 0.0
    shut = True
    for piece in pieces:
        full = seconds + piece.cost > UNIT_SECONDS or (packed and len(packed[-1]) >= UNIT_ITEMS)
        if shut or full or piece.alone:
            packed.append([])
            seconds = 0.0
        packed[-1].append(piece)
        seconds += piece.cost
        shut = piece.alone
    return packed


def item_units(job: Job, packed: Sequence[Sequence[Piece]], seq: int, now: int) -> list[Unit]:
    """Make the units of a job's current stage and generation, numbered from `seq` on."""
    return [
        job_unit(
            job,
            "items",
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
    job: Job, kind: str, *, group: str, seq: int, now: int, cost: float = 0.05, **payload: Any
) -> Unit:
    """Make one unit that belongs to a job, due now."""
    return Unit(
        group=group,
        seq=seq,
        kind=kind,
        owner=job.owner,
        klass=job.klass,
        cost=cost,
        payload={"job": job.id, "stage": job.stage, "generation": job.generation, **payload},
        created=now,
    ).opened(now)
