"""Uploads whose bytes go to the bucket itself, past this service."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from mediamill.core.errors import InvalidInput
from mediamill.core.metrics import DIRECT
from mediamill.services.files.labels import MAX_TAGS, clean_tags
from mediamill.services.uploads.resumable import Announced
from mediamill.web.documents import Sha256
from mediamill.web.gateway import gateway_of
from mediamill.web.idempotency import signed_anew
from mediamill.web.parsing import PROBLEM, After, Body, Limit, StrictRoute, UploadId
from mediamill.web.security import Caller, Mill
from mediamill.web.uploading import FIRST
from mediamill.web.views.common import Listed
from mediamill.web.views.direct import DirectView, PartView, direct_view, places_view
from mediamill.web.views.files import FileView, file_view

router = APIRouter(
    prefix="/v1/uploads", tags=["uploads"], responses=PROBLEM, route_class=StrictRoute
)

LOOK_SECONDS = 0.2


class DirectBody(Body):
    """A file that its sender will put into the bucket."""

    filename: str = Field(min_length=1, max_length=2000, examples=["clip.mp4"])
    size: int = Field(ge=1, le=1 << 53, description="Its bytes, exactly.")
    sha256: Sha256 | None = Field(None, description="What its bytes must hash to.")
    tags: list[str] = Field(default_factory=list, max_length=2 * MAX_TAGS)
    project: str | None = Field(None, max_length=100, description="A project that it joins.")
    parts: bool | None = Field(
        None, description="In parts, which can be resumed, or in one request; else by its size."
    )

    def announced(self) -> Announced:
        sha256 = self.sha256.lower() if self.sha256 else None
        tags, project = clean_tags(self.tags), self.project or ""
        return Announced(self.filename, self.size, "", tags, project, sha256)


@router.post("/presigned", status_code=201)
@signed_anew
async def begin_direct_upload(
    body: DirectBody, caller: Caller, mill: Mill, response: Response
) -> DirectView:
    """Begin an upload whose bytes go to the bucket: send each part with its request.

    Then `POST …/complete`. A request works for an hour: a fresh one is at `…/parts`. 409 with the
    `alternatives` where files go through this service.
    """
    upload = await mill.direct.begin(caller, body.announced(), body.parts)
    first = None
    if not upload.file:  # else it was begun by an earlier attempt, and is complete
        first = await mill.direct.places(caller, upload.id, limit=FIRST)
    response.headers["Location"] = f"/v1/uploads/{upload.id}"
    places, more = first or ((), False)
    return direct_view(upload, places, more=more)


@router.get("/{upload_id}/parts")
async def list_parts(
    upload_id: UploadId, caller: Caller, mill: Mill, after: After = None, limit: Limit = 100
) -> Listed[PartView]:
    """List the parts of a direct upload: which have arrived, and how to send the others."""
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 6):
        raise InvalidInput.at("after", "This is not a cursor of this list.")
    places, more = await mill.direct.places(caller, upload_id, int(after or 0), limit)
    return places_view(places, more=more)


@router.post(
    "/{upload_id}/complete", status_code=202, responses={200: {"description": "It was checked."}}
)
async def complete_upload(
    upload_id: UploadId,
    caller: Caller,
    mill: Mill,
    request: Request,
    response: Response,
    wait: Annotated[
        int, Query(ge=0, le=60, description="Seconds to wait for the check, 55 at most.")
    ] = 0,
) -> FileView:
    """Say that all parts were sent: answers the file, which is `checking`, then as it turns out.

    409 that names parts which are `missing`. Saying it again is harmless.
    """
    file, fresh = await mill.direct.complete(caller, upload_id)
    if fresh:
        mill.parts.numbers.count(DIRECT, more=file.size)
    until = time.monotonic() + gateway_of(request.scope).patience(wait)
    while file.passing and time.monotonic() < until:
        await asyncio.sleep(LOOK_SECONDS)
        file = await mill.files.get(caller, file.id)
    response.headers["Location"] = f"/v1/files/{file.id}"
    response.status_code = 202 if file.passing else 200
    file = await mill.kept.dated_one(file)
    return file_view(file, for_workers=await mill.waiting.file(file))
