"""A worker: runners that claim units, hand them to the handler of their kind, and see them end.

Each runner takes one unit at a time from its classes in order; one runner more than the others
takes `interactive` only, so a person's photo never waits behind a bulk run. Handlers of all other
parts of the program are registered by kind: the engine knows none of them.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from mediamill.adapters.brokers.port import Doorbell, Ear
from mediamill.core.errors import ConditionFailed, MediamillError, NewerVersion, Unavailable
from mediamill.core.ids import new_id
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.retry import RetryPolicy
from mediamill.engine.rollup import Rollup
from mediamill.engine.scheduler import Scheduler
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.jobs import Job, Jobs
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

PASSED_ON_MS = 2_000
"""How long what only another version knows is left to a worker of that version."""

CLASSES = ("interactive", "bulk", "model", "housekeeping", "transfer", "notices")

TRANSFERS = 4
"""Units that only wait for bytes from elsewhere, at a time; they take no CPU slot."""

NOTICES = 64
"""Units that tell somebody else something, at a time; they too only wait. Far more than servers
that hang may hold (`handlers/deliver.py`), so that these hold nobody up."""

WAITING = ("transfer", "notices")
"""Classes of which many runners only wait: one of those that are free looks for all of them."""


class Handler(Protocol):
    """Runs the units of one kind; its `policy`, if it has one, says when they are tried again."""

    async def run(self, lease: Lease) -> None:
        """Do the work and finish the lease. An error that is raised releases the unit."""

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Finish a unit that will not be tried again, recording why."""


@dataclass(frozen=True)
class Crew:
    """How many runners take which classes."""

    runners: Sequence[Sequence[str]]

    @classmethod
    def of(cls, slots: int) -> "Crew":
        """Compose the usual crew for a number of CPU slots."""
        orders = (("interactive", "bulk"), ("bulk", "interactive"))
        general = [orders[place % 2] for place in range(slots)]
        transfers = [("transfer",)] * TRANSFERS
        notices = [("notices",)] * NOTICES
        others = (("housekeeping",), ("model",), *transfers, *notices)
        return cls((("interactive",), *general, *others))


@dataclass
class Timing:
    """How long things take, in seconds; tests make them short."""

    lease: float = 30.0
    poll: float = 1.0
    drain: float = 30.0


@dataclass
class Engine:
    """What the runners of a worker share."""

    scheduler: Scheduler
    units: Units
    jobs: Jobs
    rollup: Rollup
    bell: Doorbell
    handlers: Mapping[str, Handler]
    timing: Timing = field(default_factory=Timing)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    around: Sequence[Callable[[Unit], Awaitable[None]]] = ()
    """Called with every unit that was finished here, for metrics."""


