"""Webhooks as their owner sees them: added, changed, removed, their secrets replaced.

A secret is shown once, as it is made; then only what is sealed is kept. Nobody but the owner
reaches a webhook: the owner is the first part of its key.
"""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mediamill.adapters.brokers.port import Doorbell
from mediamill.adapters.fetch.client import Fetcher
from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import HOUR
from mediamill.core.errors import AddressRefused, ConditionFailed, Conflict, InvalidInput, NotFound
from mediamill.core.events import CHOSEN, matches
from mediamill.core.ids import new_id
from mediamill.core.sealing import Sealer, about, key_of
from mediamill.handlers.removing.retire_secret import retiring
from mediamill.handlers.telling.signing import formers_of
from mediamill.store.port import Delete, Equals, Update
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.webhooks import MOST, Former, Webhook, Webhooks

SECRET_BYTES = 32
PREFIX = "whsec_"
OVERLAP_HOURS, MOST_OVERLAP_HOURS = 24, 168
"""How long a replaced secret is good: if nothing is said, and at most."""
MOST_FORMERS = 3
"""Replaced secrets that are good at a time."""


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
        secret = new_secret()
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
        note("webhook_added", webhook.id, owner=webhook.owner)
        return webhook, secret

    async def list(self, principal: Principal) -> Sequence[Webhook]:
        """List the caller's webhooks, oldest first."""
        return await self.webhooks.of_owner(principal.user)

    async def get(self, principal: Principal, webhook_id: str) -> Webhook:
        """Return one; raises `NotFound`."""
        return await self.webhooks.need(principal.user, webhook_id)

    async def change(self, principal: Principal, webhook_id: str, **fields: Any) -> Webhook:
        """Change `url`, `types`, `description` or `enabled`; what is not named stays as it is.

        Raises `NotFound`, and `InvalidInput` as `add` does.
        """
        before = await self.get(principal, webhook_id)
        self._check(fields.get("url"), fields.get("types", ()))
        if "types" in fields:
            fields["types"] = tuple(dict.fromkeys(fields["types"]))
        changed = sorted(fields)
        if "enabled" in fields:
            fields["reason"] = ""
        if {"enabled", "url"} & fields.keys():  # it begins anew
            fields |= {"failing": None, "warned": None}
        fields["changed"] = await self.webhooks.store.now()
        change = Update(Webhook, before.key_values(), set=fields, add={"revision": 1})
        try:
            await self.webhooks.store.transact(change)
        except ConditionFailed:
            raise NotFound(f"There is no webhook {webhook_id}.") from None
        note("webhook_changed", webhook_id, owner=before.owner, fields=changed)
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
        note("webhook_deleted", webhook.id, owner=webhook.owner)

    async def rotate(
        self, principal: Principal, webhook_id: str, overlap_hours: int = OVERLAP_HOURS
    ) -> tuple[Webhook, str]:
        """Replace the secret; return the webhook and the new one, which is not given again.

        Deliveries are signed with the one before too for so many hours; with none, those that
        were replaced earlier end as well. Raises `NotFound`, and `Conflict` when too many are good,
        or somebody else replaced it just now.
        """
        before, now = await self.get(principal, webhook_id), await self.webhooks.store.now()
        secret, until = new_secret(), now + overlap_hours * HOUR
        place = about(Webhook, "secret", *before.key_values())
        sealed = await self.sealer.seal(secret, place)
        changes: dict[str, Any] = {"secret": sealed, "sealed_by": key_of(sealed), "changed": now}
        changes |= {"former": "", "former_until": None}
        if overlap_hours:
            earlier = await formers_of(before, self.sealer, now)
            if len(earlier) >= MOST_FORMERS:
                count = f"{MOST_FORMERS} replaced secrets are good still"
                raise Conflict(f"{count}: with overlap_hours 0 they end.")
            replaced = Former(await self.sealer.open(before.secret, place), until)
            changes |= await self._kept(before, (replaced, *earlier))
        if len({key_of(one) for one in (sealed, changes["former"]) if one}) > 1:
            raise Conflict("The key that seals secrets was replaced just now: try again.")
        same = (Equals("secret", before.secret), Equals("former", before.former))
        change = Update(Webhook, before.key_values(), set=changes, add={"revision": 1}, when=same)
        later = [retiring(before, now, changes["former_until"])] if overlap_hours else []
        try:
            await self.units.insert(later, change)
        except ConditionFailed:
            await self.get(principal, webhook_id)
            raise Conflict("Somebody replaces this secret just now.") from None
        note("webhook_rotated", webhook_id, owner=before.owner, hours=overlap_hours)
        return await self.get(principal, webhook_id), secret

    async def _kept(self, webhook: Webhook, formers: tuple[Former, ...]) -> dict[str, Any]:
        """Return the fields that keep replaced secrets."""
        text = msgspec.json.encode(formers).decode()
        sealed = await self.sealer.seal(text, about(Webhook, "former", *webhook.key_values()))
        return {"former": sealed, "former_until": max(one.until for one in formers)}

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


def new_secret() -> str:
    """Make a secret as Standard Webhooks writes it."""
    return PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode()
