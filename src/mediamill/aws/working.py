"""What the functions that run units share: an event rings, and a shift is worked.

A message says "look at the store" and nothing else, so what is in it does not matter, nor how often
or in which order it comes. It has failed only where the store could not be asked; the queue shows
it again then.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog

from mediamill.app import App
from mediamill.aws.environment import Context, Environment
from mediamill.core.errors import Unavailable
from mediamill.core.settings import Settings
from mediamill.engine.bounds import Bounds
from mediamill.engine.shift import Shift
from mediamill.engine.tending import Engine
from mediamill.engine.worker import Crew
from mediamill.handlers.items.measuring import measures

MEMORY_PER_CPU = 1769
"""Megabytes of a function for which it has one whole processor, by AWS's documentation."""
OWN_MEMORY, LEAST_MEMORY = 512, 1024
"""Megabytes that are not for slots, and that each of these may address at least."""
ROOM = 0.85
"""The part of the scratch folder that one input may take: what is made of it lies there too."""
MARGINS = 3
"""A call is to be longer than so many margins: two are not for work."""
SPARE = 1
"""Slots beside those for CPU work: small work is not to wait for a large unit."""

log = structlog.get_logger(__name__)


class Sized(Context, Protocol):
    """What Lambda says of an invocation, and of its machine."""

    memory_limit_in_mb: int | str


class Works:
    """A handler that works a shift; keeps what is open for the next invocation."""

    def __init__(self, crew: Callable[[int], Crew]) -> None:
        """`crew` composes the runners for a number of processors."""
        self._crew = crew
        self._kept: tuple[Environment, Crew] | None = None
        self._engine: Engine | None = None

    def __call__(self, event: Mapping[str, Any], context: Sized) -> dict[str, Any]:
        """Work; return which messages are to be shown again, as SQS asks (none, or all)."""
        began, seconds = time.monotonic(), context.get_remaining_time_in_millis() / 1000
        environment, crew = self._opened(context)
        environment.demand(seconds, MARGINS)

        async def work(app: App) -> None:
            await self._shift(app, crew, bounds(app, began, seconds))

        try:
            environment.run(work, context)
        except Unavailable as error:
            log.warning("worked later", action="shift_failed", error=error.message)
            return {"batchItemFailures": _all_of(event)}
        return {"batchItemFailures": []}

    def close(self) -> None:
        """Release what is open."""
        if self._kept is not None:
            self._kept[0].close()
            self._kept = self._engine = None

    def _opened(self, context: Sized) -> tuple[Environment, Crew]:
        if self._kept is None:
            environment = Environment(SPARE, **fitting(int(context.memory_limit_in_mb)))
            self._kept = environment, self._crew(environment.app.settings.slots)
        return self._kept

    async def _shift(self, app: App, crew: Crew, within: Bounds) -> None:
        if self._engine is None:
            self._engine = await app.engine()
        shift = Shift(self._engine, crew, within)
        try:
            await shift.run()
        finally:
            for klass in sorted(shift.left):
                await app.bell.ring(f"work:{klass}")
            log.info("shift ended", action="shift_ended", units=shift.ran, left=sorted(shift.left))


def bounds(app: App, began: float, seconds: float) -> Bounds:
    """Return what may be done in an invocation that began then (monotonic) and has so long."""
    settings = app.settings
    margin = settings.function_margin_seconds
    return Bounds(
        work_ends=began + seconds - 2 * margin,
        lease_ends=began + seconds - margin,
        whole=seconds - 2 * margin,
        most_seconds=settings.function_unit_seconds,
        room=lambda: _room(str(app.scratch)),
        measures=measures(app.parts),
    )


def fitting(megabytes: int) -> dict[str, int]:
    """Return the settings that a function of so much memory has, where nobody set others.

    What its slots fill together must leave it some: else Lambda ends it, with all that runs.
    """
    slots = processors(megabytes)
    most = max(LEAST_MEMORY, (megabytes - OWN_MEMORY) // slots)
    usual = int(Settings.model_fields["slot_memory_mb"].default)
    own = {"slots": slots, "slot_memory_mb": min(usual, most)}
    return {name: value for name, value in own.items() if name not in Settings.in_environment()}


def processors(megabytes: int) -> int:
    """Return how many processors a function of so much memory has, at least one."""
    return max(1, min(megabytes // MEMORY_PER_CPU, len(os.sched_getaffinity(0))))


def _room(folder: str) -> tuple[int, int]:
    disk = os.statvfs(folder)
    return int(ROOM * disk.f_blocks * disk.f_frsize), disk.f_bavail * disk.f_frsize


def _all_of(event: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"itemIdentifier": record["messageId"]} for record in event.get("Records", ())]
