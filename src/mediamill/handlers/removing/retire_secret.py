"""`retire_secret`: forget the replaced secrets of a webhook once none of them is good any more.

A unit for each rotation, due as the secret that it replaced ends. Nothing is signed with one that
has ended, whether or not this ran.
"""

from dataclasses import dataclass

from mediamill.core.clock import MINUTE
from mediamill.engine.lease import Lease
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.webhooks import Webhook, Webhooks

KIND = "retire_secret"


def retiring_of(webhook_id: str) -> str:
    """Return the group of the units that see to a webhook's replaced secrets."""
    return f"retire:{webhook_id}"


def retiring(webhook: Webhook, now: int, until: int) -> Unit:
    """Make the unit that sees to it, for a rotation made now."""
    group, owner = retiring_of(webhook.id), webhook.owner
    return Unit.chore(KIND, group, now, owner, cost=0.1, now=now, due=until, webhook=webhook.id)


@dataclass
class RetireSecret:
    """Removes them with the last one."""

    webhooks: Webhooks

    async def run(self, lease: Lease) -> None:
        webhook = await self.webhooks.get(lease.unit.owner, lease.unit.payload["webhook"])
        now, gone = await self.webhooks.store.now(), list[Update]()
        if webhook is not None and webhook.former and (webhook.former_until or 0) <= now:
            none, same = {"former": "", "former_until": None}, (Equals("former", webhook.former),)
            gone = [Update(Webhook, webhook.key_values(), set=none, when=same)]
        await lease.vanish(*gone)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later."""
        await lease.release(MINUTE, str(error))
