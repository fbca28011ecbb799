"""The second factor over HTTP: set up, asked for, wanted by the service, confirmed, reset."""

import base64
import re
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from mediamill.core.clock import MINUTE, FixedClock
from mediamill.core.ids import new_id
from mediamill.services.accounts.factors import codes
from mediamill.services.accounts.sessions import digest
from mediamill.store.port import Update
from mediamill.store.repositories.users import Token, User
from mediamill.web.security import SESSION_COOKIE, fresh, recent, setting_up
from tests.support.letterbox import Letterbox
from tests.support.places import everywhere
from tests.web.conftest import PASSWORD, client_of
from tests.web.test_audit import acts

ASKING = {
    "POST /v1/me/factors/totp", "POST /v1/me/factors/totp/confirm", "DELETE /v1/me/factors/totp",
    "POST /v1/me/factors/recovery-codes", "DELETE /v1/admin/users/{user_id}/factors",
    "POST /v1/tokens", "POST /v1/me/identities", "DELETE /v1/me/identities/{identity_id}",
    "DELETE /v1/me", "POST /v1/admin/users", "PATCH /v1/admin/users/{user_id}",
    "DELETE /v1/admin/users/{user_id}", "POST /v1/admin/invitations",
}  # fmt: skip
"""What asks for password and code again."""
UNASKED = {
    "PATCH /v1/me", "POST /v1/me/export", "PATCH /v1/me/notifications", "DELETE /v1/me/sessions",
    "DELETE /v1/me/sessions/{session_id}", "DELETE /v1/tokens/{token_id}",
    "PUT /v1/admin/users/{user_id}/quota", "DELETE /v1/admin/users/{user_id}/quota",
    "DELETE /v1/admin/users/{user_id}/sessions", "DELETE /v1/admin/invitations/{invitation_id}",
    "POST /v1/admin/erasures/{erasure_id}/undo", "PATCH /v1/admin/feedback/{feedback_id}",
    "DELETE /v1/admin/feedback/{feedback_id}", "POST /v1/admin/workers/{worker_id}/drain",
    "POST /v1/admin/workers/{worker_id}/undrain",
}  # fmt: skip
"""What changes accounts or the service and does not ask: nobody gets further in by it, or gone."""
SIGN_IN = Path(__file__).parents[2] / "docs/how-to/sign-in.md"


@pytest.fixture
def clock(mill, monkeypatch):
    """The time by which codes are judged, moved by hand."""
    by_hand = FixedClock(mill.clock.now())
    for service in (mill.people.factors, mill.people.confirming):
        monkeypatch.setattr(service, "clock", by_hand)
    monkeypatch.setattr(mill.people.confirming._guessing, "_clock", by_hand)
    return by_hand


