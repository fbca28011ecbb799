"""The page of a deleted account: taken back while it can be, and the receipt when it is gone."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from mediamill.web.pages.rendering import page
from mediamill.web.security import Mill
from mediamill.web.views.privacy import erasure_view

Token = Annotated[str, Path(max_length=1_000)]

router = APIRouter(include_in_schema=False)


@router.get("/erasures/{token}")
async def erasure_page(token: Token, mill: Mill) -> Response:
    """Show a deletion; programs that look at links take nothing back."""
    erasure = erasure_view(await mill.privacy.closing.receipt(token))
    return page("erasure.html", user=None, erasure=erasure, undo=f"/erasures/{token}/undo")


@router.post("/erasures/{token}/undo")
async def keep_account(token: Token, mill: Mill) -> Response:
    """Take it back."""
    erasure = erasure_view(await mill.privacy.closing.undo(token))
    return page("erasure.html", user=None, erasure=erasure)
