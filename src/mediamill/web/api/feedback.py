"""Feedback to who runs the service: said by everybody, read by administrators."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from mediamill.store.repositories.feedback import FeedbackState
from mediamill.web.api.files import BYTES
from mediamill.web.parsing import (
    PROBLEM,
    After,
    Body,
    FeedbackId,
    Limit,
    StrictRoute,
    cursor,
)
from mediamill.web.security import Caller, Mill
from mediamill.web.serving import serve
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.feedback import FeedbackView, feedback_view

router = APIRouter(prefix="/v1", tags=["feedback"], responses=PROBLEM, route_class=StrictRoute)


class FeedbackBody(Body):
    text: Annotated[str, Field(min_length=1, max_length=5_000)]
    page: str = Field("", max_length=300, description="The page that it is about.")
    files: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        [], max_length=5, description="Ids of pictures of yours that it shows; copies are kept."
    )


class FeedbackChanges(Body):
    state: FeedbackState


@router.post("/feedback", status_code=201)
async def give_feedback(body: FeedbackBody, caller: Caller, mill: Mill) -> FeedbackView:
    """Tell who runs the service what is good, bad or broken; they get a mail."""
    return feedback_view(await mill.feedback.say(caller, body.text, body.page, body.files))


@router.get("/admin/feedback")
async def list_feedback(
    caller: Caller,
    mill: Mill,
    state: FeedbackState = FeedbackState.OPEN,
    after: After = None,
    limit: Limit = 20,
) -> Listed[FeedbackView]:
    """List what users said, newest first; administrators only."""
    with cursor(after):
        page = await mill.feedback.list(caller, state, after, limit)
    return listed([feedback_view(said) for said in page.rows], page.after)


@router.patch("/admin/feedback/{feedback_id}")
async def mark_feedback(
    feedback_id: FeedbackId, body: FeedbackChanges, caller: Caller, mill: Mill
) -> FeedbackView:
    """Mark it as done, or as open again."""
    return feedback_view(await mill.feedback.mark(caller, feedback_id, body.state))


@router.delete("/admin/feedback/{feedback_id}", status_code=204)
async def delete_feedback(feedback_id: FeedbackId, caller: Caller, mill: Mill) -> None:
    """Remove it and its pictures."""
    await mill.feedback.delete(caller, feedback_id)


@router.get(
    "/admin/feedback/{feedback_id}/pictures/{number}", responses=BYTES, response_class=Response
)
async def get_feedback_picture(
    feedback_id: FeedbackId,
    number: Annotated[int, Path(ge=1, le=5)],
    caller: Caller,
    mill: Mill,
    request: Request,
) -> Response:
    """Show a copy of a picture, at most 2048 pixels wide and high, without metadata."""
    return serve(request, await mill.feedback.picture(caller, feedback_id, number), inline=True)
