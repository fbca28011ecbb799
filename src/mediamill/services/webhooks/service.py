"""Webhooks as their owner sees them: added, changed, tried, removed, and what became of deliveries.

The secret is shown once, as it is made; then only what is sealed is kept. Nobody but the owner
reaches a webhook: the owner is the first part of its key.
"""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.adapters.fetch.client import Fetcher
from mediamill.core.access import Principal
from mediamill.core.clock import rfc3339
from mediamill.core.errors import AddressRefused, ConditionFailed, Conflict, InvalidInput, NotFound
from mediamill.core.events import CHOSEN, checked, event_id, matches
from mediamill.core.ids import new_id
from mediamill.core.sealing import Sealer, about, key_of
from mediamill.handlers.telling.deliver import delivery_of
from mediamill.store.port import Delete, Equals, Page, Put, Update
from mediamill.store.repositories.units import Unit, Units, UnitState, lane_of
from mediamill.store.repositories.webhooks import (
    MOST,
    Delivery,
    DeliveryState,
    Webhook,
    Webhooks,
)

log = structlog.get_logger(__name__)

SECRET_BYTES = 32
PREFIX = "whsec_"


@dataclass(frozen=True)
class Shown:
    """A delivery, and when it is tried next (ms): None when it is over, or being sent."""

    delivery: Delivery
    due: int | None


@dataclass
class WebhookService:
    """What a caller may do with webhooks."""

    webhooks: Webhooks
    units: Units
    sealer: Sealer
    fetcher: Fetcher
    bell: Doorbell

    async def add(
        self,
        principal: Principal,
        url: str,
        types: Sequence[str] = ("*",),
        description: str = "",
        *,
        enabled: bool = True,
    ) -> tuple[Webhook, str]:
        """Make a webhook; return it and its secret, which is not given again.

        Raises `InvalidInput` for a type that does not exist or an address that is not asked, and
        `Conflict` when the caller has as many as one may.
        """
        self._check(url, types)
        webhook_id, now = new_id("hook"), await self.webhooks.store.now()
        secret = PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()
        place = about(Webhook, "secret", principal.user, webhook_id)
        sealed = await self.sealer.seal(secret, place)
        webhook = Webhook(
            owner=principal.user,
            id=webhook_id,
            url=url,
            types=tuple(dict.fromkeys(types)),
            description=description,
            enabled=enabled,
            secret=sealed,
            sealed_by=key_of(sealed),
            created=now,
            changed=now,
        )
        if not await self.webhooks.add(webhook):
            raise Conflict(f"You have {MOST} webhooks already, which is the most: delete one.")
        log.info("webhook added", action="webhook_added", **webhook.log_context())
        return webhook, secret

    async def list(self, principal: Principal) -> Sequence[Webhook]:
        """List the caller's webhooks, oldest first."""
        return await self.webhooks.of_owner(principal.user)

    async def get(self, principal: Principal, webhook_id: str) -> Webhook:
        """Return one; raises `NotFound`."""
        webhook = await self.webhooks.get(principal.user, webhook_id)
        if webhook is None:
            raise NotFound(f"There is no webhook {webhook_id}.")
        return webhook

    async def change(self, principal: Principal, webhook_id: str, **fields: Any) -> Webhook:
        """Change `url`, `types`, `description` or `enabled`; what is not named stays as it is.

        Raises `NotFound`, and `InvalidInput` as `add` does.
        """
        before = await self.get(principal, webhook_id)
        self._check(fields.get("url"), fields.get("types", ()))
        if "types" in fields:
            fields["types"] = tuple(dict.fromkeys(fields["types"]))
        if "enabled" in fields:
            fields["reason"] = ""
        fields["changed"] = await self.webhooks.store.now()
        change = Update(Webhook, before.key_values(), set=fields, add={"revision": 1})
        try:
            await self.webhooks.store.transact(change)
        except ConditionFailed:
            raise NotFound(f"There is no webhook {webhook_id}.") from None
        return await self.get(principal, webhook_id)

    async def delete(self, principal: Principal, webhook_id: str) -> None:
        """Remove a webhook; its deliveries end, and go. Raises `NotFound`."""
        webhook = await self.get(principal, webhook_id)
        now = await self.webhooks.store.now()
        same = (Equals("created", webhook.created),)
        gone = Delete(Webhook, webhook.key_values(), when=same)
        group, owner = f"purge:{webhook_id}", webhook.owner
        chore = Unit.chore(
            "purge_webhook", group, 0, owner, cost=0.1, now=now, due=now, webhook=webhook_id
        )
        try:
            await self.units.insert([chore], gone, self.webhooks.uncounted(webhook))
        except ConditionFailed:
            raise NotFound(f"There is no webhook {webhook_id}.") from None
        await self.bell.ring("work:housekeeping")
        log.info("webhook deleted", action="webhook_deleted", **webhook.log_context())

    async def test(self, principal: Principal, webhook_id: str) -> Shown:
        """Send an event to one webhook, whatever types it gets.

        Raises `NotFound`, and `Conflict` for one that is disabled.
        """
        webhook = await self.get(principal, webhook_id)
        if not webhook.enabled:
            raise Conflict("The webhook is disabled: enable it first.")
        now = await self.webhooks.store.now()
        event = checked({
            "id": event_id(now, webhook_id, new_id("test")),
            "type": "webhook.test",
            "timestamp": rfc3339(now),
            "data": {"id": webhook_id},
        })  # fmt: skip
        delivery, unit = delivery_of(webhook, event, now)
        await self.units.commit(Put(delivery), Put(unit), wake=lane_of(unit))
        await self.bell.ring(f"work:{unit.klass}")
        return Shown(delivery, unit.due)

    async def deliveries(
        self, principal: Principal, webhook_id: str, after: str | None, limit: int
    ) -> Page[Shown]:
        """List what became of a webhook's events, the newest event first; raises `NotFound`."""
        await self.get(principal, webhook_id)
        page = await self.webhooks.deliveries(webhook_id, after, limit)
        open_ = [row for row in page.rows if row.state is DeliveryState.PENDING]
        keys = [(row.group, 0) for row in open_]
        found = await self.units.store.get_many(Unit, keys) if keys else []
        due = {unit.group: unit.due for unit in found if unit and unit.state is UnitState.READY}
        return Page(tuple(Shown(row, due.get(row.group)) for row in page.rows), page.after)

    def _check(self, url: str | None, types: Sequence[str]) -> None:
        """Judge what was given."""
        for place, pattern in enumerate(types):
            if not any(matches(name, pattern) for name in CHOSEN):
                known = ", ".join(CHOSEN)
                message = f"There is no event {pattern[:100]}: write *, job.*, file.*, {known}."
                raise InvalidInput.at(f"types.{place}", message)
        try:
            if url is not None:
                self.fetcher.check_post(url)
        except AddressRefused as error:
            raise AddressRefused.at("url", error.message) from None