def shown(secret, clock) -> str:
    """Return what the app shows; time has gone on, so that it is a new code."""
    clock.advance(2 * codes.STEP_SECONDS * 1000)
    hotp = codes.HOTP(base64.b32decode(secret), 6, codes.SHA1())
    return hotp.generate(clock.now() // 1000 // codes.STEP_SECONDS).decode()


async def turned_on(one, clock) -> tuple[str, list[str]]:
    """Turn somebody's second factor on; return the secret and the recovery codes."""
    made = await one.client.post("/v1/me/factors/totp")
    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    body = {"code": shown(secret, clock)}
    done = await one.client.post("/v1/me/factors/totp/confirm", json=body)
    assert done.status_code == 201, done.text
    return secret, done.json()["recovery_codes"]


async def signing_in(nobody, one, **beside):
    body = {"email": one.email, "password": PASSWORD, **beside}
    nobody.cookies.clear()  # else it is a browser that is signed in, and says not from where
    return await nobody.post("/v1/auth/login", json=body)


async def counts(mill, one) -> Counter[str]:
    """Count what was done to somebody's account; the same denials of a minute are one row."""
    await mill.trail.close()
    found = Counter()
    for act in await acts(mill, about=one.id):
        found[act.action] += act.count
    return found


async def grow_old(mill, *secrets):
    """Let it be an hour since sessions were opened."""
    for secret in secrets:
        past = {"created": mill.clock.now() - 60 * MINUTE, "confirmed": None}
        await mill.store.transact(Update(Token, (digest(secret),), set=past))


@everywhere
async def test_set_up_then_asked_for(mill, nobody, ann, clock):
    secret, recovery = await turned_on(ann, clock)
    state = (await ann.client.get("/v1/me/factors")).json()
    assert (state["recovery_codes_left"], state["required"]) == (10, False)
    assert state["totp_since"]
    asked = await signing_in(nobody, ann)
    assert (asked.status_code, asked.json()["code"]) == (401, "second_factor_required")
    wrong = await signing_in(nobody, ann, code="000-000")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "second_factor_required")
    assert wrong.json()["errors"][0]["pointer"] == "code"
    code = shown(secret, clock)
    assert (await signing_in(nobody, ann, code=code)).status_code == 200
    assert (await signing_in(nobody, ann, code=code)).status_code == 401
    assert (await signing_in(nobody, ann, code=recovery[0])).status_code == 200
    assert (await signing_in(nobody, ann, code=recovery[0])).status_code == 401
    whole = str([(act.action, act.details) for act in await acts(mill)])
    assert all(text not in whole for text in (secret, *recovery, code))
    told = await counts(mill, ann)
    assert (told["second_factor_on"], told["recovery_code_used"]) == (1, 1)
    assert (told["second_factor_asked"], told["sign_in_refused"]) == (1, 3)


async def test_a_wrong_password_is_told_nothing_of_it(nobody, ann, clock):
    await turned_on(ann, clock)
    for code in ("", "000000"):
        body = {"email": ann.email, "password": "not the password", "code": code}
        refused = await nobody.post("/v1/auth/login", json=body)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


async def test_who_knows_the_password_cannot_try_all_codes(mill, nobody, ann, clock):
    """Nor who reads the mail, and begins anew with a password of their own."""
    _, recovery = await turned_on(ann, clock)
    own = {"verified": 1}  # else the first password by mail ends the factor
    await mill.store.transact(Update(User, (ann.id,), set=own))
    tried = [(await signing_in(nobody, ann, code="0000")).status_code for _ in range(12)]
    assert tried == [401] * 10 + [429] * 2
    assert (await signing_in(nobody, ann, code=recovery[0])).status_code == 429
    body = {"password": PASSWORD, "code": "0000"}
    tried = [(await ann.client.post("/v1/auth/confirm", json=body)).status_code for _ in range(12)]
    assert tried == [401] * 10 + [429] * 2
    await nobody.post("/v1/auth/password/forgot", json={"email": ann.email})
    new = {"token": await Letterbox(mill).secret(), "password": "another long secret"}
    reset = await nobody.post("/v1/auth/password/reset", json=new)
    assert (reset.status_code, "mediamill_device" in str(reset.headers)) == (204, False)
    login = {"email": ann.email, "password": new["password"], "code": recovery[0]}
    assert (await nobody.post("/v1/auth/login", json=login)).status_code == 429
    clock.advance(10 * 60 * MINUTE)
    signed_in = await nobody.post("/v1/auth/login", json=login)
    assert (signed_in.status_code, "mediamill_device" in str(signed_in.headers)) == (200, True)


async def test_an_account_that_is_being_deleted_is_kept_with_the_code_too(
    web, nobody, ann, admin, clock
):
    _, recovery = await turned_on(ann, clock)
    assert (await ann.client.delete("/v1/me")).status_code == 202
    assert (await signing_in(nobody, ann)).json()["code"] == "second_factor_required"
    body = {"email": ann.email, "password": PASSWORD}
    refused = await nobody.post("/v1/auth/restore", json=body)
    assert (refused.status_code, refused.json()["code"]) == (401, "second_factor_required")
    kept = await nobody.post("/v1/auth/restore", json={**body, "code": recovery[0]})
    assert kept.status_code == 200, kept.text
    again = (await signing_in(nobody, ann, code=recovery[1])).json()["token"]
    async with client_of(web, authorization=f"Bearer {again}") as client:
        assert (await client.delete("/v1/me")).status_code == 202
    closing = (await signing_in(nobody, ann, code=recovery[2])).json()
    assert closing["code"] == "account_closing"
    undone = await nobody.post(f"/v1/erasures/{closing['details']['token']}/undo")
    assert undone.json()["state"] == "undone", "no other code is asked for"


