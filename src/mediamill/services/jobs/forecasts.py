"""What the inputs of a job will become, step by step, before anything of it is made."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mediamill.core.errors import InvalidInput, LimitExceeded
from mediamill.engine.stages import StageKind, split
from mediamill.operations.base import Operation
from mediamill.operations.work import Expected, SourceFacts, Sure


@dataclass(frozen=True)
class Number:
    """How many there will be, and how far that can be relied on."""

    count: int
    sure: Sure = Sure.EXACT


@dataclass(frozen=True)
class Forecast:
    """What becomes of a job's inputs; None where nobody can tell of one of them how many."""

    before: Sequence[Sequence[Expected] | None]
    """What each step has as inputs, and at last what comes of all."""
    outputs: Number | None
    """Pictures, documents or answers of the last step; one if that looks at all of them at once."""
    refused: Mapping[int, str]
    """Inputs that are sure to be refused, and why."""


def total(made: Iterable[Expected]) -> Number:
    """Add up what several inputs become."""
    count, sure = 0, Sure.EXACT
    for one in made:
        count, sure = count + one.count, sure.joined(one.sure)
    return Number(count, sure)


def forecast(steps: Sequence[Operation], inputs: Mapping[int, SourceFacts]) -> Forecast:
    """Foresee what becomes of inputs, which have their places among the job's."""
    before: list[list[Expected] | None] = [[] for _ in range(len(steps) + 1)]
    starts = {stage.first for stage in split(steps) if stage.kind is not StageKind.REDUCE}
    refused = {}
    for place, facts in inputs.items():
        try:
            course = [*_course(steps, starts, facts)]
        except InvalidInput as error:
            refused[place] = error.message
            continue
        for n, made in enumerate(course):
            known = before[n]
            if made is None:
                before[n] = None
            elif known is not None:
                known.append(made)
    last = before[-1]
    outputs = None if last is None else total(last)
    if not steps[-1].applies:
        outputs = Number(min(1, len(inputs) - len(refused)))
    return Forecast(before, outputs, refused)


def _course(
    steps: Sequence[Operation], starts: Collection[int], facts: SourceFacts
) -> Iterator[Expected | None]:
    """Yield what comes of an input before each step and after the last; raises `InvalidInput`.

    What one input may become is bounded within a stage; from the places in `starts` on a new one
    begins with each of them.
    """
    items, item, most = 1, Expected(1, facts), None
    for place, step in enumerate(steps):
        if place in starts:
            items, item, most = items * item.count, replace(item, count=1), step.most_outputs
        yield replace(item, count=items * item.count)
        made = step.expect(item.facts)
        if made is None:
            yield from [None] * (len(steps) - place)
            return
        count, sure = item.count * made.count, item.sure.joined(made.sure)
        item = _bounded(Expected(count, made.facts, sure), most)
    yield replace(item, count=items * item.count)


def _bounded(item: Expected, most: int | None) -> Expected:
    """Return no more than one input may become; raises `LimitExceeded` where it surely is more."""
    if most is None or item.count <= most:
        return item
    if item.sure is Sure.EXACT:
        message = f"it would become more than {most} files: ask for fewer copies or tiles"
        raise LimitExceeded(message)
    return replace(item, count=most)
