"""The pages of webhooks: all of one's own, and one with what became of its deliveries."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.clock import DAY
from mediamill.core.events import CHOSEN, TYPES
from mediamill.handlers.telling.replay import MOST as REPLAYED
from mediamill.services.webhooks.deliveries import Sought
from mediamill.store.repositories.webhooks import DISABLED_MS, MOST, DeliveryState
from mediamill.web.pages.rendering import page
from mediamill.web.parsing import After, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.webhooks import DeliveryView, delivery_view, webhook_view

WebhookId = Annotated[str, Path(pattern=r"^hook_[0-9A-Za-z-]{1,64}$")]
State = Annotated[DeliveryState | None, Query()]
SHOWN = 20

router = APIRouter(include_in_schema=False)


@router.get("/webhooks")
async def webhooks_page(caller: Caller, mill: Mill) -> Response:
    """Show the caller's webhooks, and a form for another one."""
    return page(
        "webhooks.html",
        user=await mill.accounts.profile(caller),
        webhooks=[webhook_view(one) for one in await mill.webhooks.list(caller)],
        types={name: TYPES[name] for name in CHOSEN},
        most=MOST,
    )


@router.get("/webhooks/{webhook_id}")
async def webhook_page(webhook_id: WebhookId, caller: Caller, mill: Mill) -> Response:
    """Show one webhook, and what became of its deliveries."""
    webhook = await mill.webhooks.get(caller, webhook_id)
    return page(
        "webhook.html",
        user=await mill.accounts.profile(caller),
        webhook=webhook_view(webhook),
        types={name: TYPES[name] for name in CHOSEN},
        tests=["webhook.test", *CHOSEN],
        patience=DISABLED_MS // DAY,
        most=REPLAYED,
        states=[*DeliveryState],
        state=None,
        deliveries=await _deliveries(mill, caller, webhook_id),
    )


@router.get("/parts/webhooks/{webhook_id}")
async def deliveries_part(
    webhook_id: WebhookId, caller: Caller, mill: Mill, after: After = None, state: State = None
) -> Response:
    """Render deliveries, the newest event first."""
    found = await _deliveries(mill, caller, webhook_id, after, state)
    hook = webhook_view(await mill.webhooks.get(caller, webhook_id))
    return page("parts/deliveries.html", webhook=hook, deliveries=found, state=state)


async def _deliveries(
    mill: App,
    caller: Principal,
    webhook_id: str,
    after: str | None = None,
    state: DeliveryState | None = None,
) -> Listed[DeliveryView]:
    with cursor(after):
        found = await mill.deliveries.list(caller, webhook_id, after, SHOWN, Sought(state))
    return listed([delivery_view(one) for one in found.rows], found.after)
