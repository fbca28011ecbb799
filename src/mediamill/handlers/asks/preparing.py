"""Make what is sent of inputs, some at a time in one slot call, into a folder of the worker's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mediamill.core.errors import MediamillError, SlotFailure
from mediamill.engine.slots import Call, Failed, SlotPool, Succeeded
from mediamill.handlers.items.opening import Opener, Unopened
from mediamill.handlers.items.steps import Work
from mediamill.operations.asking import Prepared, PreparedFile
from mediamill.operations.work import Outcome, SourceFacts
from mediamill.store.repositories.jobs import Step


@dataclass
class Ready:
    """What became of some inputs, by item: prepared, failed, or not to be opened."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    failures: dict[int, MediamillError | Failed] = field(default_factory=dict)
    unopened: list[Unopened] = field(default_factory=list)


@dataclass
class Preparing:
    """Prepares inputs of one claim of a unit; files lie in `folder`."""

    slots: SlotPool
    step: Step
    seed: int
    takes: Mapping[str, Any]
    """What the chain takes (`ModelOperation.prepare`)."""
    folder: Path
    crash_limit: int

    async def all(self, works: Sequence[Work], opener: Opener) -> Ready:
        """Prepare inputs; one whose process ends again and again fails by itself."""
        ready, left = Ready(), list(works)
        strikes = dict[int, int]()
        while left:
            batch = left[:1] if strikes else left
            try:
                await self._call(batch, opener, ready)
            except SlotFailure as failure:
                self._strike(batch, failure, strikes, ready)
            ready.unopened += opener.unopened
            opener.unopened = []
            over = {
                *ready.outcomes, *ready.failures, *(one.work.item for one in ready.unopened)
            }  # fmt: skip
            left = [work for work in left if work.item not in over]
        return ready

    def _strike(
        self, batch: Sequence[Work], failure: SlotFailure, strikes: dict[int, int], ready: Ready
    ) -> None:
        """Count a process's end against the input that it was at, the only one if not told."""
        culprit = failure.details.get("index")
        if culprit is None:
            if len(batch) > 1:
                strikes.setdefault(batch[0].item, 0)  # from now on one by one
                return
            culprit = batch[0].item
        strikes[culprit] = strikes.get(culprit, 0) + 1
        if strikes[culprit] >= self.crash_limit:
            ready.failures[culprit] = failure

    async def _call(self, batch: Sequence[Work], opener: Opener, ready: Ready) -> None:
        async with self.slots.acquire() as slot:
            call = Call(
                ((self.step.operation, self.step.parameters),), opener.items(batch),
                seed=self.seed, kind="prepare", agreed={0: dict(self.takes)},
            )  # fmt: skip
            async for event in slot.run(call):
                if isinstance(event, Succeeded):
                    ready.outcomes[event.index] = self._moved(event.index, event.outcome)
                elif isinstance(event, Failed):
                    ready.failures[event.index] = event

    def _moved(self, item: int, outcome: Outcome) -> Outcome:
        """Move what was written out of the slot's scratch."""
        files = []
        for n, file in enumerate(outcome.files):
            path = self.folder / f"{item}-{n}"
            file.path.rename(path)
            files.append(replace(file, path=path))
        return replace(outcome, files=tuple(files))


def prepared(work: Work, outcome: Outcome) -> Prepared:
    """Return what is sent of an input as its operation sees it."""
    file, seen = work.file, outcome.report.get("input", {})
    facts = SourceFacts(
        seen.get("media_type", file.media_type),
        work.entry.place.size if work.entry.place else file.size,
        seen.get("width", file.width),
        seen.get("height", file.height),
        file.duration,
    )
    files = [PreparedFile(one.path, one.name, one.media_type, one.info) for one in outcome.files]
    name = work.entry.name or file.name
    return Prepared(name, facts, tuple(files), dict(outcome.data or {}), work.item)
