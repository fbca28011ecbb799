"""Webhooks: addresses to which their owner has events sent, and what became of each delivery."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed, NotFound
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Absent, Action, AtMost, Page, Put, Store, Update, key_index

MOST = 20
"""Webhooks of one owner."""
MOST_TRIES = 10
"""Tries of a delivery that are kept, the last ones: as many as there are without a replay."""
DISABLED_MS = 5 * DAY
"""One that takes nothing for so long is disabled, as the next delivery to it is given up."""


class Former(msgspec.Struct, frozen=True):
    """A secret that was replaced, with which deliveries are signed too for a while."""

    secret: str
    until: int
    """When it ends (ms)."""


class Webhook(Record, frozen=True, kw_only=True):
    """An address, and which events it gets."""

    table = "webhooks"
    key = Key("owner", "id")
    sealed = ("secret", "former")
    indexes = (Index("webhook_sealed", partition=("sealed_by",), sort=("owner", "id")),)

    owner: str
    id: str
    url: str
    types: tuple[str, ...]
    """Patterns: `*`, `job.*`, `file.created` …"""
    description: str = ""
    enabled: bool = True
    reason: str = ""
    """Why it was disabled, if not by its owner."""
    failing: int | None = None
    """When a try failed after which none was taken (ms); None when the last one was taken."""
    warned: int | None = None
    """When its owner was told of that (ms)."""
    secret: str
    """What deliveries are signed with, sealed."""
    former: str = ""
    """Secrets before it that are good still (`Former`), as JSON, sealed; empty for none."""
    former_until: int | None = None
    """When the last of the former ones ends (ms); None when there is none."""
    sealed_by: str
    created: int
    changed: int
    revision: int = 0

    def log_context(self) -> dict[str, Any]:
        return {"webhook": self.id, "owner": self.owner}


class Listeners(Record, frozen=True, kw_only=True):
    """How many webhooks an owner has: what says whether anybody listens, and bounds them."""

    table = "listeners"
    key = Key("owner")

    owner: str
    webhooks: int = 0


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a delivery was sent."""

    at: int
    """When it was over (ms)."""
    seconds: float
    """From the look-up of the name to the answer."""
    status: int | None = None
    """Of the answer; None when there was none."""
    said: str = ""
    """The first line of the answer, or what went wrong."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """It was tried as often as it is, or the webhook was disabled meanwhile."""


class Delivery(Record, frozen=True, kw_only=True):
    """One event on its way to one webhook; its unit is `deliver:{webhook}:{event}`."""

    table = "deliveries"
    key = Key("webhook", "event")
    indexes = (Index("delivery_about", partition=("about",), sort=("webhook", "event")),)

    webhook: str
    event: str
    """The event's id, which begins with its time."""
    about: str | None = None
    """Id of the file that the body describes, so that it goes with it; None for others."""
    owner: str
    type: str
    body: str
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    status: int | None = None
    """Of the last answer; None when there was none."""
    said: str = ""
    """The first line of the last answer, or what went wrong."""
    created: int
    tried: int | None = None
    """When it was sent last (ms)."""
    tries: tuple[Try, ...] = ()
    """The last `MOST_TRIES`, oldest first."""

    @property
    def group(self) -> str:
        """The group of its units."""
        return f"deliver:{self.webhook}:{self.event}"


class Webhooks:
    """Reads of webhooks and deliveries, and the writes that keep the count true."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, owner: str, webhook_id: str) -> Webhook | None:
        return await self.store.get(Webhook, owner, webhook_id)

    async def need(self, owner: str, webhook_id: str) -> Webhook:
        """Return one; raises `NotFound`."""
        webhook = await self.get(owner, webhook_id)
        if webhook is None:
            raise NotFound(f"There is no webhook {webhook_id}.")
        return webhook

    async def of_owner(self, owner: str) -> Sequence[Webhook]:
        """List all of an owner's webhooks, oldest first."""
        return (await self.store.query(Webhook, key_index(Webhook), owner, limit=MOST)).rows

    async def add(self, webhook: Webhook) -> bool:
        """Insert a webhook; False when its owner has as many as one may."""
        owner = webhook.owner
        if await self.store.get(Listeners, owner) is None:
            await self._begin(owner)
        room = (AtMost("webhooks", MOST - 1),)
        counted = Update(Listeners, (owner,), add={"webhooks": 1}, when=room)
        try:
            await self.store.transact(Put(webhook, when=(Absent(),)), counted)
        except ConditionFailed as error:
            if error.action == 0:
                raise
            return False
        return True

    def uncounted(self, webhook: Webhook) -> Action:
        """Make the action that counts a webhook out."""
        return Update(Listeners, (webhook.owner,), add={"webhooks": -1})

    async def deliveries(self, webhook_id: str, after: str | None, limit: int) -> Page[Delivery]:
        """List a webhook's deliveries, newest event first."""
        index = key_index(Delivery)
        return await self.store.query(
            Delivery, index, webhook_id, after=after, limit=limit, descending=True
        )

    async def older(
        self, webhook_id: str, event: str, after: str | None, limit: int
    ) -> Page[Delivery]:
        """List a webhook's deliveries of events before one, oldest first."""
        index = key_index(Delivery)
        return await self.store.query(
            Delivery, index, webhook_id, at_most=event, after=after, limit=limit
        )

    async def since(
        self, webhook_id: str, event: str, after: str | None, limit: int
    ) -> Page[Delivery]:
        """List a webhook's deliveries from an event on, oldest first."""
        index = key_index(Delivery)
        return await self.store.query(
            Delivery, index, webhook_id, at_least=event, after=after, limit=limit
        )

    async def about(self, file: str, limit: int = 100) -> tuple[Delivery, ...]:
        """List deliveries that describe a file, the first of them."""
        index = Delivery.index("delivery_about")
        return tuple((await self.store.query(Delivery, index, file, limit=limit)).rows)

    async def oldest(self, webhook_id: str) -> Delivery | None:
        """Return a webhook's delivery of the oldest event, if there is one."""
        page = await self.store.query(Delivery, key_index(Delivery), webhook_id, limit=1)
        return page.rows[0] if page.rows else None

    async def _begin(self, owner: str) -> None:
        try:
            await self.store.transact(Put(Listeners(owner=owner), when=(Absent(),)))
        except ConditionFailed:
            return  # another was first
