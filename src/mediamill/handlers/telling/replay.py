"""`replay`: send again what failed for a webhook since a time, each event as it was.

Ids and bodies stay, so a receiver knows what it has had; each is tried anew for as long as any.
They go through the gates that all deliveries do. Disabling the webhook ends it.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from mediamill.core.errors import ConditionFailed
from mediamill.core.ids import encode
from mediamill.engine.lease import Lease
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.webhooks import Delivery, DeliveryState, Webhook, Webhooks

log = structlog.get_logger(__name__)

KIND = "replay"
MOST = 10_000
"""Deliveries that one replay opens again."""
BATCH = 25


def replaying_of(webhook_id: str) -> tuple[str, int]:
    """Return the key of the unit that replays what failed; a webhook has one at a time."""
    return f"replay:{webhook_id}", 0


def replaying(webhook: Webhook, since: int, now: int) -> Unit:
    """Make the unit that replays what failed since a time (ms)."""
    group, seq = replaying_of(webhook.id)
    told = {"webhook": webhook.id, "since": since}
    return Unit.chore(KIND, group, seq, webhook.owner, cost=0.5, now=now, due=now, **told)


def again(delivery: Delivery, now: int) -> tuple[Unit, Update]:
    """Make what opens a delivery that has ended again: its unit, and the change of its row."""
    told = {"webhook": delivery.webhook, "event": delivery.event}
    unit = Unit.notice("deliver", delivery.group, 0, delivery.owner, now=now, **told)
    ended = (Equals("state", delivery.state),)
    pending = {"state": DeliveryState.PENDING}
    return unit, Update(Delivery, delivery.key_values(), set=pending, when=ended)


@dataclass
class Replay:
    """Opens failed deliveries, oldest first, some at a time."""

    webhooks: Webhooks
    units: Units

    async def run(self, lease: Lease) -> None:
        told, count = lease.unit.payload, 0
        after: str | None = None
        while count < MOST:
            webhook = await self.webhooks.get(lease.unit.owner, told["webhook"])
            if webhook is None or not webhook.enabled:
                break
            first = f"evt_{encode(told['since'] << 80)}"
            page = await self.webhooks.since(webhook.id, first, after, BATCH)
            count += await self._open([row for row in page.rows if _failed(row, lease.unit)])
            if (after := page.after) is None:
                break
        lease.woken.add("notices")
        await lease.vanish()
        log.info("failed replayed", action="failed_replayed", count=count, **told)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """End it: what is open again stays so, and it can be asked for again."""
        await lease.vanish()
        log.error("replay given up", action="replay_given_up", error=str(error),
                  **lease.unit.payload)  # fmt: skip

    async def _open(self, rows: Sequence[Delivery]) -> int:
        try:
            return await self._together(rows)
        except ConditionFailed:  # somebody replays one of them
            count = 0
            for row in rows:
                with suppress(ConditionFailed):
                    count += await self._together([row])
            return count

    async def _together(self, rows: Iterable[Delivery]) -> int:
        now = await self.webhooks.store.now()
        made = [again(row, now) for row in rows]
        if made:
            await self.units.insert([unit for unit, _ in made], *(change for _, change in made))
        return len(made)


def _failed(row: Delivery, asking: Unit) -> bool:
    """Tell whether a delivery had failed when the replay was asked for."""
    return row.state is DeliveryState.FAILED and (row.tried or 0) <= asking.created
