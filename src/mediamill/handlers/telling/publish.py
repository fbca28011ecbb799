"""`publish`: give an event to the place that `MEDIAMILL_EVENTS_URL` names."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mediamill.adapters.events.port import Events
from mediamill.core.clock import DAY, MINUTE, SECOND
from mediamill.core.errors import Unavailable
from mediamill.core.events import under
from mediamill.engine.announcing import EVENT, event_of
from mediamill.engine.gates import Gates
from mediamill.engine.lease import Lease
from mediamill.engine.retry import RetryPolicy
from mediamill.store.repositories.units import Unit

log = structlog.get_logger(__name__)

CHANNEL, AT_ONCE = "events", 3


@dataclass
class Publishing:
    """The channel to that place."""

    events: Events
    public: str
    """The service's public address."""

    async def units(self, notice: Unit, now: int) -> Sequence[Unit]:
        event = event_of(notice)
        if event is None or not self.events.takes:
            return ()
        told = {EVENT: under(event, self.public)}
        return [Unit.notice("publish", f"publish:{event['id']}", 0, notice.owner, now=now, **told)]


class Publish:
    """Publishes one event; a few at a time, so that a place that hangs holds up nothing else."""

    policy = RetryPolicy(base_ms=SECOND, cap_ms=10 * MINUTE, lasting_ms=3 * DAY)

    def __init__(self, events: Events, tally: Counter[tuple[str, str]]) -> None:
        self.events, self.tally = events, tally
        self._gates, self._away = Gates(AT_ONCE), False

    async def run(self, lease: Lease) -> None:
        event = lease.unit.payload[EVENT]
        if wait := self._gates.enter(CHANNEL):
            await lease.release(wait, credit=lease.unit.cost)
            return
        begun = time.monotonic()
        try:
            await self.events.publish(event, lease.unit.owner)
        except Exception as error:
            self.tally[CHANNEL, "retried"] += 1
            self._note_away(error)
            raise
        finally:
            self._gates.leave(CHANNEL, time.monotonic() - begun)
        self.tally[CHANNEL, "sent"] += 1
        self._away = False
        await lease.vanish()

    def _note_away(self, error: Exception) -> None:
        """Tell the operator once, until the next event is taken."""
        if not self._away and isinstance(error, Unavailable):
            self._away = True
            log.error("events are not taken", action="events_away", error=str(error)[:500])

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Say that the event is lost, and why."""
        self.tally[CHANNEL, "failed"] += 1
        event = lease.unit.payload[EVENT]
        log.error("event not published", action="event_lost", event_id=event["id"],
                  type=event["type"], owner=lease.unit.owner, error=str(error)[:500])  # fmt: skip
        await lease.vanish()