async def test_tokens_and_sessions_that_are_open_go_on(web, ann, clock):
    token = (await ann.client.post("/v1/tokens", json={"name": "hers"})).json()["token"]
    await turned_on(ann, clock)
    for secret in (token, ann.token):
        async with client_of(web, authorization=f"Bearer {secret}") as client:
            assert (await client.get("/v1/files")).status_code == 200


async def test_the_picture_is_a_whole_svg_without_scripts(ann):
    made = (await ann.client.post("/v1/me/factors/totp")).json()
    assert made["qr_code"].startswith("<svg ")
    assert not re.search(r"script|href|onload|http(?!://www\.w3\.org/2000/svg)", made["qr_code"])
    assert made["secret"] in made["uri"]


# -- who must have one ---------------------------------------------------------------------------


@asynccontextmanager
async def page_of(web, one):
    async with client_of(web, accept="text/html", **{"sec-fetch-site": "same-origin"}) as client:
        client.cookies.set(SESSION_COOKIE, one.token)
        yield client


async def test_who_must_have_one_sets_it_up_before_anything_else(mill, web, ann, clock):
    token = (await ann.client.post("/v1/tokens", json={"name": "hers"})).json()["token"]
    mill.people.factors.demand = "everybody"
    file = f"/v1/files/{new_id('file')}"
    for route in (
        "GET /v1/files", "POST /v1/files", "POST /v1/tokens", f"GET {file}", f"DELETE {file}",
        "DELETE /v1/me/factors/totp", "GET /v1/me/activity",
    ):  # fmt: skip
        method, _, path = route.partition(" ")
        refused = await ann.client.request(method, path, json={"name": "x"})
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_needed"), route
    keyed = await ann.client.post(
        "/v1/tokens", json={"name": "x"}, headers={"idempotency-key": "k"}
    )
    assert keyed.status_code == 403
    async with page_of(web, ann) as page:
        for path in ("/", "/projects", "/trash"):
            led = await page.get(path)
            assert (led.status_code, led.headers["location"]) == (303, "/account#second-factor")
        assert "before anything else" in (await page.get("/account")).text
    async with client_of(web, authorization=f"Bearer {token}") as program:
        assert (await program.get("/v1/files")).status_code == 200
    assert (await ann.client.get("/v1/me")).status_code == 200
    await turned_on(ann, clock)
    assert (await ann.client.get("/v1/files")).status_code == 200


async def test_of_administrators_alone(mill, ann, admin):
    mill.people.factors.demand = "admins"
    assert (await ann.client.get("/v1/files")).status_code == 200
    assert (await admin.client.get("/v1/files")).status_code == 403


async def test_who_has_no_password_is_not_led_there(mill, web):
    mill.people.factors.demand = "everybody"
    issued = await mill.accounts.redeem(await mill.accounts.sign_in_secret())
    async with client_of(web, authorization=f"Bearer {issued.secret}") as operator:
        assert (await operator.get("/v1/files")).status_code == 200
        assert (await operator.get("/v1/me/factors")).json()["required"] is False


# -- proving it once more ------------------------------------------------------------------------


def calls(dependant, wanted) -> bool:
    return any(d.call in wanted or calls(d, wanted) for d in dependant.dependencies)


