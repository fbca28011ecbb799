"""Where the links in mails about accounts lead: a new password, a verified address, an account.

The secret stands behind the `#` of such a link, so no server and no log on its way sees it. Opening
a page does nothing, for programs that look at mails open links too: a button does.
"""

from fastapi import APIRouter, Response

from mediamill.web.pages.rendering import page
from mediamill.web.security import Mill

router = APIRouter(include_in_schema=False)


@router.get("/forgot")
async def forgot_page() -> Response:
    """Ask for which address a new password is wanted."""
    return page("forgot.html", user=None)


@router.get("/reset")
async def reset_page(mill: Mill) -> Response:
    """Ask for a new password."""
    return page("reset.html", user=None, least=mill.settings.password_length)


@router.get("/verify")
async def verify_page() -> Response:
    """Ask whether an address is to be confirmed."""
    return page("verify.html", user=None)


@router.get("/invitation")
async def invitation_page(mill: Mill) -> Response:
    """Ask who is invited for a password."""
    return page("invitation.html", user=None, least=mill.settings.password_length)
