"""`trim_webhook`: forget deliveries that were listed for a month, whether or not others follow.

One unit a webhook that ever had a delivery, begun as the first one ends. It goes with the webhook.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from mediamill.core.clock import DAY, HOUR
from mediamill.core.errors import ConditionFailed
from mediamill.core.events import event_id
from mediamill.engine.lease import Lease
from mediamill.store.port import Delete
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.webhooks import Delivery, DeliveryState, Webhooks

KEPT_MS = 30 * DAY
"""So long deliveries are listed."""
BATCH = 40
LATER_MS = HOUR


def trimming_of(webhook_id: str) -> tuple[str, int]:
    """Return the key of the unit that trims a webhook's deliveries."""
    return f"trim:{webhook_id}", 0


async def begin_trimming(units: Units, delivery: Delivery) -> None:
    """See to it that a delivery is forgotten one day."""
    group, seq = trimming_of(delivery.webhook)
    if await units.get(group, seq) is not None:
        return
    now, named = await units.store.now(), delivery.webhook
    unit = Unit.chore(
        "trim_webhook", group, seq, delivery.owner, cost=0.1, now=now, due=now + KEPT_MS,
        webhook=named,
    )  # fmt: skip
    with suppress(ConditionFailed):  # another was first
        await units.insert([unit])


@dataclass
class TrimWebhook:
    """Removes rows, then waits until the oldest that is left has its month."""

    recurs: ClassVar = True

    webhooks: Webhooks

    async def run(self, lease: Lease) -> None:
        unit, now = lease.unit, await self.webhooks.store.now()
        if await self.webhooks.get(unit.owner, unit.payload["webhook"]) is None:
            await lease.vanish()
            return
        left = await self.trim(unit.payload["webhook"], now)
        await lease.release(KEPT_MS if left is None else max(LATER_MS, left + KEPT_MS - now))

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later."""
        await lease.release(LATER_MS, str(error))

    async def trim(self, webhook_id: str, now: int) -> int | None:
        """Remove what has ended and is older than a month; return when the oldest left was made."""
        after: str | None = None
        oldest = event_id(max(0, now - KEPT_MS))
        while True:
            page = await self.webhooks.older(webhook_id, oldest, after, BATCH)
            over = [row for row in page.rows if row.state is not DeliveryState.PENDING]
            if over:
                gone = (Delete(Delivery, row.key_values()) for row in over)
                await self.webhooks.store.transact(*gone)
            after = page.after
            if after is None:
                break
        first = await self.webhooks.oldest(webhook_id)
        return None if first is None else first.created
