"""What a child can be asked to do with an item; each function is named in `KINDS`.

A call's steps run one after the other on each item. Steps that work on pictures are carried by the
one before them, so nothing lies between them but pictures; all others read the files that the one
before wrote to the scratch folder, each told by its content as any input is.
"""

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from mediamill.core.errors import ConfigurationError, InvalidInput, UnsupportedMedia
from mediamill.core.kinds import misfit
from mediamill.engine.slots.calls import Begin
from mediamill.operations.work import Context, Outcome, Output, Source

if TYPE_CHECKING:
    from mediamill.operations.asking import ModelOperation
    from mediamill.operations.base import MediaOperation, Operation

Build = Callable[[str, dict[str, Any]], "Operation"]
Work = Callable[[Source, Context], Outcome]


def resolve(name: str) -> Any:
    """Import what `module:attribute` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def run_steps(begin: Begin, build: Build) -> "Chain":
    """Build the call's steps once for all its items.

    Raises `NotFound` for a name, `InvalidInput` for parameters and where there is no step.
    """
    first, *others = _carried(_built(begin, build))
    return Chain(first, tuple(others), _agreements(begin, first, *others))


def _built(begin: Begin, build: Build) -> "list[Run]":
    if not begin.steps:
        raise InvalidInput("A slot needs a step to run.")
    return [_media_step(name, build(name, parameters)) for name, parameters in begin.steps]


def _agreements(begin: Begin, *runs: "Run") -> dict[int, dict[str, Any]]:
    """Return what was agreed for each step that surveys, by its identity (`Context.of`)."""
    operations = [step for run in runs for step in (run.first, *run.following)]
    return {id(operations[place]): agreed for place, agreed in begin.agreed.items()}


@dataclass(frozen=True)
class Run:
    """A step and those that it carries."""

    name: str
    first: "MediaOperation"
    following: "tuple[MediaOperation, ...]" = ()

    measures: bool = False
    """Whether the last of them measures what comes to it, and nothing is made."""

    def run(self, source: Source, context: Context) -> Outcome:
        """Process one input; a first step says itself what it does not take."""
        if self.measures:
            from mediamill.engine.slots.surveys import measured

            return measured(self.first, self.following, source, context)
        return self.first.run_through(source, context, self.following)


def _media_step(name: str, operation: "Operation") -> Run:
    from mediamill.operations.base import MediaOperation  # with pydantic: a probe needs neither

    if not isinstance(operation, MediaOperation):
        raise ConfigurationError(f"{name} is not an operation that runs in a slot.")
    return Run(name, operation)


def _carried(steps: Sequence[Run]) -> list[Run]:
    """Join steps with those before them that carry them."""
    runs: list[Run] = []
    for step in steps:
        if runs and runs[-1].first.carries(step.first):
            runs[-1] = replace(runs[-1], following=(*runs[-1].following, step.first))
        else:
            runs.append(step)
    return runs


@dataclass(frozen=True)
class Chain:
    """Steps that hand each other files: what one wrote is the next one's input, then gone."""

    first: Run
    others: tuple[Run, ...]
    agreements: dict[int, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, source: Source, context: Context) -> Outcome:
        context.agreements, context.left_out = self.agreements, {}
        if source.media_type:
            return self._whole(source, context)
        known = accepted(source, self.first.name, self.first.first)
        outcome = self._whole(known, context)
        return replace(outcome, report={"input": _facts(known), **outcome.report})

    def _whole(self, source: Source, context: Context) -> Outcome:
        """Run all steps; the outcome says which partners could not be used."""
        outcome = self._run(source, context)
        return replace(outcome, left_out=dict(context.left_out)) if context.left_out else outcome

    def _run(self, source: Source, context: Context) -> Outcome:
        if not self.others:
            return self.first.run(source, context)
        report, count = context.report_progress, 1 + len(self.others)
        context.report_progress = _part(report, 0, count)
        outcome = self.first.run(source, context)
        reports = [outcome.report]
        for place, step in enumerate(self.others, start=1):
            outcome = self._next(step, outcome.files, context, report, (place, count))
            reports.append(outcome.report)
        return replace(outcome, report={"steps": reports})

    def _next(
        self,
        step: Run,
        files: Sequence[Output],
        context: Context,
        report: Callable[[float], None],
        at: tuple[int, int],
    ) -> Outcome:
        """Run a step on all that the one before wrote; its data is that of the last input."""
        made: list[Outcome] = []
        if not files:
            raise InvalidInput(
                f"{step.name} has nothing to work on: no file came of the step before."
            )
        for n, file in enumerate(files):
            context.report_progress = _part(report, at[0] * len(files) + n, at[1] * len(files))
            with reopened(file, step) as source:
                made.append(step.run(source, context))
        data = [outcome.data for outcome in made if outcome.data is not None]
        return Outcome(
            tuple(file for outcome in made for file in outcome.files),
            data[-1] if data else None,
            made[0].report if len(made) == 1 else {"outputs": [one.report for one in made]},
        )


def _part(report: Callable[[float], None], done: int, total: int) -> Callable[[float], None]:
    """Report one of `total` equal parts, of which `done` are over."""
    return lambda fraction: report((done + fraction) / total)


