"""The page of one's own account, and the page that a mail's “no more of them” leads to."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from mediamill.app import App
from mediamill.core.access import Principal, Scope
from mediamill.core.clock import rfc3339
from mediamill.store.repositories.users import MailWhen, Role, User
from mediamill.web.pages.rendering import page
from mediamill.web.parsing import After, cursor
from mediamill.web.security import Caller, Identified, Mill
from mediamill.web.views.accounts import signed_in_view, token_view
from mediamill.web.views.audit import act_view
from mediamill.web.views.factors import factors_view
from mediamill.web.views.notifications import notifications_view
from mediamill.web.views.privacy import ExportView, export_view
from mediamill.web.views.quotas import quota_view

Token = Annotated[str, Path(max_length=1_000)]
BEYOND = {Scope.ADMIN: (Role.ADMIN,), Scope.ANALYTICS_READ: (Role.ANALYST, Role.ADMIN)}
"""Scopes that not everybody can give, and who can."""

SHOWN, ACTS = 100, 10
"""Ways to sign in, sessions and tokens that the page shows; acts that it shows at a time."""
LATER = 1 << 60
"""After all times (ms)."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Section:
    """A part of the page: the id of its element, by which its name is known too, its template."""

    id: str
    template: str


FACTOR = Section("second-factor", "parts/second_factor.html")
SECTIONS = (
    Section("profile", "account/profile.html"),
    Section("sign-in", "parts/password.html"),
    FACTOR,
    Section("ways", "parts/ways.html"),
    Section("sessions", "account/sessions.html"),
    Section("activity", "account/activity.html"),
    Section("tokens", "parts/tokens.html"),
    Section("mails", "account/notifications.html"),
    Section("usage", "account/usage.html"),
    Section("data", "account/data.html"),
    Section("feedback", "account/feedback.html"),
)


@router.get("/account")
async def account_page(caller: Identified, mill: Mill) -> Response:
    """Show what the caller chose for themselves, and what is kept about their account.

    Who must set up a second factor first sees that alone.
    """
    user = await mill.notifications.of(caller)
    factors = factors_view(await mill.people.factors.state(user))
    shown = {} if caller.lacks_factor else await _whole(caller, mill, user)
    sections = [FACTOR] if caller.lacks_factor else _present(shown)
    return page(
        "account.html", user=user, caller=caller, factors=factors, sections=sections, **shown
    )


async def _whole(caller: Principal, mill: App, user: User) -> dict[str, Any]:
    sessions = await mill.people.sessions.list(caller, None, SHOWN)
    return {
        "since": rfc3339(user.created),
        "chosen": notifications_view(user).email,
        "choices": [one.value for one in MailWhen],
        "sessions": [signed_in_view(one, caller.token) for one in sessions.rows],
        "more_sessions": sessions.after is not None,
        "quotas": [quota_view(one) for one in await mill.quotas.of(caller.user)],
        "kept": await mill.repositories.usages.get(caller.user),
        "export": await _export(mill, caller.user),
        **await ways_in(caller, mill),
        **await _acts(caller, mill, None),
    }


async def _export(mill: App, owner: str) -> ExportView | None:
    """Return the last export of everything, while there is something to tell of it."""
    export = await mill.privacy.exporting.exports.get(owner)
    over = export is None or (export.expires or LATER) <= await mill.store.now()
    return None if export is None or over else export_view(export)


def _present(shown: dict[str, Any]) -> list[Section]:
    """Leave out the ways to sign in where there is but the password."""
    without = set() if shown["issuer"] or shown["identities"] else {"ways"}
    return [one for one in SECTIONS if one.id not in without]


async def _acts(caller: Principal, mill: App, after: str | None) -> dict[str, Any]:
    found = await mill.audit.own(caller, after, ACTS)
    return {"acts": [act_view(act) for act in found.rows], "acts_after": found.after}


@router.get("/parts/activity")
async def activity_part(caller: Caller, mill: Mill, after: After = None) -> Response:
    """Render earlier acts."""
    with cursor(after):
        acts = await _acts(caller, mill, after)
    return page("parts/activity.html", user=await mill.accounts.profile(caller), **acts)


async def ways_in(caller: Principal, mill: App) -> dict[str, Any]:
    """Return what the page shows of how somebody, and their programs, get in."""
    identities = await mill.linking.of(caller, None, SHOWN)
    tokens = await mill.people.tokens.list(caller, None, SHOWN)
    federation = mill.federation
    return {
        "issuer": federation.issuer.label if federation else "",
        "passwords": federation is None or federation.issuer.passwords,
        "least": mill.settings.password_length,
        "identities": identities.rows,
        "tokens": [token_view(token) for token in tokens.rows],
        "more_tokens": tokens.after is not None,
        "scopes": [one.value for one in Scope if caller.role in BEYOND.get(one, (caller.role,))],
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
