"""What waits until somebody has verified their address, where an installation demands that."""

from starlette.requests import Request

from mediamill.core.access import Principal
from mediamill.core.errors import Unverified
from mediamill.web.scopes import READS, noun_of, route_of

FREE = frozenset({"auth", "me"})
"""The nouns under which people put their accounts in order, and leave."""
ASKED = (
    "Show first that mails to your address reach you: open the link in the mail that you got when "
    "you registered. POST /v1/auth/verify/resend sends another, and so does the account page."
)


def require_verified(request: Request, principal: Principal) -> None:
    """Raise `Unverified` for a change by who has yet to verify their address."""
    if not principal.unverified or request.method in READS:
        return
    if noun_of(route_of(request)) not in FREE:
        raise Unverified(ASKED)