def test_which_routes_ask(web):
    found, others = set(), set()
    for context in iter_route_contexts(web.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            asks = calls(route.dependant, (recent, fresh, setting_up))
            (found if asks else others).update(f"{one} {context.path}" for one in context.methods)
    assert found == ASKING
    about = {
        route for route in others if re.match(r"(?!GET|HEAD)\S+ /v1/(me|tokens|admin)\b", route)
    }
    assert about == UNASKED
    told = SIGN_IN.read_text()
    assert [route for route in sorted(found) if f"`{route}`" not in told] == []


async def test_an_old_session_is_asked_for_password_and_code(mill, nobody, ann, clock):
    secret, _ = await turned_on(ann, clock)
    await grow_old(mill, ann.token)

    async def renew():
        answer = await ann.client.post("/v1/me/factors/recovery-codes")
        return answer.status_code, answer.json().get("code")

    async def confirm(**body):
        answer = await ann.client.post("/v1/auth/confirm", json=body)
        return answer.status_code, answer.json()["code"] if answer.content else None

    assert await renew() == (403, "confirmation_needed")
    made = await ann.client.post("/v1/tokens", json={"name": "hers"})
    assert made.json()["code"] == "confirmation_needed"
    assert await confirm(password="not the password") == (401, "unauthenticated")
    assert await confirm(password=PASSWORD) == (401, "second_factor_required")
    assert await confirm(password=PASSWORD, code="000000") == (401, "second_factor_required")
    assert await renew() == (403, "confirmation_needed")
    assert await confirm(password=PASSWORD, code=shown(secret, clock)) == (204, None)
    assert (await renew())[0] == 201
    clock.advance(10 * MINUTE)
    assert await renew() == (403, "confirmation_needed")
    told = await counts(mill, ann)
    assert (told["confirmed"], told["confirmation_refused"]) == (1, 3)


async def test_it_counts_for_the_session_that_did_it(mill, web, nobody, ann, clock):
    other = (await signing_in(nobody, ann)).json()["token"]
    await grow_old(mill, ann.token, other)
    body = {"password": PASSWORD}
    assert (await ann.client.post("/v1/auth/confirm", json=body)).status_code == 204
    assert (await ann.client.post("/v1/me/factors/totp")).status_code == 201
    async with client_of(web, authorization=f"Bearer {other}") as client:
        assert (await client.post("/v1/me/factors/totp")).status_code == 403


async def test_no_token_confirms_anything(web, ann, admin):
    """Nor does one of an administrator's make itself a session, or let another into a way in."""
    token = (await admin.client.post("/v1/tokens", json={"name": "theirs"})).json()["token"]
    async with client_of(web, authorization=f"Bearer {token}") as program:
        assert (await program.post("/v1/tokens", json={"name": "its"})).status_code == 201
        for route in sorted(ASKING - {"POST /v1/tokens"} | {"POST /v1/auth/confirm"}):
            method, _, path = route.partition(" ")
            path = path.format(user_id=ann.id, identity_id="identity_" + "A" * 26)
            refused = await program.request(method, path, json={"password": PASSWORD})
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), route


async def test_without_a_password_signing_in_again_counts(mill, web):
    issued = await mill.accounts.redeem(await mill.accounts.sign_in_secret())
    async with client_of(web, authorization=f"Bearer {issued.secret}") as client:
        refused = await client.post("/v1/auth/confirm", json={"password": "x"})
        dialog = await client.get("/account")
    assert refused.status_code == 409
    told = refused.json()["detail"]
    assert "sign out and in again" in told
    assert "`mediamill admin users sign-in-link admin@localhost`" in told
    assert "mediamill admin users sign-in-link" in dialog.text


# -- lost ----------------------------------------------------------------------------------------


@everywhere
async def test_an_administrator_resets_it(mill, nobody, ann, bob, admin, clock):
    await turned_on(ann, clock)
    path = f"/v1/admin/users/{ann.id}/factors"
    assert (await bob.client.delete(path)).status_code == 403
    assert (await ann.client.delete(path)).status_code == 403
    assert (await signing_in(nobody, ann)).status_code == 401
    assert (await admin.client.delete(path)).status_code == 204
    assert (await signing_in(nobody, ann)).status_code == 200
    assert (await mill.store.get(User, ann.id)).factor is None
    assert (await admin.client.delete(path)).status_code == 409
    (act,) = await acts(mill, about=ann.id, action="second_factor_reset")
    assert act.actor == admin.id
