"""One move: what is looked at, carried and compared, in this order."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import Blobs
from mediamill.moving.digests import Digests
from mediamill.moving.journal import Progress
from mediamill.moving.meter import Meter
from mediamill.moving.objects import Carrier
from mediamill.moving.places import Places, Route
from mediamill.moving.rows import copy_rows, differences
from mediamill.moving.survey import Survey, objects_of, survey_bytes, survey_rows
from mediamill.moving.targets import OpenTargets, opened
from mediamill.store.opening import Source, fitting, open_to_read


@dataclass
class Outcome:
    """What a move, or a comparison, came to."""

    survey: Survey
    wrong: list[str] = field(default_factory=list)
    """What is otherwise in the target than in the source: the move is not finished."""
    damaged: list[str] = field(default_factory=list)
    """What was not as it should be in the source already, and is so in the target too."""


class Move:
    """An installation that is read, and where it goes; made by `Move.open`."""

    def __init__(
        self, places: Places, source: Source, blobs: dict[Route, Blobs], digests: Digests
    ) -> None:
        self.places = places
        self._source, self._blobs, self._digests = source, blobs, digests

    @classmethod
    @asynccontextmanager
    async def open(cls, places: Places) -> AsyncIterator["Move"]:
        """Open the source; raises `Locked` while a service runs on it."""
        async with AsyncExitStack() as stack:
            source = await open_to_read(places.settings.store_url)
            stack.push_async_callback(source.close)
            blobs = dict[Route, Blobs]()
            for route in places.routes:
                blobs[route] = await open_blobs(route.source)
                stack.push_async_callback(blobs[route].close)
            digests = Digests()
            stack.callback(digests.close)
            yield cls(places, source, blobs, digests)

    async def survey(self) -> Survey:
        """Look at all that moves; nothing is done at the target."""
        to = self.places.to.store
        found = await survey_rows(self._source, fitting(to) if to else None, self._digests)
        if not to:
            found.rows.clear()
        await survey_bytes(found, self._blobs, self._digests)
        return found

    async def run(self, meter: Meter) -> Outcome:
        """Move everything, or go on where a killed run was.

        Raises `LimitExceeded` for records that the target cannot hold and `Conflict` for a target
        that is not empty; nothing is written then.
        """
        outcome = Outcome(await self.survey())
        outcome.survey.require_fit()
        async with opened(self.places) as targets:
            progress = await targets.begin()
            if not progress.checked:
                await self._carry(targets, progress, meter, outcome)
            if not outcome.wrong:
                await targets.end()
        return outcome

    async def _carry(
        self, targets: OpenTargets, progress: Progress, meter: Meter, outcome: Outcome
    ) -> None:
        journal, store = targets.marks[0], targets.store
        meter.rows = progress.rows
        meter.objects = sum(way.objects for way in progress.ways)
        meter.size = sum(way.size for way in progress.ways)
        meter.begin(outcome.survey.seconds)
        if store is not None:
            meter.stage = "copying records"
            await copy_rows(self._source, store, journal, progress, meter)
        meter.stage = "copying files"
        for carrier, way in zip(self._carriers(targets, meter), progress.ways, strict=True):
            if not way.done:
                await carrier.copy(journal, progress, way)
            outcome.wrong += carrier.wrong
            outcome.damaged += carrier.damaged
        if store is not None:
            meter.stage = "comparing records"
            found = await differences(self._source, store, meter)
            if found:  # the next run writes them again
                progress.table, progress.after, progress.copied = "", None, False
                progress.rows = 0
            outcome.wrong += found
        progress.checked = not outcome.wrong
        await journal.save(progress)

    async def verify(self, meter: Meter) -> Outcome:
        """Compare everything with what is in the target, and write nothing."""
        outcome = Outcome(await self.survey())
        meter.begin(outcome.survey.seconds)
        async with opened(self.places) as targets:
            if targets.store is not None:
                meter.stage = "comparing records"
                outcome.wrong += await differences(self._source, targets.store, meter)
            meter.stage = "comparing files"
            counted = Counter[str]()
            for carrier in self._carriers(targets, meter):
                counted[carrier.route.target] += await carrier.verify()
                outcome.wrong += carrier.wrong
                outcome.damaged += carrier.damaged
            outcome.wrong += await self._more(targets, counted)
        return outcome

    async def _more(self, targets: OpenTargets, counted: Counter[str]) -> list[str]:
        """Tell of places that have more objects than they got."""
        found = []
        for url, blobs in targets.blobs.items():
            there = sum([1 async for _ in objects_of(Route("", url, ""), blobs)])
            if there > counted[url]:
                found.append(f"{there - counted[url]} files too many in the target")
        return found

    def _carriers(self, targets: OpenTargets, meter: Meter) -> list[Carrier]:
        return [
            Carrier(route, source, targets.blobs[route.target], self._digests, meter)
            for route, source in self._blobs.items()
        ]
