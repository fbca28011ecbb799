"""Captions: what models said of pictures, found again, judged, corrected and exported."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from mediamill.captions.model import Variant
from mediamill.core.errors import InvalidInput
from mediamill.services.captions import exporting
from mediamill.services.captions.exporting import Export
from mediamill.services.captions.service import Texts
from mediamill.store.repositories.captions import CaptionState
from mediamill.web.parsing import PROBLEM, After, Body, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.thumbnails import SIGNED, Thumbnails, address_of
from mediamill.web.views.captions import (
    AgainView,
    CaptionView,
    JudgedView,
    RemovedCaptionsView,
    again_view,
    caption_view,
)
from mediamill.web.views.common import Listed, listed

router = APIRouter(
    prefix="/v1/captions", tags=["captions"], responses=PROBLEM, route_class=StrictRoute
)

State = Literal["new", "approved", "edited", "rejected"]
CaptionId = Annotated[
    str,
    Path(
        pattern=r"^capt_[0-9A-Za-z-]{1,64}$",
        examples=["capt_01KAHRQPV0V3E3M2X5E2C8T2QG-0-0"],
    ),
]
Ids = Annotated[list[Annotated[str, Field(max_length=100)]], Field(min_length=1, max_length=100)]
JOB = r"^(job_[0-9A-Za-z-]{1,64})?$"
OfJob = Annotated[str, Query(alias="job", pattern=JOB, description="Only of this job.")]
InState = Annotated[State | None, Query(alias="state", description="Only in this state.")]
Words = Annotated[
    str,
    Query(
        max_length=200,
        description="Only those with words in captions, labels or the file's name that begin "
        "with all of these.",
    ),
]
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A line a picture. CSV is UTF-8 with a byte order mark; what a "
        "spreadsheet would run as a formula begins with an apostrophe.",
        "content": {
            media_type.partition(";")[0]: {"schema": {"type": "string"}}
            for media_type in exporting.MEDIA_TYPES.values()
        },
    }
}


class CaptionTextBody(Body):
    variant: Variant
    language: str = Field(max_length=20)
    text: str = Field(max_length=2_000)


class CaptionPatch(Body):
    state: Literal["new", "approved", "rejected"] | None = None
    captions: list[CaptionTextBody] | None = Field(
        None, min_length=1, max_length=100, description="Texts by hand; others stay as they are."
    )


class ReviewBody(Body):
    captions: Ids = Field(description="Ids.")
    state: Literal["new", "approved", "rejected"]


class AgainBody(Body):
    job: str = Field("", pattern=JOB, description="Only of this job.")
    query: str = Field("", max_length=200, description="Only those with these words.")
    providers: list[Annotated[str, Field(min_length=1, max_length=300)]] = Field(
        default_factory=list, max_length=8, description="Whom to ask instead."
    )
    budget: float | None = Field(
        None, ge=0, le=1_000_000, description="The most that each job may cost, in US dollars."
    )


@router.get("")
async def list_captions(
    caller: Caller,
    mill: Mill,
    job: OfJob = "",
    state: InState = None,
    query: Words = "",
    thumbnails: Thumbnails = "own",
    after: After = None,
    limit: Limit = 20,
) -> Listed[CaptionView]:
    """List the caller's captions, newest first, those of a job in the order of its inputs.

    With a filter a page may hold fewer than there are.
    """
    choice = await mill.captions.chosen(caller, job, state, query)
    with cursor(after):
        page = await mill.captions.list(choice, after, limit)
    wanted = [row.file for row in page.rows if not row.path] if thumbnails == SIGNED else []
    tokens = await mill.pictures.of_ids(caller, wanted)
    shown = {file: address_of(token) for file, token in tokens.items()}
    return listed([caption_view(row, shown.get(row.file, "")) for row in page.rows], page.after)


@router.delete("")
async def delete_captions(
    caller: Caller,
    mill: Mill,
    confirm: Annotated[
        Literal["delete"], Query(description="So that nobody removes all by mistake.")
    ],
    job: OfJob = "",
    state: InState = None,
    query: Words = "",
) -> RemovedCaptionsView:
    """Remove captions from the history for good, some hundred at a time; results stay."""
    choice = await mill.captions.chosen(caller, job, state, query)
    removed, more = await mill.captions.delete_some(choice)
    return RemovedCaptionsView(removed=removed, has_more=more)


@router.get("/export", responses=FILE, response_class=Response)
async def export_captions(
    caller: Caller,
    mill: Mill,
    form: Annotated[exporting.Form, Query(alias="format")] = "csv",
    variant: Annotated[
        list[Variant] | None, Query(description="Only these, such as `alt-text`.", max_length=3)
    ] = None,
    job: OfJob = "",
    state: InState = None,
    query: Words = "",
) -> Response:
    """Download captions by file name: a table, JSON lines, or `<img>` as text to be copied."""
    choice = await mill.captions.chosen(caller, job, state, query)
    export = Export(form, tuple(variant or ()))
    lines = exporting.written(mill.captions.choosing, choice, export)
    headers = {"content-disposition": f'attachment; filename="{export.name}"'}
    return StreamingResponse(lines, media_type=export.media_type, headers=headers)


@router.post("/review")
async def review_captions(body: ReviewBody, caller: Caller, mill: Mill) -> list[JudgedView]:
    """Approve or reject many captions; each for itself."""
    done = await mill.captions.judge_all(caller, body.captions, CaptionState(body.state))
    return [
        JudgedView(id=caption, caption=None if row is None else caption_view(row))
        for caption, row in done.items()
    ]


@router.post("/rerun")
async def ask_again(body: AgainBody, caller: Caller, mill: Mill) -> AgainView:
    """Ask anew about rejected captions that were not asked about since, in new jobs."""
    choice = await mill.captions.chosen(caller, body.job, "rejected", body.query)
    again = await mill.rerunning.rejected(caller, choice, body.providers, body.budget)
    return again_view(again)


@router.get("/{caption_id}")
async def get_caption(caption_id: CaptionId, caller: Caller, mill: Mill) -> CaptionView:
    """Show what was said of one picture."""
    return caption_view(await mill.captions.get(caller, caption_id))


@router.patch("/{caption_id}")
async def change_caption(
    caption_id: CaptionId, body: CaptionPatch, caller: Caller, mill: Mill
) -> CaptionView:
    """Approve, reject, or set texts by hand; what the model gave is kept."""
    if (body.state is None) == (body.captions is None):
        raise InvalidInput.at("state", "Give a state or captions.")
    if body.captions is not None:
        texts: Texts = {(one.variant, one.language): one.text for one in body.captions}
        return caption_view(await mill.captions.edit(caller, caption_id, texts))
    state = CaptionState(body.state or CaptionState.NEW)
    return caption_view(await mill.captions.judge(caller, caption_id, state))


@router.post("/{caption_id}/undo")
async def undo_caption(caption_id: CaptionId, caller: Caller, mill: Mill) -> CaptionView:
    """Take the last change back; 409 where there is none."""
    return caption_view(await mill.captions.undo(caller, caption_id))


@router.delete("/{caption_id}", status_code=204)
async def delete_caption(caption_id: CaptionId, caller: Caller, mill: Mill) -> None:
    """Remove one from the history for good; what its job made stays with the job."""
    await mill.captions.delete(caller, caption_id)
