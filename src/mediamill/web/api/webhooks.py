"""Webhooks: addresses to which events are sent, signed as Standard Webhooks says."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, Field

from mediamill.core.clock import rfc3339
from mediamill.services.webhooks.deliveries import Sought
from mediamill.services.webhooks.service import MOST_OVERLAP_HOURS, OVERLAP_HOURS
from mediamill.store.repositories.webhooks import DeliveryState
from mediamill.web.idempotency import shown_once
from mediamill.web.parsing import PROBLEM, After, Body, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.webhooks import (
    DeliveryView,
    NewWebhookView,
    ReplayView,
    WebhookView,
    WholeDeliveryView,
    delivery_view,
    new_webhook_view,
    webhook_view,
    whole_delivery_view,
)

router = APIRouter(
    prefix="/v1/webhooks", tags=["webhooks"], responses=PROBLEM, route_class=StrictRoute
)

WebhookId = Annotated[
    str, Path(pattern=r"^hook_[0-9A-Za-z-]{1,64}$", examples=["hook_01KAHRQPV0V3E3M2X5E2C8T2QG"])
]
EventId = Annotated[
    str, Path(pattern=r"^evt_[0-9A-Z]{26}$", examples=["evt_01KAJBCH80HQC4C5JK544J3SCW"])
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


class RotateBody(Body):
    overlap_hours: int = Field(
        OVERLAP_HOURS,
        ge=0,
        le=MOST_OVERLAP_HOURS,
        description="How long deliveries are signed with the secret before too; 0 ends all others.",
    )


class TestBody(Body):
    type: str = Field("webhook.test", max_length=100, examples=["job.succeeded"])


class ReplayBody(Body):
    since: AwareDatetime = Field(
        description="Events that happened from then on.", examples=["2026-11-21T16:00:00Z"]
    )


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


@router.post("/{webhook_id}/rotate", status_code=201)
@shown_once
async def rotate_secret(
    webhook_id: WebhookId, caller: Caller, mill: Mill, body: RotateBody | None = None
) -> NewWebhookView:
    """Replace the secret; the new one is shown this once, and the one before is good for a day."""
    wanted = body or RotateBody()
    webhook, secret = await mill.webhooks.rotate(caller, webhook_id, wanted.overlap_hours)
    return new_webhook_view(webhook, secret)


@router.post("/{webhook_id}/test", status_code=202)
async def try_webhook(
    webhook_id: WebhookId, caller: Caller, mill: Mill, body: TestBody | None = None
) -> DeliveryView:
    """Send an event `webhook.test`, or a made-up one of another type, to a webhook."""
    wanted = body or TestBody()
    return delivery_view(await mill.deliveries.test(caller, webhook_id, wanted.type))


@router.post("/{webhook_id}/replay", status_code=202)
async def replay_failed(
    webhook_id: WebhookId, body: ReplayBody, caller: Caller, mill: Mill
) -> ReplayView:
    """Send again what failed since a time, the oldest 10,000; disabling the webhook ends it."""
    since = round(body.since.timestamp() * 1000)
    await mill.deliveries.replay_failed(caller, webhook_id, since)
    return ReplayView(webhook=webhook_id, since=rfc3339(since))


@router.get("/{webhook_id}/deliveries")
async def list_deliveries(
    webhook_id: WebhookId,
    caller: Caller,
    mill: Mill,
    after: After = None,
    limit: Limit = 20,
    state: DeliveryState | None = None,
    type: Annotated[str, Query(max_length=100)] = "",  # noqa: A002 - what the query calls it
) -> Listed[DeliveryView]:
    """List what became of the events for a webhook in the last month, newest event first.

    Of one state or type only, a page may be short though more follow.
    """
    with cursor(after):
        sought = Sought(state, type)
        page = await mill.deliveries.list(caller, webhook_id, after, limit, sought)
    return listed([delivery_view(one) for one in page.rows], page.after)


@router.get("/{webhook_id}/deliveries/{event}")
async def get_delivery(
    webhook_id: WebhookId, event: EventId, caller: Caller, mill: Mill
) -> WholeDeliveryView:
    """Show what became of an event for a webhook, and what is sent."""
    return whole_delivery_view(await mill.deliveries.get(caller, webhook_id, event))


@router.post("/{webhook_id}/deliveries/{event}/replay", status_code=202)
async def replay_delivery(
    webhook_id: WebhookId, event: EventId, caller: Caller, mill: Mill
) -> DeliveryView:
    """Send an event again, with the same id; one that waits to be tried is tried now."""
    return delivery_view(await mill.deliveries.replay(caller, webhook_id, event))
