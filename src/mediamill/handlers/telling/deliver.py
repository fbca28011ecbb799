"""`deliver`: send an event to a webhook, signed as Standard Webhooks says, until it is taken.

An address that the guard refuses, no answer and a wrong answer are all tried again: its owner may
mend it meanwhile. Only 410 ends it at once, and disables the webhook: nobody is there any more.
One that takes nothing for days is disabled too (`handlers/telling/failing.py`).

Receivers that hang may hold no runner that others need, however many owners have such: see `ALL`.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from mediamill.adapters.fetch.client import Fetcher, Told
from mediamill.core.clock import DAY, HOUR, MINUTE, SECOND
from mediamill.core.errors import AddressRefused, FetchFailed, SourceUnavailable, Unavailable
from mediamill.core.events import Snapshot, matches, under
from mediamill.core.records import Record
from mediamill.core.sealing import Sealer
from mediamill.core.tracing import traceparent
from mediamill.engine.announcing import event_of
from mediamill.engine.gates import Gates, enter_all
from mediamill.engine.lease import Lease
from mediamill.engine.retry import RetryPolicy
from mediamill.engine.worker import NOTICES
from mediamill.handlers.removing.trim_webhook import begin_trimming
from mediamill.handlers.telling.disabled import disabled
from mediamill.handlers.telling.failing import Failing
from mediamill.handlers.telling.signing import secrets_of, signature
from mediamill.store.port import Absent, Action, Delete, Put, Update
from mediamill.store.repositories.lanes import Lane
from mediamill.store.repositories.units import Unit, Units, lane_of
from mediamill.store.repositories.users import User
from mediamill.store.repositories.webhooks import (
    MOST_TRIES,
    Delivery,
    DeliveryState,
    Try,
    Webhook,
    Webhooks,
)

log = structlog.get_logger(__name__)

CHANNEL = "webhook"
DELAYS_MS = (
    5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, DAY,
)  # fmt: skip
"""The waits that Standard Webhooks proposes."""
ANSWER_SECONDS = 15.0
AN_ENDPOINT, AN_OWNER = 2, 3
"""Deliveries at a time in this process: to one webhook, and to all of one owner."""
ALL, UNPROVEN, SLOW = NOTICES - 16, NOTICES - 24, NOTICES - 48
"""Deliveries at a time in this process: all, so that mails and other notices find runners; those to
webhooks of which it is not known that they answer soon, one to each; those known to be slow."""
SLOW_SECONDS, CHARGED_SECONDS = 5.0, 1.0
LONGEST_MS = HOUR
"""So long is waited at most if a receiver says when to come back."""
GONE = 410


Doors = list[tuple[Gates, str]]


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
        if not await is_active(self.webhooks, notice.owner):
            return ()
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
        about=event["data"]["id"] if event["type"].startswith("file.") else None,
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
        self.seconds, self.failing = ANSWER_SECONDS, Failing(webhooks, Units(webhooks.store))
        self._endpoints, self._owners, self._all = Gates(AN_ENDPOINT), Gates(AN_OWNER), Gates(ALL)
        self._ones, self._unproven = Gates(1, guess=0.1), Gates(UNPROVEN)
        self._slow = Gates(SLOW)

    async def run(self, lease: Lease) -> None:
        unit = lease.unit
        store, named = self.webhooks.store, unit.payload
        delivery = await store.get(Delivery, named["webhook"], named["event"])
        webhook = await self.webhooks.get(unit.owner, named["webhook"])
        if delivery is None or webhook is None:
            await lease.vanish(Delete(Delivery, (named["webhook"], named["event"])))
        elif not webhook.enabled:
            await self._end(lease, delivery, DeliveryState.FAILED, said="The webhook is disabled.")
        elif not await is_active(self.webhooks, unit.owner):
            said = "The account of its owner is not active any more."
            await self._end(lease, delivery, DeliveryState.FAILED, said=said)
        elif wait := enter_all(doors := self._doors(webhook)):
            await lease.release(wait, unit.error, credit=unit.cost, counted=False)
        else:
            await self._attempt(lease, webhook, delivery, doors)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Note that it was not taken, and disable a webhook that took nothing for days."""
        named, now = lease.unit.payload, await self.webhooks.store.now()
        delivery = await self.webhooks.store.get(Delivery, named["webhook"], named["event"])
        webhook = await self.webhooks.get(lease.unit.owner, named["webhook"])
        if delivery is None or webhook is None:
            await lease.vanish()
            return
        said: dict[str, Any] = {} if delivery.tried else {"said": str(error)[:200]}
        if off := self.failing.over(webhook, now):
            await self._disable(lease, webhook, delivery, off, **said)
        else:
            await self._end(lease, delivery, DeliveryState.FAILED, **said)

    async def _disable(
        self,
        lease: Lease,
        webhook: Webhook,
        delivery: Delivery,
        off: tuple[Action, Unit],
        *others: Action,
        **noted: Any,
    ) -> None:
        """Close a delivery as failed together with what disables its webhook."""
        change, notice = off
        actions = (change, Put(notice, when=(Absent(),)), *others)
        over, lane = DeliveryState.FAILED, lane_of(notice)
        await self._end(lease, delivery, over, *actions, wake=lane, **noted)
        log.info("webhook disabled", action="webhook_disabled", **webhook.log_context())

    def _doors(self, webhook: Webhook) -> Doors:
        """List the gates to pass; an owner’s own first, so that nobody queues at those of all."""
        took = self._endpoints.took(webhook.id)
        doors = [(self._endpoints, webhook.id), (self._owners, webhook.owner)]
        if took is None or took >= SLOW_SECONDS:
            doors.append((self._ones, webhook.id))
            doors += [(self._slow, CHANNEL)] if took is not None else []
            doors.append((self._unproven, CHANNEL))
        return [*doors, (self._all, CHANNEL)]

    async def _attempt(
        self, lease: Lease, webhook: Webhook, delivery: Delivery, doors: Doors
    ) -> None:
        begun = time.monotonic()
        try:
            told = await self._sent(webhook, delivery)
        except (AddressRefused, FetchFailed, SourceUnavailable) as error:
            told = Told(0, error.message[:200])
        finally:
            seconds = time.monotonic() - begun
            for gates, place in doors:
                gates.leave(place, seconds)
        charge = _charge(lease.unit, seconds)
        now = await self.webhooks.store.now()
        last = Try(at=now, seconds=round(seconds, 3), status=told.status or None, said=told.line)
        noted: dict[str, Any] = {
            "attempts": delivery.attempts + 1,
            "status": last.status,
            "said": last.said,
            "tried": now,
            "tries": (*delivery.tries, last)[-MOST_TRIES:],
        }
        if 200 <= told.status < 300:
            await self.failing.taken(webhook)
            await self._end(lease, delivery, DeliveryState.DELIVERED, *charge, **noted)
        elif told.status == GONE:
            off = disabled(webhook, "It answered 410: gone.", now)
            await self._disable(lease, webhook, delivery, off, *charge, **noted)
        else:
            await lease.write(_noting(delivery, **noted), *charge)
            await self.failing.refused(webhook, now)
            self.tally[CHANNEL, "retried"] += 1
            said = told.line if not told.status else f"The answer is {told.status}."
            raise Unavailable(said, after_ms=min(told.after_ms, LONGEST_MS))

    async def _sent(self, webhook: Webhook, delivery: Delivery) -> Told:
        """Sign and send it now."""
        secrets = await secrets_of(webhook, self.sealer, await self.webhooks.store.now())
        headers = {"Content-Type": "application/json", **signature(secrets, delivery)}
        if (trace := traceparent()) is not None:
            headers["traceparent"] = trace
        body = delivery.body.encode()
        return await self.fetcher.post(webhook.url, body, headers, self.seconds)

    async def _end(
        self,
        lease: Lease,
        delivery: Delivery,
        state: DeliveryState,
        *others: Action,
        wake: tuple[str, str] | None = None,
        **noted: Any,
    ) -> None:
        """Close a delivery, and see to it that it is forgotten one day."""
        await begin_trimming(lease.units, delivery)
        await lease.vanish(_noting(delivery, state=state, **noted), *others, wake=wake)
        outcome = "sent" if state is DeliveryState.DELIVERED else "failed"
        self.tally[CHANNEL, outcome] += 1
        log.info("delivery ended", action="delivery_ended", state=state, event_id=delivery.event,
                 webhook=delivery.webhook, owner=delivery.owner)  # fmt: skip


async def is_active(webhooks: Webhooks, owner: str) -> bool:
    """Tell whether an owner has an account that is in use: nobody else is told anything."""
    user = await webhooks.store.get(User, owner)
    return user is not None and not user.disabled


def _charge(unit: Unit, seconds: float) -> list[Update]:
    """Make the action that lets a lane pay for what took long, so that others go first."""
    if seconds < CHARGED_SECONDS:
        return []
    return [Update(Lane, lane_of(unit), add={"vtime": seconds - unit.cost})]


def _noting(delivery: Delivery, **noted: Any) -> Update:
    return Update(Delivery, delivery.key_values(), set=noted)
