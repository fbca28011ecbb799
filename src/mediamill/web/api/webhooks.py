"""Webhooks: addresses to which events are sent, signed as Standard Webhooks says."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from mediamill.web.idempotency import shown_once
from mediamill.web.parsing import PROBLEM, After, Body, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.webhooks import (
    DeliveryView,
    NewWebhookView,
    WebhookView,
    delivery_view,
    new_webhook_view,
    webhook_view,
)

router = APIRouter(
    prefix="/v1/webhooks", tags=["webhooks"], responses=PROBLEM, route_class=StrictRoute
)

WebhookId = Annotated[
    str, Path(pattern=r"^hook_[0-9A-Za-z-]{1,64}$", examples=["hook_01KAHRQPV0V3E3M2X5E2C8T2QG"])
]
Url = Annotated[str, Field(min_length=1, max_length=2_000, examples=["https://hooks.example/mill"])]
Pattern = Annotated[str, Field(min_length=1, max_length=100)]
Types = Annotated[list[Pattern], Field(min_length=1, max_length=20, examples=[["job.*"]])]
Description = Annotated[str, Field(max_length=500)]


class WebhookBody(Body):
    url: Url
    types: Types = Field(["*"], description="`*`, `job.*`, `file.*`, or events by name.")
    description: Description = ""
    enabled: bool = True


class WebhookPatch(Body):
    url: Url | None = None
    types: Types | None = None
    description: Description | None = None
    enabled: bool | None = None


@router.post("", status_code=201)
@shown_once
async def add_webhook(
    body: WebhookBody, caller: Caller, mill: Mill, response: Response
) -> NewWebhookView:
    """Have events sent to an address; the secret that they are signed with is shown this once."""
    webhook, secret = await mill.webhooks.add(
        caller, body.url, body.types, body.description, enabled=body.enabled
    )
    response.headers["Location"] = f"/v1/webhooks/{webhook.id}"
    return new_webhook_view(webhook, secret)


@router.get("")
async def list_webhooks(caller: Caller, mill: Mill) -> Listed[WebhookView]:
    """List the caller's webhooks, oldest first; there are never more than one page."""
    return listed([webhook_view(one) for one in await mill.webhooks.list(caller)], None)


@router.get("/{webhook_id}")
async def get_webhook(webhook_id: WebhookId, caller: Caller, mill: Mill) -> WebhookView:
    """Show a webhook."""
    return webhook_view(await mill.webhooks.get(caller, webhook_id))


@router.patch("/{webhook_id}")
async def change_webhook(
    webhook_id: WebhookId, body: WebhookPatch, caller: Caller, mill: Mill
) -> WebhookView:
    """Change a webhook; what is not given stays. The secret stays too."""
    given = body.model_dump(exclude_none=True)
    return webhook_view(await mill.webhooks.change(caller, webhook_id, **given))


@router.delete("/{webhook_id}", status_code=204)
async def delete_webhook(webhook_id: WebhookId, caller: Caller, mill: Mill) -> None:
    """Remove a webhook; what is on its way to it ends."""
    await mill.webhooks.delete(caller, webhook_id)


@router.post("/{webhook_id}/test", status_code=202)
async def try_webhook(webhook_id: WebhookId, caller: Caller, mill: Mill) -> DeliveryView:
    """Send the event `webhook.test` to a webhook."""
    return delivery_view(await mill.webhooks.test(caller, webhook_id))


@router.get("/{webhook_id}/deliveries")
async def list_deliveries(
    webhook_id: WebhookId, caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[DeliveryView]:
    """List what became of the events for a webhook in the last month, newest event first."""
    with cursor(after):
        page = await mill.webhooks.deliveries(caller, webhook_id, after, limit)
    return listed([delivery_view(one) for one in page.rows], page.after)