@contextmanager
def reopened(file: Output, step: Run) -> Iterator[Source]:
    """Open what a step wrote for the next one, told by its content; then remove it.

    Raises `UnsupportedMedia` for what the next step does not take, and what a probe raises.
    """
    descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        source = Source(descriptor, file.name, file.media_type, file.size, file.sha256)
        yield accepted(source, step.name, step.first)
    finally:
        os.close(descriptor)
        file.path.unlink(missing_ok=True)


def accepted(source: Source, name: str, step: "Operation") -> Source:
    """Return a source with what its content says it is; raises `UnsupportedMedia` for a misfit."""
    facts = resolve(PROBE)(source.open, source.name, source.size)
    if not step.takes(facts.media_type):
        raise UnsupportedMedia(misfit(name, step.accepts, source.name, facts.media_type))
    return replace(
        source,
        media_type=facts.media_type,
        width=facts.width,
        height=facts.height,
        duration=facts.duration,
    )


def _facts(source: Source) -> dict[str, Any]:
    """Return what the lineage says of an input that has no record of its own."""
    known = {"media_type": source.media_type, "size": source.size, "sha256": source.sha256}
    seen = {"width": source.width, "height": source.height, "duration": source.duration}
    return known | {name: value for name, value in seen.items() if value}


def measure_items(begin: Begin, build: Build) -> "Chain":
    """Build the steps up to one that surveys, which measures what comes to it."""
    *first, last = _carried(_built(begin, build))
    runs = (*first, replace(last, measures=True))
    return Chain(runs[0], runs[1:], _agreements(begin, *runs))


def reduce_items(begin: Begin, build: Build) -> Work:
    """Build the step that surveys; an item is the measures, a line each."""
    from mediamill.engine.slots.surveys import reduced

    (step,) = _built(begin, build)
    return partial(reduced, step.first)


def preview_items(begin: Begin, build: Build) -> Work:
    """Build a step that shows what its parameters do, in small pictures."""
    (step,) = _built(begin, build)
    return step.first.preview


def compare_items(begin: Begin, build: Build) -> Work:
    """Build a step that shows what it comes to, in two small pictures."""
    (step,) = _built(begin, build)
    return step.first.compare


def plan_items(begin: Begin, build: Build) -> Work:
    """Cut items into parts that can be run beside each other; the spans are the outcome's data."""
    chain = run_steps(begin, build)
    if chain.others:
        raise InvalidInput("Steps that hand each other files do not run in parts.")
    return partial(_plan, chain.first.first, begin.segment_seconds)


def _plan(operation: "MediaOperation", seconds: float, source: Source, context: Context) -> Outcome:
    return Outcome(data={"spans": operation.segments(source, seconds, context)})


def probe_items(begin: Begin, build: Build) -> Work:
    """Find out what items are; the facts are the outcome's data."""
    return partial(_probe, resolve(PROBE))


def _probe(probe: Callable[..., Any], source: Source, context: Context) -> Outcome:
    facts = probe(source.open, source.name, source.size)
    return Outcome(data=msgspec.to_builtins(facts))


def prepare_items(begin: Begin, build: Build) -> Work:
    """Build a step that asks models; what it sends of an item is the outcome."""
    from mediamill.operations.asking import ModelOperation

    ((name, parameters),) = begin.steps
    step = build(name, parameters)
    if not isinstance(step, ModelOperation):
        raise ConfigurationError(f"{name} is not an operation that asks models.")
    return partial(_prepared, name, step, begin.agreed.get(0))


def _prepared(
    name: str,
    step: "ModelOperation",
    agreed: dict[str, Any] | None,
    source: Source,
    context: Context,
) -> Outcome:
    known = source if source.media_type else accepted(source, name, step)
    outcome = step.prepare(known, replace(context, agreed=agreed))
    return replace(outcome, report={"input": _facts(known), **outcome.report})


def annotation_sets(begin: Begin, build: Build) -> Work:
    """Read sets of annotations in the format that stands for a step's name, empty for any."""
    ((form, _),) = begin.steps
    return partial(resolve(ANNOTATED), form)


def upright_items(begin: Begin, build: Build) -> Work:
    """Turn JPEG upright; nothing comes of one that is."""
    return partial(_turned, resolve(UPRIGHT))


def _turned(
    turn: Callable[[bytes, str], bytes | None], source: Source, context: Context
) -> Outcome:
    data = turn(source.read(), source.name)
    if data is None:
        return Outcome()
    with context.output(source.name, source.media_type) as writer:
        writer.write(data)
    return Outcome((writer.output,))


PROBE = "mediamill.media.probe:probe"
ANNOTATED = "mediamill.engine.slots.annotated:read_set"
UPRIGHT = "mediamill.media.image.codecs.upright:upright"
KINDS: dict[str, Callable[[Begin, Build], Work]] = {
    "run": run_steps,
    "measure": measure_items,
    "reduce": reduce_items,
    "preview": preview_items,
    "compare": compare_items,
    "plan": plan_items,
    "probe": probe_items,
    "annotations": annotation_sets,
    "prepare": prepare_items,
    "upright": upright_items,
}
