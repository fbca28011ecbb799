"""Notifications: what the caller wants to be told, and what became of it."""

from fastapi import APIRouter
from pydantic import Field

from mediamill.store.repositories.users import MailWhen
from mediamill.web.parsing import PROBLEM, Body, JobId, StrictRoute
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.notifications import (
    NotificationsView,
    NotificationView,
    When,
    delivery_view,
    notifications_view,
)

router = APIRouter(prefix="/v1", tags=["notifications"], responses=PROBLEM, route_class=StrictRoute)


class MailBody(Body):
    finished: When | None = Field(None, description="Left as it is if left out.")
    failed: When | None = Field(None, description="Left as it is if left out.")


class NotificationsBody(Body):
    email: MailBody


@router.get("/me/notifications")
async def read_notifications(caller: Caller, mill: Mill) -> NotificationsView:
    """Say when the caller gets mails about their jobs."""
    return notifications_view(await mill.notifications.of(caller))


@router.patch("/me/notifications")
async def change_notifications(
    body: NotificationsBody, caller: Caller, mill: Mill
) -> NotificationsView:
    """Choose when the caller gets mails about their jobs; a job may say otherwise for itself."""
    finished, failed = (
        when and MailWhen(when) for when in (body.email.finished, body.email.failed)
    )
    return notifications_view(await mill.notifications.change(caller, finished, failed))


@router.get("/jobs/{job_id}/notifications")
async def list_notifications(job_id: JobId, caller: Caller, mill: Mill) -> Listed[NotificationView]:
    """List what became of telling the caller of a job's ends, the oldest first."""
    found = await mill.notifications.deliveries(caller, job_id)
    return listed([delivery_view(one) for one in found], None)
