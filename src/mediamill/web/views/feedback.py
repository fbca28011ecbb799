"""Feedback as administrators see it."""

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.store.repositories.feedback import Feedback, FeedbackState
from mediamill.web.views.common import Count, Time, View


class FeedbackView(View):
    id: str = Field(examples=["feedback_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    user: str = Field(description="Id of who said it.")
    state: FeedbackState
    text: str
    page: str = Field(description="The page that it is about.", examples=["/projects"])
    pictures: Count | None = Field(
        description="How many copies of pictures there are; null while they are made."
    )
    created_at: Time


def feedback_view(said: Feedback) -> FeedbackView:
    return FeedbackView(
        id=said.id,
        user=said.user,
        state=said.state,
        text=said.text,
        page=said.page,
        pictures=said.copies,
        created_at=rfc3339(said.created),
    )
