"""S1 in full: every route of the app for every kind of stranger, beside what each may.

The routes are the app's own (`test_strangers.py` fails on one it does not know), and every denial
is in the audit trail.
"""

from contextlib import AsyncExitStack

from mediamill.core.ids import new_id
from mediamill.store.port import Delete, Put, Update
from mediamill.store.repositories.audit import Audit
from mediamill.store.repositories.datasets import ProjectShare
from mediamill.store.repositories.users import Role, User
from tests.web.conftest import client_of
from tests.web.test_strangers import (
    ADMIN,
    ANALYST,
    BODIES,
    BY_ID,
    OWN,
    VIEWS,
    WITHHELD,
    belongings,
    fill,
    here,
)

__all__ = ["belongings"]

DENIED = {401, 403, 404}
THEIRS = BY_ID | ADMIN | ANALYST
READS = VIEWS - WITHHELD | {
    f"{each} /v1/projects/{{project_id}}/versions/{{number}}/{what}"
    for each, what in (("GET", "document"), ("GET", "export"), ("HEAD", "export"))
}
"""What a viewer of a project may do; versions have to be ready first."""

EDITS = {
    route
    for route in BY_ID
    if route.split()[1].startswith("/v1/projects/{project_id}") and "shares" not in route
} - {"DELETE /v1/projects/{project_id}", "POST /v1/projects/{project_id}/restore"}
"""What an editor of a project may do beside a viewer: all but to share, delete and restore it."""

MAY: dict[str, set[str]] = {
    "another user": set(),
    "another user's token": set(),
    "removed viewer": set(),
    "analyst": ANALYST,
    "viewer": READS,
    "editor": READS | EDITS,
}
"""What of somebody else's each may; whatever is not here is denied, and told to nobody."""


async def anybody(mill, web, stack, role=Role.USER):
    """Return a user's id, and a client that shows a session of theirs; without a password."""
    user = User(id=new_id("user"), email="", role=role, created=1)
    await mill.store.transact(Put(user))
    session = await mill.people.sessions.sessions.open(user)
    client = client_of(web, authorization=f"Bearer {session.secret}")
    return user.id, await stack.enter_async_context(client)


async def asked(client, routes, ids):
    """Ask for every route; return the statuses."""
    found = {}
    for route in sorted(routes, key=lambda route: ("DELETE" in route, route)):
        method, path = fill(route, ids if route in BY_ID else {})
        found[route] = (await client.request(method, path, json=BODIES.get(route))).status_code
    return found


async def denials(mill, actor):
    await mill.trail.close()
    rows = (await Audit(mill.store).search(actor=actor, action="denied", limit=1000)).rows
    return {act.details["route"] for act in rows}


async def test_nobody_and_who_is_kept_out_get_nothing(mill, web, nobody, belongings):
    await here(mill, "theirs")
    async with AsyncExitStack() as stack:
        out, client = await anybody(mill, web, stack)
        await mill.store.transact(Update(User, (out,), set={"disabled": True}))
        for each in (nobody, client):
            statuses = await asked(each, THEIRS | OWN, belongings)
            assert {route for route, status in statuses.items() if status != 401} == set()
    assert await denials(mill, "nobody") == THEIRS | OWN


async def test_nobody_gets_more_than_they_may(mill, web, belongings):
    """The editor comes last, who changes what the others ask for."""
    await here(mill, "theirs")
    for kind, may in MAY.items():
        async with AsyncExitStack() as stack:
            role = Role.ANALYST if kind == "analyst" else Role.USER
            user, client = await anybody(mill, web, stack, role)
            if kind in ("viewer", "editor", "removed viewer"):
                await share(mill, user, belongings["project_id"], kind)
            if kind == "another user's token":
                made = (await client.post("/v1/tokens", json={"name": "theirs"})).json()
                shown = client_of(web, authorization=f"Bearer {made['token']}")
                client = await stack.enter_async_context(shown)
            statuses = await asked(client, THEIRS, belongings)
        done = {route for route, status in statuses.items() if status < 400}
        assert done - may == set(), kind
        assert bool(done) == bool(may), kind  # so that it is about who asks
        open_ = {route for route in THEIRS - may if statuses[route] not in DENIED}
        assert open_ == set(), kind
        refused = {route for route, status in statuses.items() if status in DENIED}
        assert await denials(mill, user) == refused, kind


async def share(mill, user, project, kind):
    role = "editor" if kind == "editor" else "viewer"
    row = ProjectShare(user=user, project=project, role=role, created=1)
    await mill.store.transact(Put(row))
    if kind == "removed viewer":
        await mill.store.transact(Delete(ProjectShare, row.key_values()))


async def test_a_table_that_allows_too_little_is_noticed(mill, web, belongings):
    """The rows are compared with what happened: without `ANALYST` an analyst's would differ."""
    async with AsyncExitStack() as stack:
        _, client = await anybody(mill, web, stack, Role.ANALYST)
        statuses = await asked(client, ANALYST, belongings)
    assert {route for route, status in statuses.items() if status < 400} == ANALYST
