"""The gate before each provider that all workers share (`store/repositories/circuits.py`).

A worker keeps the permits that it has, and gives back those that it does not use; what it takes of
a rate it takes for a quarter of a second. Whoever waits here waits in our own line: the deadline
of a question does not run meanwhile. It does while a provider has asked to be left alone for a
while, and who cannot wait that long is told so at once.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from mediamill.adapters.providers.hooks import counts_against
from mediamill.adapters.providers.port import Deadline
from mediamill.core.errors import MediamillError, ProviderUnavailable, RateLimited
from mediamill.store.repositories.circuits import MINUTE_MS, Circuit, Circuits

log = structlog.get_logger(__name__)

FAILURES = 5
"""In a row, after which a provider rests."""
REST_MS, LONGEST_REST_MS = 15_000, 300_000
"""The first rest, and the longest: each one in a row is twice as long."""
TRIAL_MS = 60_000
"""For as long others wait for who tries a provider after its rest."""
HOLD_MS = 15_000
"""Permits of a worker that vanished come back after this."""
TEND_SECONDS = 2.0
FRESH_SECONDS = 1.0
"""For as long a look at what is shared is good."""
ALIKE_SECONDS = 0.1
"""Pauses that end so near to each other are one: many calls are told at once."""
CHUNK = 8
"""Permits that are taken at a time."""
AHEAD_MS = 250
"""Calls of a rate are taken for this time at once."""
SOON_MS = 5_000
"""Calls of a rate are taken when they are due so soon; before, others may be told first."""
ASK_AGAIN = 0.25
"""Seconds after which one who waits asks for more permits, when there were none."""
PATIENCE = 3600.0
"""Seconds that a call waits here at most."""


@dataclass(frozen=True)
class Bounds:
    """What a provider bears: calls at a time, and a minute; None for no limit."""

    concurrency: int | None = None
    per_minute: int | None = None


@dataclass
class Told:
    """A call's permit: it says how the call ended."""

    tell: Callable[[MediamillError | None], None]


