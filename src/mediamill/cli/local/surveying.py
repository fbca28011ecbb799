"""The first pass over local files: measure each, then reduce what was measured."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from mediamill.cli.local.outcomes import Done, Reporter
from mediamill.cli.local.targets import Made
from mediamill.cli.local.working import Working
from mediamill.cli.terminal.inputs import Input
from mediamill.engine.slots import CallItem
from mediamill.engine.slots.surveys import LINES, Line


@dataclass
class Survey:
    """Takes the measures of all inputs; those that cannot be measured fail here, once."""

    working: Working
    reporter: Reporter
    good: list[Input] = field(default_factory=list)
    """The inputs that were measured."""
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
        plan = self.working.plan
        inputs = [*plan.inputs, *(Input(Path(path)) for path in plan.references)]
        return self.working.over(replace(plan, kind="measure", inputs=inputs, partners=0))

    async def settle(self, done: Done) -> None:
        """Take the outcome of one input."""
        is_input = self._count < len(self.working.plan.inputs)
        item, self._count = self._count, self._count + 1
        if done.made is None and is_input:
            self.reporter.settle(done)
        elif is_input:
            self.good.append(done.item)
        if not done.skipped:
            plan = self.working.plan
            file = str(done.item.path) if is_input else plan.references[item - len(plan.inputs)]
            self._lines.write(
                _line(item, file, done, plan.splits, reference=not is_input).encoded()
            )
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


def _line(item: int, file: str, done: Done, splits: Mapping[Path, str], *, reference: bool) -> Line:
    """Return what is known of an input, and what was measured of it or how long that is."""
    made = done.made
    known, data = (made.source, made.data or {}) if made else ({}, {})
    return Line(
        item=item,
        file=file,
        name=done.item.path.name,
        sha256=str(known.get("sha256", "")),
        media_type=str(known.get("media_type", "")),
        size=int(known.get("size", 0)),
        split=splits.get(done.item.path, ""),
        reference=reference,
        images=data.get("images", ()),
        error=None if made else {"code": done.code, "message": done.error},
        lines=data.get("pictures", 0),
        length=sum(long.size for long in made.files) if made else 0,
    )
