"""What a browser, and a program, get when somebody has signed in, whichever way."""

from fastapi import Request, Response

from mediamill.app import App
from mediamill.services.accounts.sessions import Issued
from mediamill.web.devices import remember_device
from mediamill.web.security import set_session
from mediamill.web.views.accounts import SessionView, user_view
from mediamill.web.views.common import moment


async def signed_in(issued: Issued, mill: App, request: Request, response: Response) -> SessionView:
    """Give a browser the session, make it known to the account, and show who they are."""
    set_session(request, response, issued.secret)
    await remember_device(mill, request, response, issued.token.user)
    principal = await mill.accounts.authenticate(issued.secret)
    user = await mill.accounts.profile(principal)
    expires = moment(issued.token.expires)
    return SessionView(token=issued.secret, expires_at=expires, user=user_view(user))
