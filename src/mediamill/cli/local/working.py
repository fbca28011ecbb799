"""What `mediamill run` does to one file: look what it is, then run the operation in a slot."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mediamill.cli.local.marking import Marking
from mediamill.cli.local.outcomes import Done, Reporter
from mediamill.cli.local.targets import Made
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.terminal.inputs import Input
from mediamill.cli.terminal.spelling import spelled
from mediamill.core.errors import MediamillError, SlotFailure, UnsupportedMedia, by_code
from mediamill.core.kinds import many, one
from mediamill.engine.partnering import Ring, drawn
from mediamill.engine.slots import Call, CallItem, Failed, Progress, Slot, SlotPool, Succeeded
from mediamill.engine.slots.calls import Kind
from mediamill.media.sniff import HEAD, sniff
from mediamill.operations.asking import ModelOperation
from mediamill.operations.work import Output


@dataclass(frozen=True)
class Plan:
    """What is to be done to which inputs."""

    operation: str
    parameters: Mapping[str, Any]
    accepts: Sequence[str]
    fans_out: bool
    inputs: Sequence[Input]
    processes: int | None = None
    seed: int = 0
    kind: Kind = "run"
    surveys: bool = False
    """Whether all inputs are measured before any is run."""
    applies: bool = True
    """Whether something is made of each input."""
    references: Sequence[str] = ()
    """Paths of files that are measured beside the inputs, as they were typed."""
    agreed: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    partners: int = 0
    """How many other inputs each is mixed with, at most."""
    annotations: Mapping[Path, bytes] = field(default_factory=dict)
    """What is marked on inputs (`ImageAnnotations.encode`)."""
    splits: Mapping[Path, str] = field(default_factory=dict)
    """Splits of the set that inputs are in; none counts as train."""
    marking: Marking | None = None
    """Where the annotations came from, which writes those of what is made."""
    asks: ModelOperation | None = None
    """The operation, where it asks models."""
    fixed: Mapping[Path, str] | None = None
    """The partners of the one input, with their SHA-256, when it is made again."""

    def takes(self, media_type: str) -> bool:
        """Tell whether the operation accepts inputs of a media type."""
        return any(fnmatch(media_type, pattern) for pattern in self.accepts or "*")

    @property
    def steps(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """The step as a slot is asked for it."""
        return ((self.operation, dict(self.parameters)),)


class Working:
    """Runs the operation on one input at a time, in whatever slot is free."""

    def __init__(
        self,
        plan: Plan,
        reporter: Reporter,
        pool: SlotPool,
        scratch: Path,
        expect: Callable[[Input], None] = lambda item: None,
    ) -> None:
        """`expect` raises `Failure` for an input whose results would meet something."""
        self.plan, self.reporter, self.pool = plan, reporter, pool
        self.scratch, self.expect = scratch, expect
        self._ring: asyncio.Task[Ring] | None = None
        self._digests: dict[Path, str] = {}
        """SHA-256 of the inputs on the ring."""

    def over(self, plan: Plan) -> "Working":
        """Return the same for another plan."""
        return Working(plan, self.reporter, self.pool, self.scratch, self.expect)

    async def done(self, index: int, item: Input) -> Done:
        """Run one input; whatever goes wrong with it is its outcome."""
        began = time.monotonic()
        done = Done(item)
        try:
            if self.plan.fans_out and self.plan.kind == "run":
                self.expect(item)
            done = replace(done, made=await self._made(index, item))
        except UnsupportedMedia as error:
            done = done.failing(error.code, error.message, skipped=not item.named)
        except MediamillError as error:
            done = done.failing(error.code, error.message)
        except Failure as failure:
            done = done.failing("exists", failure.message)
        except OSError as error:
            done = done.failing("not_readable", f"cannot be read: {error.strerror or error}")
        return replace(done, seconds=round(time.monotonic() - began, 3))

    async def _made(self, index: int, item: Input) -> Made:
        """Run the operation on one input; raises `UnsupportedMedia` for what it does not take."""
        with ExitStack() as stack:
            descriptor = stack.enter_context(opened(item.path))
            name, size = item.name, os.fstat(descriptor).st_size
            sha256 = await asyncio.to_thread(sha256_of, item.path)
            partners = await self._partners(item, sha256)
            beside, missing = self._beside(partners, stack)
            partners = {path: partners[path] for path in beside}
            async with self.pool.acquire() as slot:
                facts = await slot.probe(descriptor, name, size)
                self._require_accepted(facts.media_type)
                call_item = CallItem(
                    index=index,
                    descriptor=descriptor,
                    name=name,
                    media_type=facts.media_type,
                    size=size,
                    sha256=sha256,
                    width=facts.width,
                    height=facts.height,
                    duration=facts.duration,
                    annotations=self.plan.annotations.get(item.path, b""),
                    split=self.plan.splits.get(item.path, ""),
                    partners=tuple(beside.values()),
                )
                made = await self._tried(slot, call_item, partners)
        known = {"sha256": sha256, "size": size, "media_type": facts.media_type}
        return replace(made, source=known, report=_with_left_out(made.report, missing))

    def _require_accepted(self, media_type: str) -> None:
        if not self.plan.takes(media_type):
            takes = many(self.plan.accepts)
            raise UnsupportedMedia(f"is {one(media_type)}; {self.plan.operation} takes {takes}")

    async def _tried(self, slot: Slot, item: CallItem, partners: Mapping[Path, str]) -> Made:
        """Run the operation; once more without partners where the slot died, maybe of them."""
        try:
            return replace(await self.call(slot, item, [*partners]), partners=partners)
        except SlotFailure:
            if not item.partners or self.plan.fixed is not None:  # a replay is to be as it was
                raise
            made = await self.call(slot, replace(item, partners=()))
            why = dict.fromkeys(partners, "The process ended.")
            return replace(made, report=_with_left_out(made.report, why))

    async def call(self, slot: Slot, item: CallItem, partners: Sequence[Path] = ()) -> Made:
        """Run the operation in a slot; raises what the slot says went wrong."""
        made: Made | None = None
        plan = self.plan
        call = Call(plan.steps, (item,), seed=plan.seed, kind=plan.kind, agreed=dict(plan.agreed))
        async for event in slot.run(call):
            if isinstance(event, Progress):
                self.reporter.progress(event.index, event.fraction)
            elif isinstance(event, Failed):
                raise by_code(event.code)(_told(event))
            elif isinstance(event, Succeeded):
                files = [self._keep(item.index, n, o) for n, o in enumerate(event.outcome.files)]
                why = {partners[n]: text for n, text in sorted(event.outcome.left_out.items())}
                report = _with_left_out(event.outcome.report, why)
                made = Made(files, event.outcome.data, report)
        if made is None:
            raise SlotFailure("The slot ended without an outcome.")
        return made

    def _keep(self, index: int, n: int, output: Output) -> Output:
        """Take a file out of the slot's scratch, which is emptied after the call."""
        place = self.scratch / f"{self.plan.kind}-{index}-{n}"
        output.path.rename(place)
        return replace(output, path=place)

    # -- partners -------------------------------------------------------------------------------

    async def _partners(self, item: Input, sha256: str) -> Mapping[Path, str]:
        """Return the inputs that one is mixed with, and their SHA-256."""
        if self.plan.fixed is not None or not self.plan.partners:
            return self.plan.fixed or {}
        if self._ring is None:
            self._ring = asyncio.create_task(asyncio.to_thread(self._digested))
        ring = await asyncio.shield(self._ring)
        chosen = drawn(ring, self.plan.seed, sha256, self.plan.partners)
        paths = [self.plan.inputs[place].path for place in chosen]
        return {path: self._digests[path] for path in paths}

    def _digested(self) -> Ring:
        """Return the ring of the inputs that are mixed into others: those of train."""
        ring = Ring()
        for place, item in enumerate(self.plan.inputs):
            with suppress(OSError):  # as an input it fails by itself
                trains = self.plan.splits.get(item.path, "") in ("", "train")
                if trains and self.plan.takes(_type_of(item.path)):
                    self._digests[item.path] = sha256_of(item.path)
                    ring.add(self._digests[item.path], place)
        return ring.closed()

    def _beside(
        self, paths: Iterable[Path], stack: ExitStack
    ) -> tuple[dict[Path, CallItem], dict[Path, str]]:
        """Open other inputs; return them, and why others could not be opened.

        Such a one fails by itself, not what it is beside.
        """
        found: dict[Path, CallItem] = {}
        missing: dict[Path, str] = {}
        for path in paths:
            try:
                descriptor = stack.enter_context(opened(path))
            except OSError as error:
                missing[path] = f"It cannot be read: {error.strerror or error}."
                continue
            marks, size = self.plan.annotations.get(path, b""), os.fstat(descriptor).st_size
            found[path] = CallItem(0, descriptor, spelled(path.name), size=size, annotations=marks)
        return found, missing


def _with_left_out(report: Mapping[str, Any], why: Mapping[Path, str]) -> Mapping[str, Any]:
    """Add to a report which partners an input was made without, and why."""
    said = [{"path": spelled(path), "why": text} for path, text in why.items()]
    if not said:
        return report
    return {**report, "partners_left_out": [*report.get("partners_left_out", ()), *said]}


def _type_of(path: Path) -> str:
    """Return the media type of a file, told by its content."""
    with path.open("rb") as stream:
        return sniff(stream.read(HEAD))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _told(event: Failed) -> str:
    """Say why an item failed; of a defect in an operation, with its traceback for its author."""
    trace = event.details.get("traceback")
    return f"{event.message}\n{trace}" if trace else event.message


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a file for reading, for the length of the block."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
