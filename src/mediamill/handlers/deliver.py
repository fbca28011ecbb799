"""`deliver`: send an event to a webhook, signed as Standard Webhooks says, until it is taken.

An address that the guard refuses, no answer and a wrong answer are all tried again: its owner may
mend it meanwhile. Only 410 ends it at once, and disables the webhook: nobody is there any more.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from standardwebhooks import Webhook as Signing

from mediamill.adapters.fetch.client import Fetcher, Told
from mediamill.core.clock import DAY, HOUR, MINUTE, SECOND
from mediamill.core.errors import AddressRefused, FetchFailed, SourceUnavailable, Unavailable
from mediamill.core.events import Snapshot, event_id, matches, under
from mediamill.core.records import Record
from mediamill.core.sealing import Sealer, about
from mediamill.engine.announcing import event_of
from mediamill.engine.gates import Gates, enter_all
from mediamill.engine.lease import Lease
from mediamill.engine.retry import RetryPolicy
from mediamill.store.port import Action, Delete, Update
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.webhooks import Delivery, DeliveryState, Webhook, Webhooks

log = structlog.get_logger(__name__)

CHANNEL = "webhook"
DELAYS_MS = (
    5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, DAY,
)  # fmt: skip
"""The waits that Standard Webhooks proposes."""
ANSWER_SECONDS = 15.0
AN_ENDPOINT, AN_OWNER = 2, 3
"""Deliveries at a time in this process: to one webhook, and to all of one owner."""
KEPT_MS = 30 * DAY
"""So long deliveries are listed."""
TRIMMED = 20
GONE = 410


@dataclass
class Delivering:
    """The channel to an owner's webhooks."""

    webhooks: Webhooks
    public: str
    """The service's public address."""

    async def units(self, notice: Unit, now: int) -> Sequence[Record]:
        event = event_of(notice)
        if event is None:
            return ()
        told, type_ = under(event, self.public), event["type"]
        chosen = [
            webhook
            for webhook in await self.webhooks.of_owner(notice.owner)
            if webhook.enabled and any(matches(type_, pattern) for pattern in webhook.types)
        ]
        return [row for webhook in chosen for row in delivery_of(webhook, told, now)]


def delivery_of(webhook: Webhook, event: Snapshot, now: int) -> tuple[Delivery, Unit]:
    """Make the delivery of an event to a webhook, and the unit that sees to it."""
    delivery = Delivery(
        webhook=webhook.id,
        event=event["id"],
        owner=webhook.owner,
        type=event["type"],
        body=msgspec.json.encode(event).decode(),
        created=now,
    )
    named = {"webhook": webhook.id, "event": event["id"]}
    return delivery, Unit.notice("deliver", delivery.group, 0, webhook.owner, now=now, **named)


class Deliver:
    """Sends deliveries: a few at a time to each endpoint and of each owner."""

    policy = RetryPolicy(delays_ms=DELAYS_MS)

    def __init__(
        self, webhooks: Webhooks, fetcher: Fetcher, sealer: Sealer, tally: Counter[tuple[str, str]]
    ) -> None:
        self.webhooks, self.fetcher, self.sealer, self.tally = webhooks, fetcher, sealer, tally
        self.seconds = ANSWER_SECONDS
        self._endpoints, self._owners = Gates(AN_ENDPOINT), Gates(AN_OWNER)

    async def run(self, lease: Lease) -> None:
        unit = lease.unit
        store, named = self.webhooks.store, unit.payload
        delivery = await store.get(Delivery, named["webhook"], named["event"])
        webhook = await self.webhooks.get(unit.owner, named["webhook"])
        if delivery is None or webhook is None:
            await lease.vanish(Delete(Delivery, (named["webhook"], named["event"])))
        elif not webhook.enabled:
            await self._end(lease, delivery, DeliveryState.FAILED, said="The webhook is disabled.")
        elif wait := enter_all(self._doors(webhook)):
            await lease.release(wait, credit=unit.cost)
        else:
            await self._attempt(lease, webhook, delivery)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Note that it was not taken."""
        named = lease.unit.payload
        delivery = await self.webhooks.store.get(Delivery, named["webhook"], named["event"])
        if delivery is None:
            await lease.vanish()
            return
        said = {} if delivery.tried else {"said": str(error)[:200]}
        await self._end(lease, delivery, DeliveryState.FAILED, **said)

    def _doors(self, webhook: Webhook) -> list[tuple[Gates, str]]:
        return [(self._endpoints, webhook.id), (self._owners, webhook.owner)]

    async def _attempt(self, lease: Lease, webhook: Webhook, delivery: Delivery) -> None:
        begun = time.monotonic()
        try:
            told = await self._sent(webhook, delivery)
        except (AddressRefused, FetchFailed, SourceUnavailable) as error:
            told = Told(0, error.message[:200])
        finally:
            for gates, place in self._doors(webhook):
                gates.leave(place, time.monotonic() - begun)
        now = await self.webhooks.store.now()
        noted = {
            "attempts": delivery.attempts + 1,
            "status": told.status or None,
            "said": told.line,
            "tried": now,
        }
        if 200 <= told.status < 300:
            await self._end(lease, delivery, DeliveryState.DELIVERED, **noted)
        elif told.status == GONE:
            gone = {"enabled": False, "reason": "It answered 410: gone.", "changed": now}
            off = Update(Webhook, webhook.key_values(), set=gone, add={"revision": 1})
            await self._end(lease, delivery, DeliveryState.FAILED, off, **noted)
            log.info("webhook disabled", action="webhook_disabled", **webhook.log_context())
        else:
            await lease.write(_noting(delivery, **noted))
            self.tally[CHANNEL, "retried"] += 1
            raise Unavailable(told.line if not told.status else f"The answer is {told.status}.")

    async def _sent(self, webhook: Webhook, delivery: Delivery) -> Told:
        """Sign and send it now."""
        place = about(Webhook, "secret", *webhook.key_values())
        secret = await self.sealer.open(webhook.secret, place)
        headers = {"Content-Type": "application/json", **signature(secret, delivery)}
        body = delivery.body.encode()
        return await self.fetcher.post(webhook.url, body, headers, self.seconds)

    async def _end(
        self, lease: Lease, delivery: Delivery, state: DeliveryState, *others: Action, **noted: Any
    ) -> None:
        """Close a delivery, and forget some that are long over."""
        await self._trim(delivery)
        await lease.vanish(_noting(delivery, state=state, **noted), *others)
        outcome = "sent" if state is DeliveryState.DELIVERED else "failed"
        self.tally[CHANNEL, outcome] += 1
        log.info("delivery ended", action="delivery_ended", state=state, event_id=delivery.event,
                 webhook=delivery.webhook, owner=delivery.owner)  # fmt: skip

    async def _trim(self, delivery: Delivery) -> None:
        store = self.webhooks.store
        oldest = event_id(max(0, await store.now() - KEPT_MS))
        rows = await self.webhooks.older(delivery.webhook, oldest, TRIMMED)
        if over := [row for row in rows if row.state is not DeliveryState.PENDING]:
            await store.transact(*(Delete(Delivery, row.key_values()) for row in over))


def signature(secret: str, delivery: Delivery) -> dict[str, str]:
    """Make the headers by which a receiver knows that it is ours, and new."""
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "webhook-id": delivery.event,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signing(secret).sign(delivery.event, now, delivery.body),
    }


def _noting(delivery: Delivery, **noted: Any) -> Update:
    return Update(Delivery, delivery.key_values(), set=noted)