class Worker:
    """Runs units until told to stop; then drains."""

    def __init__(self, engine: Engine, crew: Crew) -> None:
        self.engine, self.crew = engine, crew
        self.name = f"{socket.gethostname()}-{os.getpid()}-{new_id('w')[-6:]}"
        self.running: dict[str, Lease] = {}
        self._stopping = asyncio.Event()
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
        sweeper = asyncio.create_task(self._sweep())
        try:
            await self._stopping.wait()
            await asyncio.wait(runners, timeout=self.engine.timing.drain)
        finally:
            self._stopping.set()
            for task in (*runners, sweeper):
                task.cancel()
            await asyncio.gather(*runners, sweeper, return_exceptions=True)

    def stop(self) -> None:
        """Claim no more; `run` returns when what is in hand is finished or given back."""
        self._stopping.set()

    async def _runner(self, place: int, klasses: Sequence[str]) -> None:
        holder, line = f"{self.name}/{place}", self._looking.get(klasses[0]) or asyncio.Lock()
        with self.engine.bell.listen(*(f"work:{klass}" for klass in klasses), "stop") as ear:
            while not self._stopping.is_set():
                async with line:
                    unit = await self._found(ear, klasses, holder)
                while unit is not None:
                    await self._run(unit)
                    again = line.locked() and not self._stopping.is_set()  # who looks may rest now
                    unit = await self._claim(klasses, holder) if again else None

    async def _found(self, ear: Ear, klasses: Sequence[str], holder: str) -> Unit | None:
        """Look until there is a unit, or the end has come."""
        rung = True
        while not self._stopping.is_set():
            ear.clear()
            chosen = klasses if rung else self._unlooked(klasses)
            unit = await self._claim(chosen, holder) if chosen else None
            if unit is not None or self._stopping.is_set():
                return unit
            rung = await self._rest(ear.wait(self.engine.timing.poll))
        return None

    def _unlooked(self, klasses: Sequence[str]) -> Sequence[str]:
        """Leave out the classes in which another runner found nothing a moment ago."""
        lately = time.monotonic() - 0.9 * self.engine.timing.poll
        return [klass for klass in klasses if self._empty.get(klass, 0.0) < lately]

    async def _rest(self, ring: Awaitable[bool]) -> bool:
        """Wait for a ring, for the next look, or for the end; tell whether it rang."""
        waiting = asyncio.ensure_future(ring)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
            return waiting.done() and waiting.result()
        finally:
            waiting.cancel()
            stopping.cancel()

    async def _claim(self, klasses: Sequence[str], holder: str) -> Unit | None:
        begun = time.monotonic()
        try:
            unit = await self.engine.scheduler.claim_next(klasses, holder)
            if unit is None:
                self._empty.update(dict.fromkeys(klasses, begun))
            return unit
        except Exception as error:
            log.warning("claiming later", action="claim_failed", exc_info=error)
            await asyncio.sleep(self.engine.timing.poll)
            return None

    # -- one unit -----------------------------------------------------------------------------

    async def _run(self, unit: Unit) -> None:
        """See one claimed unit to its end, whatever that is."""
        engine = self.engine
        lease = Lease(engine.units, engine.jobs, unit, int(engine.timing.lease * 1000))
        self.running[unit.name] = lease
        work = asyncio.create_task(self._handled(lease))
        keeper = asyncio.create_task(lease.keep(work))
        try:
            await self._outcome(lease, work)
        except LeaseLost:
            log.info("lease lost", action="lease_lost", unit=unit.name, fence=unit.fence)
        except Unavailable as error:
            log.warning("store away under a unit", action="unit_stranded", error=str(error))
        except Exception:  # the runner lives on; the unit is claimed again when its lease ends
            log.exception("unit stranded", action="unit_stranded", unit=unit.name, kind=unit.kind)
        finally:
            keeper.cancel()
            del self.running[unit.name]
        await self._nudge(lease)

    async def _handled(self, lease: Lease) -> None:
        """Run the handler of the unit's kind."""
        unit = lease.unit
        handler = self.engine.handlers.get(unit.kind)
        if handler is None:
            raise NewerVersion(f"This version knows no units of kind {unit.kind}.")
        await handler.run(lease)

    async def _outcome(self, lease: Lease, work: "asyncio.Task[None]") -> None:
        try:
            await work
        except asyncio.CancelledError:
            if lease.lost:
                raise LeaseLost(lease.unit.name) from None
            if not lease.gone:
                await self._give_back(lease, work)
            raise
        except LeaseLost:
            raise
        except NewerVersion as error:
            log.warning("unit passed on", action="unit_unknown", unit=lease.unit.name,
                        kind=lease.unit.kind, error=error.message)  # fmt: skip
            await lease.release(PASSED_ON_MS, credit=lease.unit.cost)
        except Exception as error:
            await self._failed(lease, error)

    async def _give_back(self, lease: Lease, work: "asyncio.Task[None]") -> None:
        """Return a unit on the way out, so that another worker takes it at once."""
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await lease.release()

    async def _failed(self, lease: Lease, error: Exception) -> None:
        unit = lease.unit
        policy = self._policy(unit)
        age = await self.engine.units.store.now() - unit.created if policy.lasting_ms else 0
        retry = policy.decide(error, unit.attempts, age)
        log.warning(
            "unit failed",
            action="unit_failed",
            unit=unit.name,
            kind=unit.kind,
            attempts=unit.attempts + 1,
            again=retry is not None,
            error=str(error),
            exc_info=None if isinstance(error, MediamillError) else error,
        )
        if retry is not None:
            said = f"{type(error).__name__}: {error}"
            await lease.release(retry.delay_ms, said, counted=retry.counted)
            return
        try:
            await self.engine.handlers[unit.kind].give_up(lease, error)
        except LeaseLost:
            raise
        except Exception as failure:
            log.exception("giving up failed", action="give_up_failed", unit=unit.name)
            await lease.release(policy.cap_ms, f"{type(failure).__name__}: {failure}")

    def _policy(self, unit: Unit) -> RetryPolicy:
        """Return what decides whether a unit is tried again: its handler's own, or the usual."""
        own: RetryPolicy | None = getattr(self.engine.handlers.get(unit.kind), "policy", None)
        return own or self.engine.policy

    async def _nudge(self, lease: Lease) -> None:
        """After a unit: sum it into its job, and ring for what follows."""
        unit = lease.unit
        for observe in self.engine.around:
            await observe(unit)
        for klass in lease.woken - {unit.klass}:  # this runner looks again in its own anyway
            await self.engine.bell.ring(f"work:{klass}")
        job = unit.payload.get("job")
        if job and unit.klass != "notices":  # what tells of a job changes nothing of it
            await self.nudge(job, unit.klass)

    async def nudge(self, job: str, klass: str) -> None:
        """Bring a job up to date and tell those who watch it."""
        try:
            if await self.engine.rollup.advance(job):
                await self.engine.bell.ring(f"work:{klass}")
        except Exception as error:
            log.warning("roll-up later", action="rollup_failed", job=job, exc_info=error)
        await self.engine.bell.ring(f"job:{job}")

    # -- the sweep ----------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """Now and then: park idle lanes, ring for due work, nudge jobs nobody nudged."""
        engine = self.engine
        while True:
            await asyncio.sleep(engine.timing.poll)
            try:
                for klass in CLASSES:
                    await engine.scheduler.tidy(klass)
                await self._nudge_forgotten()
            except Exception as error:
                log.warning("sweep later", action="sweep_failed", exc_info=error)

    async def _nudge_forgotten(self) -> None:
        store = self.engine.units.store
        now = await store.now()
        age = int(self.engine.timing.lease * 1000 / 3)
        for job in await self.engine.jobs.unchecked_since(now - age):
            mine = Update(
                Job, (job.id,), set={"checked": now}, when=(Equals("checked", job.checked),)
            )
            try:
                await store.transact(mine)
            except ConditionFailed:
                continue
            await self.nudge(job.id, job.klass)
