"""Webhooks and their deliveries as they look outside."""

from typing import Any

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.services.webhooks.deliveries import Shown
from mediamill.store.repositories.webhooks import Try, Webhook
from mediamill.web.views.common import Count, Time, View, moment


class WebhookView(View):
    id: str = Field(examples=["hook_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    url: str
    types: list[str] = Field(examples=[["job.*", "file.created"]])
    description: str
    enabled: bool
    reason: str | None = Field(description="Why it was disabled, if not by you.")
    failing_since: Time | None = Field(
        description="When a try failed after which none was taken; null when the last one was."
    )
    old_secret_until: Time | None = Field(
        description="Until when deliveries are signed with a secret before this one too."
    )
    created_at: Time
    changed_at: Time


class NewWebhookView(WebhookView):
    secret: str = Field(description="What deliveries are signed with; it is not shown again.")


class TryView(View):
    at: Time
    milliseconds: Count
    status: int | None = Field(description="Of the answer; null when there was none.")
    said: str | None = Field(description="First line of the answer, or what went wrong.")


class DeliveryView(View):
    id: str = Field(description="The event’s; it is `webhook-id` in the request too.")
    type: str
    state: str = Field(description="`pending`, `delivered` or `failed`.")
    attempts: Count
    status: int | None = Field(description="Of the last answer; null when there was none.")
    said: str | None = Field(description="First line of the last answer, or what went wrong.")
    created_at: Time
    tried_at: Time | None
    next_try_at: Time | None
    tries: list[TryView] = Field(description="The last ten, oldest first.")


class WholeDeliveryView(DeliveryView):
    body: str = Field(description="What is sent, and signed, as it is.")


class ReplayView(View):
    """That what failed is being sent again."""

    webhook: str = Field(examples=["hook_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    since: Time


def _fields(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "types": list(webhook.types),
        "description": webhook.description,
        "enabled": webhook.enabled,
        "reason": webhook.reason or None,
        "failing_since": moment(webhook.failing),
        "old_secret_until": moment(webhook.former_until),
        "created_at": rfc3339(webhook.created),
        "changed_at": rfc3339(webhook.changed),
    }


def webhook_view(webhook: Webhook) -> WebhookView:
    return WebhookView(**_fields(webhook))


def new_webhook_view(webhook: Webhook, secret: str) -> NewWebhookView:
    return NewWebhookView(**_fields(webhook), secret=secret)


def delivery_view(shown: Shown) -> DeliveryView:
    return DeliveryView(**_about(shown))


def whole_delivery_view(shown: Shown) -> WholeDeliveryView:
    return WholeDeliveryView(**_about(shown), body=shown.delivery.body)


def _about(shown: Shown) -> dict[str, Any]:
    delivery = shown.delivery
    return {
        "id": delivery.event,
        "type": delivery.type,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "status": delivery.status,
        "said": delivery.said or None,
        "created_at": rfc3339(delivery.created),
        "tried_at": moment(delivery.tried),
        "next_try_at": moment(shown.due),
        "tries": [_try_view(one) for one in delivery.tries],
    }


def _try_view(one: Try) -> TryView:
    return TryView(
        at=rfc3339(one.at),
        milliseconds=round(one.seconds * 1000),
        status=one.status,
        said=one.said or None,
    )
