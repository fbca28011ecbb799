"""Notifications as they look outside."""

from typing import Literal

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.services.notifications import Delivery
from mediamill.store.repositories.users import User
from mediamill.web.views.common import Count, Time, View, moment

When = Literal["always", "long", "never"]


class MailChoices(View):
    """When the caller wants a mail about the end of a job of theirs."""

    finished: When = Field(description="Something came of it. `long`: it took over a minute.")
    failed: When = Field(description="Something of it failed.")


class NotificationsView(View):
    email: MailChoices


def notifications_view(user: User) -> NotificationsView:
    choices = MailChoices(finished=user.mail_finished.value, failed=user.mail_failed.value)
    return NotificationsView(email=choices)


class NotificationView(View):
    """What became of telling the caller of one end of a job."""

    channel: str = Field(examples=["mail"])
    generation: Count = Field(description="Which end: it grows when failed items are run again.")
    state: Literal["waiting", "sent", "failed"]
    attempts: Count
    error: str = Field(description="Why it was not sent, or not yet.")
    created_at: Time
    finished_at: Time | None


def delivery_view(delivery: Delivery) -> NotificationView:
    return NotificationView(
        channel=delivery.channel,
        generation=delivery.generation,
        state=delivery.state,
        attempts=delivery.attempts,
        error=delivery.error,
        created_at=rfc3339(delivery.created),
        finished_at=moment(delivery.finished),
    )
