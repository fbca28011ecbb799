"""What is kept about the caller: handed over as one archive, and deleted with the account."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from mediamill.web.api.factors import CODE
from mediamill.web.api.files import BYTES
from mediamill.web.api.recovery import WORDS
from mediamill.web.devices import kept_devices
from mediamill.web.idempotency import shown_once
from mediamill.web.parsing import PROBLEM, After, Body, Limit, StrictRoute, UserId, cursor
from mediamill.web.security import Caller, Mill, Recent, clear_session
from mediamill.web.serving import serve
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.privacy import (
    ClosedView,
    ErasureView,
    ExportView,
    erasure_view,
    export_view,
)

router = APIRouter(prefix="/v1", tags=["privacy"], responses=PROBLEM, route_class=StrictRoute)

Now = Annotated[bool, Query(description="At once, rather than after a day to take it back.")]
Token = Annotated[str, Path(max_length=1_000)]
ErasureId = Annotated[str, Path(max_length=60, examples=["erasure_01KAHRQPV0V3E3M2X5E2C8T2QG"])]


class Restoring(Body):
    email: str = Field(max_length=300, examples=["ann@example.org"])
    password: str = Field(max_length=5000, examples=[WORDS])
    code: str = Field("", max_length=100, description=CODE)


@router.post("/me/export", status_code=202)
async def request_export(caller: Caller, mill: Mill) -> ExportView:
    """Have all that is kept about the caller put together as one zip; a mail says when it is."""
    return export_view(await mill.privacy.exporting.request(caller))


@router.get("/me/export")
async def get_export(caller: Caller, mill: Mill) -> ExportView:
    """Show how far the last export is."""
    return export_view(await mill.privacy.exporting.get(caller))


@router.head("/me/export/download", responses=BYTES, response_class=Response)
@router.get("/me/export/download", responses=BYTES, response_class=Response)
async def download_export(caller: Caller, mill: Mill, request: Request) -> Response:
    """Fetch it, for seven days; ranges are answered."""
    return serve(request, await mill.privacy.exporting.content(caller))


@router.delete("/me", status_code=202)
@shown_once
async def close_account(
    caller: Recent, mill: Mill, request: Request, response: Response, now: Now = False
) -> ClosedView:
    """Delete the caller's account with all that is in it; for a day that can be taken back.

    It takes a session that has given the password lately (`POST /v1/auth/confirm`).
    """
    closing = mill.privacy.closing
    erasure = await closing.close(caller, now=now)
    clear_session(request, response)
    return ClosedView(
        **dict(erasure_view(erasure)),
        token=await closing.token(erasure.id),
        url=await closing.link(erasure.id),
    )


@router.post("/auth/restore")
async def restore_account(body: Restoring, mill: Mill, request: Request) -> ErasureView:
    """Take the deletion of an account back, by address and password; then sign in as ever."""
    known = kept_devices(request)
    closing = mill.privacy.closing
    return erasure_view(await closing.restore(body.email, body.password, body.code, known))


@router.get("/erasures/{token}")
async def get_receipt(token: Token, mill: Mill) -> ErasureView:
    """Show what became of a deletion, by what its link ends with; also when all is gone."""
    return erasure_view(await mill.privacy.closing.receipt(token))


@router.post("/erasures/{token}/undo")
async def undo_erasure(token: Token, mill: Mill) -> ErasureView:
    """Take a deletion back, by what its link ends with."""
    return erasure_view(await mill.privacy.closing.undo(token))


@router.delete("/admin/users/{user_id}", status_code=202)
async def erase_user(user_id: UserId, caller: Recent, mill: Mill, now: Now = False) -> ErasureView:
    """Delete a user's account with all that is in it; with `now` also one that waits."""
    return erasure_view(await mill.privacy.closing.erase(caller, user_id, now=now))


@router.get("/admin/erasures")
async def list_erasures(
    caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[ErasureView]:
    """List deletions of accounts, the last first."""
    with cursor(after):
        page = await mill.privacy.closing.all(caller, after, limit)
    return listed([erasure_view(row) for row in page.rows], page.after)


@router.post("/admin/erasures/{erasure_id}/undo")
async def undo_for_user(erasure_id: ErasureId, caller: Caller, mill: Mill) -> ErasureView:
    """Take a deletion back for whose account it is."""
    return erasure_view(await mill.privacy.closing.keep(caller, erasure_id))
