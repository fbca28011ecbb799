"""What waits until somebody has verified their address, where an installation demands that."""

from starlette.requests import Request

from mediamill.core.access import Principal
from mediamill.core.errors import Unverified

READS = frozenset({"GET", "HEAD", "OPTIONS"})
FREE = ("/v1/auth/", "/v1/me")
"""Begins of addresses at which people put their accounts in order, and leave."""
ASKED = (
    "Show first that mails to your address reach you: open the link in the mail that you got when "
    "you registered. POST /v1/auth/verify/resend sends another, and so does the account page."
)


def require_verified(request: Request, principal: Principal) -> None:
    """Raise `Unverified` for a change by who has yet to verify their address."""
    changes = request.method not in READS and not request.url.path.startswith(FREE)
    if principal.unverified and changes:
        raise Unverified(ASKED)