@dataclass
class _Local:
    """What this worker knows of one provider."""

    bounds: Bounds
    seen: Circuit
    """As it was when it was looked at, at `looked`."""
    held: int = 0
    used: int = 0
    """Permits of those held that calls have now."""
    paced: list[int] = field(default_factory=list)
    """Times (ms) at which the next calls may be made."""
    failures: int = 0
    looked: float = -math.inf
    paused: float = -math.inf
    """Until when it is left alone as it asked; by the loop's clock, as others are here."""
    said: float = -math.inf
    """The same, as it said here and not all know yet."""
    refused: float = -math.inf
    """When there were no more permits to be had."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    pacing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Of `paced`: who waits for the rate keeps nobody from holding permits."""
    tending: "asyncio.Task[None] | None" = None
    _waiting: "deque[asyncio.Future[None]]" = field(default_factory=deque)

    async def wait(self) -> None:
        """Wait until a permit may be free, or it is time to ask for more."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_AGAIN):
                await turn

    def wake(self, count: int = 1) -> None:
        """Wake so many of those who wait."""
        while count > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                count -= 1

    def leave(self) -> None:
        """Give a permit back to this worker."""
        self.used -= 1
        self.wake()


class SharedGate:
    """Keeps calls of all workers within what providers bear."""

    def __init__(self, circuits: Circuits, holder: str, bounds: Callable[[str], Bounds]) -> None:
        """`holder` names the worker; `bounds` says what a provider bears."""
        self._circuits, self._holder, self._bounds = circuits, holder, bounds
        self._locals: dict[str, _Local] = {}
        self._telling: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def enter(self, provider: str, deadline: Deadline) -> AsyncIterator[Told]:
        """Wait for leave to ask a provider.

        Raises `ProviderUnavailable`: `RateLimited` where it asked to be left alone for longer than
        the deadline leaves.
        """
        if (here := self._locals.get(provider)) is None:
            here = _Local(self._bounds(provider), Circuit(provider=provider))
            self._locals[provider] = here
        here.bounds = self._bounds(provider)
        said: list[MediamillError | None] = []
        await self._pause_over(provider, here, deadline)
        with deadline.paused():
            trial = await self._awake(provider, here)
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._permit(provider, here)
                    await self._turn(provider, here)
            except TimeoutError:
                raise ProviderUnavailable(
                    f"{provider} is busy: no call of it was free within {PATIENCE:.0f} s."
                ) from None
        try:
            await self._pause_over(provider, here, deadline)  # it may have begun meanwhile
            yield Told(said.append)
        finally:
            here.leave()
            if said:
                self._note(provider, here, said[-1], trial=trial)

    async def close(self) -> None:
        """Give all permits back."""
        for provider, here in self._locals.items():
            if here.tending is not None:
                here.tending.cancel()
            with suppress(MediamillError):
                await self._circuits.give(provider, self._holder, here.held)
        await asyncio.gather(*self._telling, return_exceptions=True)

    # -- rest ---------------------------------------------------------------------------------

    async def _awake(self, provider: str, here: _Local) -> bool:
        """Return whether this call tries a provider that rested; raises while it rests."""
        circuit = await self._look(provider, here)
        if not circuit.rests_until:
            return False
        now = await self._circuits.store.now()
        if now < circuit.rests_until:
            raise _resting(circuit, circuit.rests_until - now)
        if now < circuit.trial_until:
            raise _resting(circuit, circuit.trial_until - now)
        mine = await self._circuits.try_it(circuit, now + TRIAL_MS)
        here.looked = -math.inf
        if not mine:
            raise _resting(circuit, TRIAL_MS)
        return True

    async def _look(self, provider: str, here: _Local) -> Circuit:
        loop = asyncio.get_running_loop()
        if loop.time() - here.looked > FRESH_SECONDS:
            async with here.lock:
                if loop.time() - here.looked > FRESH_SECONDS:
                    seen, left = await self._circuits.get(provider), -math.inf
                    if seen.paused_until:
                        left = (seen.paused_until - await self._circuits.store.now()) / 1000
                    here.seen, here.looked = seen, loop.time()
                    here.paused = here.looked + left
        return here.seen

    def _note(
        self, provider: str, here: _Local, error: MediamillError | None, *, trial: bool
    ) -> None:
        """Count a call's end; the store is told in the background where others must know."""
        if isinstance(error, RateLimited) and (after := error.details.get("retry_after")):
            until = asyncio.get_running_loop().time() + after
            if until > max(here.paused, here.said) + ALIKE_SECONDS:
                here.said = until
                self._later(self._pause(provider, here, after))
        if not counts_against(error):
            here.failures = 0
            if trial or here.seen.rests_until:
                self._later(self._works(provider, here))
            return
        here.failures += 1
        if trial or here.failures >= FAILURES:
            here.failures = 0
            self._later(self._rest(provider, here, error.message if error else ""))

    async def _works(self, provider: str, here: _Local) -> None:
        await self._circuits.works(provider)
        here.looked = -math.inf
        log.info("provider works again", action="provider_works", provider=provider)

    async def _rest(self, provider: str, here: _Local, why: str) -> None:
        circuit = await self._circuits.get(provider)
        now = await self._circuits.store.now()
        if now < circuit.rests_until:
            return
        length = min(LONGEST_REST_MS, REST_MS << min(circuit.rests, 10))
        await self._circuits.rest(circuit, now + length, why)
        here.looked = -math.inf
        log.warning(
            "provider rests", action="provider_rests", provider=provider, seconds=length / 1000,
            error=why,
        )  # fmt: skip

    # -- pause --------------------------------------------------------------------------------

    async def _pause_over(self, provider: str, here: _Local, deadline: Deadline) -> None:
        """Wait until a provider may be asked that asked to be left alone; raises `RateLimited`."""
        loop = asyncio.get_running_loop()
        while True:
            await self._look(provider, here)
            left = max(here.paused, here.said) - loop.time()
            if left <= 0:
                return
            if left >= deadline.left:
                message = f"{provider} asked to be left alone for {left:.0f} s."
                raise RateLimited(message, provider=provider, retry_after=round(left, 3))
            await asyncio.sleep(min(left, FRESH_SECONDS))

    async def _pause(self, provider: str, here: _Local, seconds: float) -> None:
        now = await self._circuits.store.now()
        await self._circuits.pause(provider, now + math.ceil(1000 * seconds))
        here.paused = max(here.paused, here.said)
        here.said = here.looked = -math.inf
        log.info("provider paused", action="provider_paused", provider=provider, seconds=seconds)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._quietly(work))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MediamillError as error:  # the next call that ends says it again
            log.warning("provider's state not noted", action="circuit_strained", exc_info=error)

    # -- permits ------------------------------------------------------------------------------

    async def _permit(self, provider: str, here: _Local) -> None:
        most = here.bounds.concurrency
        while most is not None and here.used >= here.held:
            lately = asyncio.get_running_loop().time() - here.refused < ASK_AGAIN
            if here.held < most and not lately:
                async with here.lock:
                    if here.used < here.held or await self._more(provider, here, most):
                        break
            await here.wait()
        here.used += 1

    async def _more(self, provider: str, here: _Local, most: int) -> bool:
        """Take more permits, as many as there are up to a chunk."""
        now = await self._circuits.store.now()
        for many in (CHUNK, 1):
            if await self._circuits.take(provider, self._holder, many, most, now + HOLD_MS):
                here.held += many
                here.wake(many - 1)
                if here.tending is None or here.tending.done():
                    here.tending = asyncio.create_task(self._tend(provider, here))
                return True
        await self._circuits.reclaim(provider, now)
        here.refused = asyncio.get_running_loop().time()
        return False

    async def _tend(self, provider: str, here: _Local) -> None:
        """Hold permits while they are used, and give back those that are not."""
        while here.held:
            most = here.used
            await asyncio.sleep(TEND_SECONDS)
            try:
                async with here.lock:
                    await self._tend_once(provider, here, max(most, here.used))
            except MediamillError as error:
                log.warning("permits not kept", action="permits_strained", exc_info=error)

    async def _tend_once(self, provider: str, here: _Local, used: int) -> None:
        spare = here.held - used
        if spare > 0:
            await self._circuits.give(provider, self._holder, spare)
            here.held -= spare
        now = await self._circuits.store.now()
        if here.held and not await self._circuits.keep(provider, self._holder, now + HOLD_MS):
            here.held = 0  # they were taken back: this worker slept

    # -- rate ---------------------------------------------------------------------------------

    async def _turn(self, provider: str, here: _Local) -> None:
        """Wait until the next call is due at the provider's rate."""
        rate = here.bounds.per_minute
        if rate is None:
            return
        try:
            async with here.pacing:
                if not here.paced:
                    here.paced = await self._pace(provider, rate)
                due = here.paced.pop(0)
            await asyncio.sleep(max(0.0, (due - await self._circuits.store.now()) / 1000))
        except BaseException:
            here.leave()
            raise

    async def _pace(self, provider: str, rate: int) -> list[int]:
        """Take the calls of the next quarter of a second, one at least."""
        many = max(1, rate * AHEAD_MS // MINUTE_MS)
        while True:
            circuit = await self._circuits.get(provider)
            now = await self._circuits.store.now()
            if circuit.due > now + SOON_MS:
                await asyncio.sleep((circuit.due - now - SOON_MS) / 1000)
                continue
            due = await self._circuits.pace(circuit, many, rate, now)
            if due is not None:
                return [round(due + n * MINUTE_MS / rate) for n in range(many)]


def _resting(circuit: Circuit, milliseconds: int) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"{circuit.provider} kept failing and is left alone for {milliseconds / 1000:.0f} s: "
        f"{circuit.error}",
        retry_after=round(milliseconds / 1000, 1),
    )
