"""The page of one's own account, and the page that a mail's “no more of them” leads to."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.store.repositories.users import MailWhen
from mediamill.web.pages.rendering import page
from mediamill.web.security import Caller, Mill
from mediamill.web.views.accounts import token_view
from mediamill.web.views.notifications import notifications_view

Token = Annotated[str, Path(max_length=1_000)]
CHOICES = {
    MailWhen.ALWAYS: "for every job",
    MailWhen.LONG: "for jobs that took longer than a minute",
    MailWhen.NEVER: "for none",
}

SHOWN = 100
"""Ways to sign in, and tokens, that the page shows."""

router = APIRouter(include_in_schema=False)


@router.get("/account")
async def account_page(caller: Caller, mill: Mill) -> Response:
    """Show what the caller chose for themselves."""
    user = await mill.notifications.of(caller)
    chosen = notifications_view(user).email
    ways = await ways_in(caller, mill)
    return page("account.html", user=user, chosen=chosen, choices=CHOICES, **ways)


async def ways_in(caller: Principal, mill: App) -> dict[str, Any]:
    """Return what the page shows of how somebody, and their programs, get in."""
    identities = await mill.linking.of(caller, None, SHOWN)
    tokens = await mill.accounts.tokens(caller, None, SHOWN)
    return {
        "issuer": mill.federation.issuer.label if mill.federation else "",
        "identities": identities.rows,
        "tokens": [token_view(token) for token in tokens.rows],
        "more_tokens": tokens.after is not None,
    }


@router.get("/unsubscribe/{token}")
async def unsubscribe_page(token: Token, mill: Mill) -> Response:
    """Ask whether mails shall end: programs that look at links end nothing."""
    await mill.notifications.subscriber(token)
    return page("unsubscribe.html", user=None, done=False, again=False)


@router.post("/unsubscribe/{token}")
async def unsubscribe(token: Token, mill: Mill) -> Response:
    """End a user's mails, asked by the page or by their mail program (RFC 8058)."""
    await mill.notifications.unsubscribe(token)
    return page("unsubscribe.html", user=None, done=True, again=False, token=token)


@router.post("/unsubscribe/{token}/undo")
async def subscribe(token: Token, mill: Mill) -> Response:
    """Begin them again, asked by whom they go to."""
    await mill.notifications.subscribe(token)
    return page("unsubscribe.html", user=None, done=True, again=True)
