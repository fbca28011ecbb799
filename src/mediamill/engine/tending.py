"""See one claimed unit to its end: done, given back, given up, or handed over to others."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core import tracing
from mediamill.core.errors import MediamillError, NewerVersion, StorageFull, Unavailable
from mediamill.core.metrics import ITEMS, LEASES_EXPIRED, UNIT_SECONDS
from mediamill.core.numbers import Numbers
from mediamill.core.tracing import Tracer
from mediamill.engine.bounds import Bounds, Verdict
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.retry import RetryPolicy
from mediamill.engine.rollup import Rollup
from mediamill.engine.scheduler import Scheduler
from mediamill.store.repositories.jobs import Jobs
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

PASSED_ON_MS = 2_000
"""How long what only another version knows is left to a worker of that version."""


class Handler(Protocol):
    """Runs the units of one kind; its `policy`, if it has one, says when they are tried again.

    One that `recurs` has a unit that lives for ever, and comes again and again.
    """

    async def run(self, lease: Lease) -> None:
        """Do the work and finish the lease. An error that is raised releases the unit."""

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Finish a unit that will not be tried again, recording why."""


class End(StrEnum):
    """What comes of a claim."""

    DONE = "done"
    AGAIN = "again"
    """It failed, and is tried again, or comes again whatever happens."""
    GIVEN_UP = "given_up"
    LOST = "lost"
    RETURNED = "returned"
    """It was given back as it is: to wait, to drain, or for another worker."""
    STRANDED = "stranded"


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
    """Called with every unit that was finished here."""
    numbers: Numbers = field(default_factory=Numbers)
    """Where it is counted what came of units and items."""
    tracer: Tracer | None = None
    """Told of units that are part of a trace."""


class Tending:
    """Runs units in the hands of one worker, or of one call of a function."""

    def __init__(self, engine: Engine, bounds: Bounds | None = None) -> None:
        """`bounds` is what a function can do; None for a worker, which can do everything."""
        self.engine, self.bounds = engine, bounds
        self.running: dict[str, Lease] = {}
        self.stirred = asyncio.Event()
        """Set whenever a unit begins or ends here."""

    async def run(self, unit: Unit) -> None:
        """See one claimed unit to its end, whatever that is."""
        endless = getattr(self.engine.handlers.get(unit.kind), "recurs", False)
        tracer = self.engine.tracer if unit.trace and not endless else None
        name, facts = f"unit {unit.kind}", {"unit": unit.name, "class": unit.klass}
        with tracing.begun(tracer, name, tracing.Kind.CONSUMER, unit.trace, **facts) as span:
            end = await self._tended(unit)
            span.note(outcome=end.value, attempt=unit.attempts + 1)
            if end not in (End.DONE, End.RETURNED):
                span.fail(end.value)

    async def _tended(self, unit: Unit) -> End:
        engine, bounds = self.engine, self.bounds
        ends = bounds.lease_ends if bounds else None
        lease = Lease(engine.units, engine.jobs, unit, int(engine.timing.lease * 1000), ends)
        self.running[unit.name] = lease
        self.stirred.set()
        end = End.RETURNED
        work = asyncio.create_task(self._handled(lease))
        keeper = asyncio.create_task(lease.keep(work))
        try:
            end = await self._outcome(lease, work)
        except LeaseLost:
            end = End.LOST
            log.info("lease lost", action="lease_lost", unit=unit.name, fence=unit.fence)
        except Unavailable as error:
            end = End.STRANDED
            log.warning("unit stranded", action="unit_stranded", error=str(error))
        except Exception:  # the runner lives on; the unit is claimed again when its lease ends
            end = End.STRANDED
            log.exception("unit stranded", action="unit_stranded", unit=unit.name, kind=unit.kind)
        finally:
            keeper.cancel()
            del self.running[unit.name]
            self.stirred.set()
            self._count(lease, end)
            if bounds is not None:
                bounds.end(unit)
        await self._nudge(lease)
        return end

    async def _handled(self, lease: Lease) -> None:
        """Run the handler of the unit's kind, unless the unit is beyond these bounds."""
        unit = lease.unit
        handler = self.engine.handlers.get(unit.kind)
        if handler is None:
            raise NewerVersion(f"This version knows no units of kind {unit.kind}.")
        if self.bounds is not None:
            recurs = getattr(handler, "recurs", False)
            verdict = await self.bounds.judge(unit, recurs=recurs)
            if verdict is not Verdict.TAKE:
                await self.bounds.leave(lease, verdict)
                return
        await handler.run(lease)

    def _count(self, lease: Lease, end: "End") -> None:
        """Count what came of a unit, and of its items."""
        unit, numbers = lease.claimed, self.engine.numbers
        seconds = time.monotonic() - lease.since
        numbers.time(UNIT_SECONDS, seconds, unit.klass, unit.kind, end.value)
        if end in (End.DONE, End.GIVEN_UP) and lease.released is None and unit.lost:
            numbers.count(LEASES_EXPIRED, unit.klass, more=unit.lost)
        for outcome, count in lease.settled.items():
            numbers.count(ITEMS, lease.operation, outcome, more=count)

    async def _outcome(self, lease: Lease, work: "asyncio.Task[None]") -> "End":
        try:
            await work
            return self._left(lease)
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
            return End.RETURNED
        except Exception as error:
            return await self._failed(lease, error)

    async def _give_back(self, lease: Lease, work: "asyncio.Task[None]") -> None:
        """Return a unit on the way out, so that another worker takes it at once."""
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        if lease.gone:
            return
        if self.bounds is not None:
            await self.bounds.cut(lease)
        else:
            await lease.release()

    async def _failed(self, lease: Lease, error: Exception) -> "End":
        unit = lease.unit
        if self.bounds is not None and isinstance(error, StorageFull):
            await self.bounds.full(lease)
            return End.RETURNED
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
            return End.AGAIN
        try:
            await self.engine.handlers[unit.kind].give_up(lease, error)
        except LeaseLost:
            raise
        except Exception as failure:
            log.exception("giving up failed", action="give_up_failed", unit=unit.name)
            await lease.release(policy.cap_ms, f"{type(failure).__name__}: {failure}")
            return End.AGAIN
        return End.GIVEN_UP if lease.released is None else End.AGAIN

    def _left(self, lease: Lease) -> "End":
        """Say what came of a unit whose handler has returned, which may have given it back.

        One that comes again and again is done each time that it is.
        """
        if lease.released:
            return End.AGAIN
        recurs = getattr(self.engine.handlers.get(lease.unit.kind), "recurs", False)
        return End.DONE if lease.released is None or recurs else End.RETURNED

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
