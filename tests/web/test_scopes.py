"""Scopes of API tokens: each route has one, said in one place, and a token does no more."""

from starlette.routing import Route

from mediamill.core.access import Scope
from mediamill.store.port import Update
from mediamill.store.repositories.users import Role, User
from mediamill.web.scopes import NOUNS, OTHERS, noun_of, scope_of
from tests.web.conftest import client_of
from tests.web.test_strangers import ADMIN, ANALYST, BY_ID, OPEN, OWN, PNG, fill, routes

SIGNED_IN = OWN | BY_ID | ADMIN | ANALYST


def without(web):
    """Return routes of the API that take a caller and have no scope."""
    found = set()
    for route in routes(web) - OPEN:
        method, _, path = route.partition(" ")
        try:
            scope_of(method, path)
        except KeyError:
            found.add(route)
    return {route for route in found if route.split()[1].startswith("/v1/")}


def test_a_noun_is_a_whole_word():
    """What an unverified address may change, too, goes by it: `/v1/me`, and nothing like it."""
    paths = ("/v1/me", "/v1/me/factors", "/v1/members", "/v1/usage.csv", "/me", "/v2/me", "")
    assert [noun_of(path) for path in paths] == ["me", "me", "members", "usage", "", "", ""]


def test_every_route_has_one(web):
    assert without(web) == set()
    known = {scope for pair in NOUNS.values() for scope in pair} | {*OTHERS.values()} - {None}
    assert known == {*Scope}
    assert {route for route in OTHERS if route not in routes(web)} == set()


def test_a_route_without_one_is_noticed(web):
    web.router.routes.append(Route("/v1/secrets", lambda request: None))
    assert {route.split()[1] for route in without(web)} == {"/v1/secrets"}


async def issued(client, *scopes, **more):
    body = {"name": "limited", "scopes": [*scopes], **more}
    made = await client.post("/v1/tokens", json=body)
    assert made.status_code == 201, made.text
    return made.json()


async def test_a_token_opens_nothing_beyond_its_scopes(mill, web, ann):
    """Whatever its user may, and whichever route: 403, which names the scope, and is a row."""
    await mill.store.transact(Update(User, (ann.id,), set={"role": Role.ADMIN}))
    token = (await issued(ann.client, "webhooks:read"))["token"]
    async with client_of(web, authorization=f"Bearer {token}") as program:
        assert (await program.get("/v1/webhooks")).status_code == 200
        assert (await program.get("/v1/me")).json()["id"] == ann.id
        for route in sorted(SIGNED_IN):
            method, _, path = route.partition(" ")
            scope = scope_of(method, path) if path.startswith("/v1/") else ""
            if scope in (None, Scope.WEBHOOKS_READ):
                continue
            method, path = fill(route, {})
            answer = await program.request(method, path.replace("{", "").replace("}", ""))
            assert answer.status_code in (403, 422), (route, answer.status_code)
            if answer.status_code == 403 and answer.content:
                told = answer.json()
                assert told["code"] == "forbidden"
                assert told.get("details", {"scope": scope})["scope"] == scope, route


async def test_each_scope_opens_what_it_says(mill, web, ann):
    """One route of each, and nothing of the others'."""
    await mill.store.transact(Update(User, (ann.id,), set={"role": Role.ADMIN}))
    opens = {
        "files:read": "GET /v1/files", "files:write": "DELETE /v1/trash",
        "jobs:read": "GET /v1/jobs", "jobs:write": "DELETE /v1/captions?confirm=delete",
        "projects:read": "GET /v1/projects", "projects:write": "POST /v1/projects/sample",
        "webhooks:read": "GET /v1/webhooks", "webhooks:write": "POST /v1/webhooks",
        "account:read": "GET /v1/usage", "account:write": "POST /v1/feedback",
        "analytics:read": "GET /v1/analytics/users", "admin": "GET /v1/admin/users",
    }  # fmt: skip
    bodies = {
        "webhooks:write": {"url": "https://example.org/"}, "account:write": {"text": "good"},
    }  # fmt: skip
    assert opens.keys() == {*Scope}
    for scope in Scope:
        token = (await issued(ann.client, scope))["token"]
        async with client_of(web, authorization=f"Bearer {token}") as program:
            for name, route in opens.items():
                method, path = route.split()
                answer = await program.request(method, path, json=bodies.get(name))
                if name == scope:
                    assert answer.status_code < 300, answer.text
                else:
                    assert (answer.status_code, answer.json()["details"]) == (403, {"scope": name})


async def test_a_token_makes_none_that_does_more(web, ann):
    token = (await issued(ann.client, "account:write", "files:read", expires_in_days=3))["token"]
    async with client_of(web, authorization=f"Bearer {token}") as program:
        more = {"name": "more", "scopes": ["files:read", "jobs:write"]}
        refused = await program.post("/v1/tokens", json=more)
        assert (refused.status_code, refused.json()["details"]) == (403, {"scope": "jobs:write"})
        same = (await program.post("/v1/tokens", json={"name": "same"})).json()
        assert same["scopes"] == ["account:write", "files:read"]
        assert (await issued(program, "files:read"))["scopes"] == ["files:read"]
    (shown,) = [
        row for row in (await ann.client.get("/v1/tokens")).json()["data"] if row["name"] == "same"
    ]
    assert shown["scopes"] == ["account:write", "files:read"]


async def test_what_is_no_scope_is_refused(ann):
    for wrong in (["files"], [], ["files:read", "root"]):
        answer = await ann.client.post("/v1/tokens", json={"name": "x", "scopes": wrong})
        assert answer.status_code == 422, wrong


async def test_an_administrators_token_administers_only_with_the_scope(web, admin, ann):
    """Not even where a route looks at the role: without the scope a token has none."""
    for scopes, role in (
        (("account:read", "account:write"), "user"),
        (("analytics:read",), "analyst"),
        (("admin",), "admin"),
    ):
        token = (await issued(admin.client, *scopes))["token"]
        principal = await web.state.mill.accounts.authenticate(token)
        assert principal.role == role
    token = (await issued(ann.client, "admin", "analytics:read"))["token"]
    assert (await web.state.mill.accounts.authenticate(token)).role == "user"


async def test_programs_that_upload_and_run(web, ann):
    """The scopes of a program that brings files and has them processed are enough for that."""
    token = (await issued(ann.client, "files:write", "jobs:write", "jobs:read"))["token"]
    async with client_of(web, authorization=f"Bearer {token}") as program:
        file = await program.post("/v1/files?name=dot.png", content=PNG)
        assert file.status_code == 201, file.text
        body = {"files": [file.json()["id"]], "steps": [{"operation": "thumbnail"}]}
        job = await program.post("/v1/jobs", json=body, headers={"idempotency-key": "once"})
        assert job.status_code == 202, job.text
        assert (await program.get(f"/v1/jobs/{job.json()['id']}")).status_code == 200
        assert (await program.get("/v1/files")).status_code == 403
        again = await program.post("/v1/projects", json={"name": "x"},
                                   headers={"idempotency-key": "other"})  # fmt: skip
        assert again.status_code == 403
