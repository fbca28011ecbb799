"""What became of a webhook's events, and having them sent again; events to try it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed, Conflict, InvalidInput, NotFound
from mediamill.core.events import TYPES
from mediamill.handlers.removing.trim_webhook import KEPT_MS
from mediamill.handlers.telling.deliver import delivery_of
from mediamill.handlers.telling.replay import again, replaying, replaying_of
from mediamill.services.webhooks.samples import sample
from mediamill.store.port import Equals, Page, Put, Update
from mediamill.store.repositories.units import Unit, Units, UnitState, lane_of
from mediamill.store.repositories.webhooks import Delivery, DeliveryState, Webhook, Webhooks

MOST_READS = 20
"""Pages of the store that are looked through for one page of a list that is filtered."""
ON_ITS_WAY = "This event is being sent just now."


@dataclass(frozen=True)
class Shown:
    """A delivery, and when it is tried next (ms): None when it is over, or being sent."""

    delivery: Delivery
    due: int | None


@dataclass(frozen=True)
class Sought:
    """Which deliveries are listed; empty fields say nothing."""

    state: DeliveryState | None = None
    type: str = ""

    def fits(self, row: Delivery) -> bool:
        return self.state in (None, row.state) and self.type in ("", row.type)


@dataclass
class DeliveryService:
    """What a caller may do with deliveries to their own webhooks."""

    webhooks: Webhooks
    units: Units
    bell: Doorbell
    public: str
    """The service's public address."""

    async def test(
        self, principal: Principal, webhook_id: str, type_: str = "webhook.test"
    ) -> Shown:
        """Send a made-up event to one webhook, whatever types it gets.

        Raises `NotFound`, `InvalidInput` for a type that does not exist, and `Conflict` for a
        webhook that is disabled.
        """
        if type_ not in TYPES:
            raise InvalidInput.at("type", f"There is no event {type_[:100]}.")
        webhook, now = await self._enabled(principal, webhook_id), await self.webhooks.store.now()
        event = sample(type_, webhook_id, now, self.public)
        delivery, unit = delivery_of(webhook, event, now)
        await self.units.insert([unit], Put(delivery.evolve(about=None)))
        await self.bell.ring(f"work:{unit.klass}")
        return Shown(delivery, unit.due)

    async def list(
        self,
        principal: Principal,
        webhook_id: str,
        after: str | None,
        limit: int,
        sought: Sought | None = None,
    ) -> Page[Shown]:
        """List what became of a webhook's events, the newest event first; raises `NotFound`.

        A page of what is sought may be short, or empty, though more follow.
        """
        await self.webhooks.need(principal.user, webhook_id)
        sought, found = sought or Sought(), list[Delivery]()
        for _ in range(MOST_READS):
            page = await self.webhooks.deliveries(webhook_id, after, limit - len(found))
            found += [row for row in page.rows if sought.fits(row)]
            after = page.after
            if after is None or len(found) == limit:
                break
        return Page(tuple(await self._shown(found)), after)

    async def get(self, principal: Principal, webhook_id: str, event: str) -> Shown:
        """Return what became of one event; raises `NotFound`."""
        await self.webhooks.need(principal.user, webhook_id)
        return (await self._shown([await self._need(webhook_id, event)]))[0]

    async def replay(self, principal: Principal, webhook_id: str, event: str) -> Shown:
        """Send an event again, with the same id and body; one that waits to be tried is, now.

        Raises `NotFound`, and `Conflict` while it is being sent or when the webhook is disabled.
        """
        await self._enabled(principal, webhook_id)
        delivery, now = await self._need(webhook_id, event), await self.webhooks.store.now()
        try:
            if delivery.state is DeliveryState.PENDING:
                unit = await self._hastened(delivery, now)
            else:
                unit, change = again(delivery, now)
                await self.units.insert([unit], change)
        except ConditionFailed:
            raise Conflict(ON_ITS_WAY) from None
        note("delivery_replayed", webhook_id, event_id=event)
        await self.bell.ring(f"work:{unit.klass}")
        return Shown(await self._need(webhook_id, event), unit.due)

    async def replay_failed(self, principal: Principal, webhook_id: str, since: int) -> None:
        """Have what failed since a time (ms) sent again in the background, the oldest 10,000.

        Raises `NotFound`, `InvalidInput` for a time whose deliveries are not kept, and `Conflict`
        when the webhook is disabled or that is being done already.
        """
        webhook, now = await self._enabled(principal, webhook_id), await self.webhooks.store.now()
        if not now - KEPT_MS - DAY <= since <= now:
            days = KEPT_MS // DAY
            raise InvalidInput.at("since", f"Name a time of the last {days} days.")
        unit = replaying(webhook, since, now)
        try:
            await self.units.insert([unit])
        except ConditionFailed:
            raise Conflict("What failed is being sent again already.") from None
        note("failed_replayed", webhook_id, since=since)
        await self.bell.ring(f"work:{unit.klass}")

    async def is_replaying(self, webhook_id: str) -> bool:
        """Tell whether what failed is being opened again."""
        return await self.units.get(*replaying_of(webhook_id)) is not None

    async def _enabled(self, principal: Principal, webhook_id: str) -> Webhook:
        webhook = await self.webhooks.need(principal.user, webhook_id)
        if not webhook.enabled:
            raise Conflict("The webhook is disabled: enable it first.")
        return webhook

    async def _need(self, webhook_id: str, event: str) -> Delivery:
        found = await self.webhooks.store.get(Delivery, webhook_id, event)
        if found is None:
            raise NotFound(f"There is no delivery of {event}.")
        return found

    async def _hastened(self, delivery: Delivery, now: int) -> Unit:
        """Have a delivery that waits tried now; raises `ConditionFailed` while it is tried."""
        unit = await self.units.get(delivery.group, 0)
        if unit is None or unit.state is not UnitState.READY:
            raise Conflict(ON_ITS_WAY)
        waits = (Equals("state", UnitState.READY), Equals("fence", unit.fence))
        sooner = Update(Unit, unit.key_values(), set={"due": now}, when=waits)
        await self.units.commit(sooner, wake=lane_of(unit))
        return unit.evolve(due=now)

    async def _shown(self, rows: Sequence[Delivery]) -> Sequence[Shown]:
        """Add when those that are open are tried next."""
        open_ = [row for row in rows if row.state is DeliveryState.PENDING]
        keys = [(row.group, 0) for row in open_]
        found = await self.units.store.get_many(Unit, keys) if keys else []
        due = {unit.group: unit.due for unit in found if unit and unit.state is UnitState.READY}
        return tuple(Shown(row, due.get(row.group)) for row in rows)
