"""What inputs cost, step by step: each step works on what those before it make."""

from collections.abc import Iterator, Sequence

from mediamill.core.errors import MediamillError
from mediamill.operations.base import Operation
from mediamill.operations.work import Expected, SourceFacts


def seconds_each(steps: Sequence[Operation], source: SourceFacts) -> Iterator[float]:
    """Yield what each step takes for one input, in seconds of one core.

    Where nobody can tell what comes of a step, the next one counts as if its input stayed what it
    is; of an input that is sure to be refused nothing follows.
    """
    before = Expected(1, source)
    for place, step in enumerate(steps):
        yield before.count * step.cost(before.facts)
        if place + 1 < len(steps):
            try:
                made = step.roughly(before.facts)
            except MediamillError:
                yield from [0.0] * (len(steps) - place - 1)
                return
            if made is not None:
                before = Expected(before.count * made.count, made.facts)


def seconds_of(steps: Sequence[Operation], source: SourceFacts) -> float:
    """Estimate what steps take for one input, one after the other, in seconds of one core."""
    return sum(seconds_each(steps, source))
