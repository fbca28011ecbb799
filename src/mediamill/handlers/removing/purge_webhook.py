"""`purge_webhook`: remove the deliveries of a webhook that was deleted, open ones too.

With them go the units that wait to see to it.
"""

from dataclasses import dataclass

from mediamill.engine.lease import Lease
from mediamill.handlers.removing.retire_secret import retiring_of
from mediamill.handlers.removing.trim_webhook import trimming_of
from mediamill.handlers.telling.replay import replaying_of
from mediamill.store.port import Delete
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.webhooks import Delivery, Webhooks

LATER_MS = 30_000
BATCH = 40


@dataclass
class PurgeWebhook:
    """Removes rows and units; a unit that is at work loses its lease."""

    webhooks: Webhooks

    async def run(self, lease: Lease) -> None:
        named = lease.unit.payload["webhook"]
        while rows := (await self.webhooks.deliveries(named, None, BATCH)).rows:
            units = (Delete(Unit, (row.group, 0)) for row in rows)
            gone = (Delete(Delivery, row.key_values()) for row in rows)
            await self.webhooks.store.transact(*units, *gone)
        while waiting := await lease.units.of_group(retiring_of(named), limit=BATCH):
            await self.webhooks.store.transact(*(Delete(Unit, u.key_values()) for u in waiting))
        await lease.vanish(Delete(Unit, trimming_of(named)), Delete(Unit, replaying_of(named)))

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later."""
        await lease.release(LATER_MS, str(error))
