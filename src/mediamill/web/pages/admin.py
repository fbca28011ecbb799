"""The pages of who runs the service: how it is, who uses it, what was done, what goes when.

Services refuse who is no administrator, as they do over the API; they then see a page that says so.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import ConfigurationError, InvalidInput
from mediamill.core.retention import read_retention
from mediamill.services.audit.search import Wanted
from mediamill.services.retention import Forecast
from mediamill.services.roles import require_admin
from mediamill.store.port import Page
from mediamill.store.repositories.audit import Act
from mediamill.store.repositories.feedback import FeedbackState
from mediamill.store.repositories.users import Role, User
from mediamill.web.pages.rendering import page
from mediamill.web.parsing import After, UserId, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.views.accounts import invitation_view, managed_view
from mediamill.web.views.audit import act_view
from mediamill.web.views.feedback import feedback_view
from mediamill.web.views.models import provider_view
from mediamill.web.views.privacy import erasure_view
from mediamill.web.views.quotas import allowance_view, quota_view
from mediamill.web.views.running import failure_view, queue_view
from mediamill.web.views.workers import worker_view

SHOWN, FAILURES, INVITATIONS = 50, 20, 50
"""Rows of a page, failures that are shown at a time, and invitations."""

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Query(max_length=100)]


# -- how it is ------------------------------------------------------------------------------------


@router.get("/admin")
async def overview_page(caller: Caller, mill: Mill) -> Response:
    """Show whether all works, what waits, who works on it, and what failed lately."""
    require_admin(caller)
    return page(
        "admin/overview.html",
        user=await mill.accounts.profile(caller),
        health=await mill.health(),
        queue=[queue_view(one) for one in await mill.running.queue(caller)],
        workers=[worker_view(one) for one in await mill.workers.list(caller)],
        providers=[provider_view(one) for one in await mill.models.providers.list(caller)],
        **await _failures(caller, mill, None),
    )


@router.get("/parts/admin/failures")
async def failures_part(caller: Caller, mill: Mill, after: After = None) -> Response:
    """Render earlier failures."""
    with cursor(after):
        return page("parts/failures.html", **await _failures(caller, mill, after))


async def _failures(caller: Principal, mill: App, after: str | None) -> dict[str, Any]:
    found = await mill.running.failures(caller, after, FAILURES)
    return {
        "failures": [failure_view(one) for one in found.rows],
        "failures_after": found.after,
        "owners": await names(mill, [one.job.owner for one in found.rows]),
    }


async def names(mill: App, users: Sequence[str]) -> dict[str, str]:
    """Return what users are called, by their ids; those that are gone by their ids."""
    ids = sorted(set(users))
    rows = await mill.store.get_many(User, [(one,) for one in ids])
    return {
        one: (row.email or row.name or one) if row else one
        for one, row in zip(ids, rows, strict=True)
    }


# -- who uses it ----------------------------------------------------------------------------------


@router.get("/admin/users")
async def users_page(
    caller: Caller, mill: Mill, search: Text = "", role: Text = "", after: After = None
) -> Response:
    """Show users, those who are invited, and forms to add some."""
    wanted = Role(role) if role in tuple(Role) else None
    with cursor(after):
        found = await mill.people.administering.list(caller, search, wanted, after, SHOWN)
    invited = await mill.people.inviting.every(caller, None, INVITATIONS)
    waiting = [invitation_view(row) for row in invited.rows if row.accepted is None]
    return page(
        "admin/users.html",
        user=await mill.accounts.profile(caller),
        users=[managed_view(one) for one in found.rows],
        after=found.after,
        search=search,
        role=role,
        roles=tuple(Role),
        invitations=waiting,
    )


@router.get("/admin/users/{user_id}")
async def user_page(user_id: UserId, caller: Caller, mill: Mill) -> Response:
    """Show a user, with what can be done about them."""
    shown = await mill.people.administering.show(caller, user_id)
    deletions = mill.privacy.closing.deletions
    erasure = await deletions.need(shown.erasing) if shown.erasing else None
    return page(
        "admin/user.html",
        user=await mill.accounts.profile(caller),
        one=managed_view(shown),
        verified=shown.verified,
        factor=shown.factor is not None,
        erasure=erasure,
        roles=tuple(Role),
        allowed=allowance_view(await mill.quotas.look(caller, user_id)),
        quotas=[quota_view(used) for used in await mill.quotas.of(user_id)],
    )


# -- what was done --------------------------------------------------------------------------------


@router.get("/admin/audit")
async def audit_page(
    caller: Caller,
    mill: Mill,
    actor: Text = "",
    about: Text = "",
    action: Text = "",
    since: Text = "",
    until: Text = "",
    after: After = None,
) -> Response:
    """Search the audit trail; a form's empty fields look for nothing."""
    asked = {"actor": actor, "about": about, "action": action, "since": since, "until": until}
    wanted = {name: text.strip() for name, text in asked.items() if text.strip()}
    found, problems = await _search(caller, mill, wanted, after)
    people = [one for act in found.rows for one in (act.actor, act.about or "")]
    return page(
        "admin/audit.html",
        status=422 if problems else 200,
        user=await mill.accounts.profile(caller),
        acts=[act_view(act) for act in found.rows],
        after=found.after,
        wanted=wanted,
        problems=problems,
        names=await names(mill, [one for one in people if one.startswith("user_")]),
    )


async def _search(
    caller: Principal, mill: App, wanted: dict[str, str], after: str | None
) -> tuple[Page[Act], dict[str, str]]:
    """Return acts; or none, and what is wrong with which field of the form."""
    try:
        with cursor(after):
            return await mill.audit.search(caller, Wanted(**wanted), after, SHOWN), {}
    except InvalidInput as error:
        said = {one["pointer"]: one["message"] for one in error.details.get("errors", ())}
        if not said.keys() & wanted.keys():
            raise
        return Page(()), said


# -- what goes when, and what users say -----------------------------------------------------------


@router.get("/admin/retention")
async def retention_page(
    caller: Caller, mill: Mill, rules: Annotated[str, Query(max_length=300)] = ""
) -> Response:
    """Show for how long files are kept, what is due, was removed, and would be by other rules."""
    require_admin(caller)
    forecast, problem = await _forecast(mill, rules)
    return page(
        "admin/retention.html",
        user=await mill.accounts.profile(caller),
        states=await mill.kept.states(),
        since_upgrade=mill.kept.since_upgrade,
        rules=rules or str(mill.retention),
        forecast=forecast,
        problem=problem,
        erasures=[
            erasure_view(row) for row in (await mill.privacy.closing.all(caller, None, SHOWN)).rows
        ],
    )


async def _forecast(mill: App, rules: str) -> tuple[list[Forecast], str]:
    """Return what rules would take, or why they are none."""
    if not rules.strip():
        return [], ""
    try:
        return await mill.kept.forecast(read_retention(rules)), ""
    except ConfigurationError as error:
        return [], error.message


@router.get("/admin/feedback")
async def feedback_page(
    caller: Caller, mill: Mill, state: FeedbackState = FeedbackState.OPEN, after: After = None
) -> Response:
    """Show what users said."""
    with cursor(after):
        found = await mill.feedback.list(caller, state, after, SHOWN)
    return page(
        "admin/feedback.html",
        user=await mill.accounts.profile(caller),
        said=[feedback_view(one) for one in found.rows],
        after=found.after,
        state=state,
        names=await names(mill, [one.user for one in found.rows]),
    )
