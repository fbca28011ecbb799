"""The first pass over local files: measure each, then reduce what was measured."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from mediamill.cli.local.outcomes import Done
from mediamill.cli.local.targets import Made
from mediamill.cli.local.working import Plan, Working, sha256_of
from mediamill.cli.terminal.inputs import Input
from mediamill.cli.terminal.spelling import spelled
from mediamill.engine.slots import CallItem
from mediamill.engine.slots.surveys import LINES, Line


@dataclass(frozen=True)
class Part:
    """A file of a set: its place there, and what the measures call it: its path as it was typed."""

    item: int
    input: Input
    called: str
    reference: bool = False
    """Whether the set is compared with it, of which it is none itself."""
    sha256: str = ""
    """Of what was measured, or was found to be broken; empty for what could not be read."""


def parts_of(plan: Plan) -> list[Part]:
    """Return the inputs, and what they are compared with behind them."""
    inputs = [Part(n, item, spelled(item.path)) for n, item in enumerate(plan.inputs)]
    beside = [
        Part(n, Input(Path(path)), spelled(path), reference=True)
        for n, path in enumerate(plan.references, len(inputs))
    ]
    return [*inputs, *beside]


@dataclass
class Survey:
    """Takes the measures of all parts; those that cannot be measured fail here, once."""

    working: Working
    parts: Sequence[Part]
    failed: Callable[[Done], None] = lambda done: None
    """Is told of inputs that cannot be measured."""
    good: list[Input] = field(default_factory=list)
    """The inputs that were measured."""
    told: list[Part] = field(default_factory=list)
    """The parts that the measures name, which leave out what the operation does not take."""
    _count: int = 0

    def __enter__(self) -> Self:
        self._lines: IO[bytes] = tempfile.TemporaryFile(dir=self.working.scratch)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.close()

    @property
    def measuring(self) -> Working:
        """The work of measuring, over the inputs and what they are compared with."""
        inputs = [part.input for part in self.parts]
        plan = replace(self.working.plan, kind="measure", inputs=inputs, partners=0)
        return self.working.over(plan)

    async def settle(self, done: Done) -> None:
        """Take the outcome of one part."""
        part, self._count = self.parts[self._count], self._count + 1
        if done.made is None and not part.reference:
            self.failed(done)
        elif not part.reference:
            self.good.append(done.item)
        if not done.skipped:
            line = _line(part, done, self.working.plan.splits)
            digest = line.sha256 or await asyncio.to_thread(digest_of, part.input.path)
            self.told.append(replace(part, sha256=digest))
            self._lines.write(line.encoded())
            for long in done.made.files if done.made else ():
                with long.path.open("rb") as measured:
                    shutil.copyfileobj(measured, self._lines)
                long.path.unlink()

    async def reduced(self) -> Made:
        """Return what all measures come to; raises what the operation's `reduce` does."""
        self._lines.flush()
        plan = replace(self.working.plan, kind="reduce")
        descriptor = self._lines.fileno()
        item = CallItem(0, descriptor, "measures.jsonl", LINES, os.fstat(descriptor).st_size)
        async with self.working.pool.acquire() as slot:
            return await self.working.over(plan).call(slot, item)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file; empty for one that cannot be read."""
    try:
        return sha256_of(path)
    except OSError:
        return ""


def _line(part: Part, done: Done, splits: Mapping[Path, str]) -> Line:
    """Return what is known of an input, and what was measured of it or how long that is."""
    made = done.made
    known, data = (made.source, made.data or {}) if made else ({}, {})
    return Line(
        item=part.item,
        file=part.called,
        name=done.item.name,
        sha256=str(known.get("sha256", "")),
        media_type=str(known.get("media_type", "")),
        size=int(known.get("size", 0)),
        split=splits.get(done.item.path, ""),
        reference=part.reference,
        images=data.get("images", ()),
        error=None if made else {"code": done.code, "message": done.error},
        lines=data.get("pictures", 0),
        length=sum(long.size for long in made.files) if made else 0,
    )
