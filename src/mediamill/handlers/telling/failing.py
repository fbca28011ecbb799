"""What becomes of a webhook that takes nothing for days: its owner is told, later it is disabled.

`Webhook.failing` is when a try failed after which none was taken; the next one that is taken ends
it. The owner is told once, by mail, after a day; the page says it from the first try on. A delivery
that is given up disables the webhook if nothing was taken for five days. So a single failed try
never does, however long ago the one before it was: being given up takes three days of its own.
"""

from contextlib import suppress
from dataclasses import dataclass

import structlog

from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed
from mediamill.handlers.telling.disabled import FAILING, NEWS, disabled
from mediamill.store.port import Action, Equals, Update
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.webhooks import DISABLED_MS, Webhook, Webhooks

log = structlog.get_logger(__name__)

TOLD_MS = DAY
SILENT = f"It took nothing for {DISABLED_MS // DAY} days."


@dataclass
class Failing:
    """Notes since when a webhook takes nothing; writes to its row as that begins and ends only."""

    webhooks: Webhooks
    units: Units

    async def taken(self, webhook: Webhook) -> None:
        """Note that it took an event."""
        if webhook.failing is not None:
            await self._change(webhook, failing=None, warned=None)

    async def refused(self, webhook: Webhook, now: int) -> None:
        """Note that a try failed at a time (ms), and see to it that its owner is told in time."""
        if webhook.failing is None:
            await self._change(webhook, failing=now, warned=None)
        elif webhook.warned is None and now - webhook.failing >= TOLD_MS:
            group, told = f"failing:{webhook.id}:{webhook.failing}", {FAILING: webhook.failing}
            told_of = {NEWS: webhook.id, **told}
            notice = Unit.notice("notify", group, 0, webhook.owner, now=now, **told_of)
            await self._change(webhook, notice, warned=now)

    def over(self, webhook: Webhook, now: int) -> tuple[Action, Unit] | None:
        """Make what disables it as a delivery is given up at a time (ms); None while it may mend.

        The second is the notice that tells its owner.
        """
        since = webhook.failing
        if not webhook.enabled or since is None or now - since < DISABLED_MS:
            return None
        return disabled(webhook, SILENT, now)

    async def _change(self, webhook: Webhook, *notices: Unit, **changes: int | None) -> None:
        """Change it, unless another delivery did just now: what that found is as good."""
        same = tuple(Equals(name, getattr(webhook, name)) for name in ("failing", "warned"))
        change = Update(Webhook, webhook.key_values(), set=changes, when=same)
        with suppress(ConditionFailed):
            await self.units.insert(notices, change)
            if notices:
                log.info("webhook failing", action="webhook_failing", since=webhook.failing,
                         **webhook.log_context())  # fmt: skip
