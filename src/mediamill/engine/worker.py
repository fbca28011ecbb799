"""A worker: runners that claim units, hand them to the handler of their kind, and see them end.

Each runner takes one unit at a time from its classes in order; one runner more than the others
takes `interactive` only, so a person's photo never waits behind a bulk run. Handlers of all other
parts of the program are registered by kind: the engine knows none of them.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

import structlog

from mediamill.adapters.brokers.port import Ear
from mediamill.core.ids import new_id
from mediamill.engine.presence import Presence
from mediamill.engine.sheltering import Shelter
from mediamill.engine.sweeping import Sweep
from mediamill.engine.tending import Engine, Tending
from mediamill.store.repositories.units import LONG, Unit
from mediamill.store.repositories.workers import WorkerState

log = structlog.get_logger(__name__)

TRANSFERS = 4
"""Units that only wait for bytes from elsewhere, at a time; they take no CPU slot."""

MODELS = 4
"""Units whose items ask models, at a time: so some go on while the last of one are waited for."""

NOTICES = 64
"""Units that tell somebody else something, at a time; they too only wait. Far more than servers
that hang may hold (`handlers/telling/deliver.py`), so that these hold nobody up."""

WAITING = ("transfer", "notices")
"""Classes of which many runners only wait: one of those that are free looks for all of them."""


@dataclass(frozen=True)
class Crew:
    """How many runners take which classes."""

    runners: Sequence[Sequence[str]]

    @classmethod
    def of(cls, slots: int) -> "Crew":
        """Compose the usual crew for a number of CPU slots.

        Of what functions have left nobody else takes anything, so it comes before `bulk`.
        """
        orders = (("interactive", LONG, "bulk"), (LONG, "bulk", "interactive"))
        general = [orders[place % 2] for place in range(slots)]
        transfers = [("transfer",)] * TRANSFERS
        notices = [("notices",)] * NOTICES
        others = (("housekeeping",), *[("model",)] * MODELS, *transfers, *notices)
        return cls((("interactive",), *general, *others))


class Worker:
    """Runs units until told to stop; then drains.

    Who runs the service may have it drain too, by its row: then it claims nothing, finishes what it
    has however long that takes, and ends, or waits until it may claim again if it `stays`.
    """

    def __init__(
        self,
        engine: Engine,
        crew: Crew,
        presence: Presence | None = None,
        shelter: Shelter | None = None,
    ) -> None:
        """`presence` is its row; without one, as in most tests, nobody sees it.

        `shelter` tells who would end it that it has work.
        """
        self.engine, self.crew, self.presence, self.shelter = engine, crew, presence, shelter
        self.name = f"{socket.gethostname()}-{os.getpid()}-{new_id('w')[-6:]}"
        self.tending = Tending(engine)
        self._stopping = asyncio.Event()
        self._ceasing = asyncio.Event()
        """Set while nothing is claimed: when it stops, and when it drains."""
        self._going_on = asyncio.Event()
        """Set while runners need not rest: when it claims, and when it stops."""
        self._going_on.set()
        self._resting = 0
        """How many runners rest, with nothing in hand."""
        self._empty: dict[str, float] = {}
        """When (monotonic seconds) a runner began to look in a class and found nothing."""
        self._looking = {klass: asyncio.Lock() for klass in WAITING}
        """Held by the runner of such a class that looks for work; the others stand in line."""

    async def run(self) -> None:
        """Work until `stop`; open units that do not end in the drain time are given back."""
        runners = [
            asyncio.create_task(self._runner(place, klasses))
            for place, klasses in enumerate(self.crew.runners)
        ]
        others = [asyncio.create_task(self._sweep()), asyncio.create_task(self._be_present())]
        if self.shelter is not None:
            tending = self.tending
            sheltering = self.shelter.run(lambda: bool(tending.running), tending.stirred)
            others.append(asyncio.create_task(sheltering))
        try:
            await self._stopping.wait()
            await asyncio.wait(runners, timeout=self.engine.timing.drain)
        finally:
            self.stop()
            for task in (*runners, *others):
                task.cancel()
            await asyncio.gather(*runners, *others, return_exceptions=True)
            if self.shelter is not None:
                await self.shelter.leave()
            if self.presence is not None:
                await self.presence.leave()

    def stop(self) -> None:
        """Claim no more; `run` returns when what is in hand is finished or given back."""
        self._stopping.set()
        self._ceasing.set()
        self._going_on.set()

    def drain(self) -> None:
        """Claim no more until `resume`; what is in hand is finished."""
        self._going_on.clear()
        self._ceasing.set()

    def resume(self) -> None:
        """Claim again, unless it stops."""
        if not self._stopping.is_set():
            self._ceasing.clear()
            self._going_on.set()

    @property
    def state(self) -> WorkerState:
        """What it does now."""
        if not self._ceasing.is_set():
            return WorkerState.RUNNING
        rests = self._resting == len(self.crew.runners)
        return WorkerState.DRAINED if rests else WorkerState.DRAINING

    async def _runner(self, place: int, klasses: Sequence[str]) -> None:
        holder, line = f"{self.name}/{place}", self._looking.get(klasses[0]) or asyncio.Lock()
        with self.engine.bell.listen(*(f"work:{klass}" for klass in klasses), "stop") as ear:
            while not self._stopping.is_set():
                await self._may_go_on()
                async with line:
                    unit = await self._found(ear, klasses, holder)
                while unit is not None:
                    await self.tending.run(unit)
                    again = line.locked() and not self._ceasing.is_set()  # who looks may rest now
                    unit = await self._claim(klasses, holder) if again else None

    async def _may_go_on(self) -> None:
        """Rest while it drains."""
        self._resting += 1
        try:
            await self._going_on.wait()
        finally:
            self._resting -= 1

    async def _found(self, ear: Ear, klasses: Sequence[str], holder: str) -> Unit | None:
        """Look until there is a unit, or nothing is to be claimed any more."""
        rung = True
        while not self._ceasing.is_set():
            ear.clear()
            chosen = klasses if rung else self._unlooked(klasses)
            unit = await self._claim(chosen, holder) if chosen else None
            if unit is not None or self._ceasing.is_set():
                return unit
            rung = await self._rest(ear.wait(self.engine.timing.poll))
        return None

    def _unlooked(self, klasses: Sequence[str]) -> Sequence[str]:
        """Leave out the classes in which another runner found nothing a moment ago."""
        lately = time.monotonic() - 0.9 * self.engine.timing.poll
        return [klass for klass in klasses if self._empty.get(klass, 0.0) < lately]

    async def _rest(self, ring: Awaitable[bool]) -> bool:
        """Wait for a ring, for the next look, or until nothing is claimed; tell if it rang."""
        waiting = asyncio.ensure_future(ring)
        ceasing = asyncio.ensure_future(self._ceasing.wait())
        try:
            await asyncio.wait((waiting, ceasing), return_when=asyncio.FIRST_COMPLETED)
            return waiting.done() and waiting.result()
        finally:
            waiting.cancel()
            ceasing.cancel()

    async def _claim(self, klasses: Sequence[str], holder: str) -> Unit | None:
        begun = time.monotonic()
        if begun - self._empty.get(LONG, 0.0) < self.engine.timing.poll:
            klasses = [klass for klass in klasses if klass != LONG]  # rare: not at every claim
        try:
            unit = await self.engine.scheduler.claim_next(klasses, holder)
            empty = klasses[: klasses.index(unit.klass)] if unit else klasses
            self._empty.update(dict.fromkeys(empty, begun))
            return unit
        except Exception as error:
            log.warning("claiming later", action="claim_failed", exc_info=error)
            await asyncio.sleep(self.engine.timing.poll)
            return None

    async def _sweep(self) -> None:
        """Now and then: park idle lanes, ring for due work, nudge jobs nobody nudged."""
        sweep = Sweep(self.tending)
        while True:
            await asyncio.sleep(self.engine.timing.poll)
            try:
                await sweep.once()
            except Exception as error:
                log.warning("sweep later", action="sweep_failed", exc_info=error)

    async def _be_present(self) -> None:
        """Say again and again what this worker does, and do what is wanted of it."""
        if self.presence is None:
            return
        classes = tuple(dict.fromkeys(klass for one in self.crew.runners for klass in one))
        while True:
            try:
                running = len(self.tending.running)
                row = await self.presence.tell(self.name, classes, self.state, running)
                self._heed(row is not None and row.drain)
                if row is not None and row.over:
                    log.info("drained", action="drained", worker=self.name)
                    self.stop()
                    return
            except Exception as error:
                log.warning("presence unsaid", action="presence_failed", exc_info=error)
            await asyncio.sleep(self.presence.every)

    def _heed(self, drain: bool) -> None:
        draining = self._ceasing.is_set() and not self._stopping.is_set()
        if drain and not self._ceasing.is_set():
            log.info("draining", action="draining", worker=self.name)
            self.drain()
        elif draining and not drain:
            log.info("working again", action="undrained", worker=self.name)
            self.resume()
