"""Signing in by way of a real issuer: the code flow with PKCE, linking, and what keeps it ours."""

import io
import re
from base64 import urlsafe_b64encode
from contextlib import asynccontextmanager
from hashlib import sha256
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from mediamill.adapters.secrets import reading
from mediamill.adapters.secrets.opening import read_settings
from mediamill.app import App
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.store.port import Update
from mediamill.store.repositories.users import User
from mediamill.web.app import create_app
from mediamill.web.security import SESSION_COOKIE
from tests.support.issuers import RESOURCE, SECRET, approved
from tests.support.processes import free_port
from tests.web.conftest import PASSWORD, client_of, person

CALLBACK = "http://mill.test/auth/oidc/callback"


@pytest.fixture
def options() -> dict[str, str]:
    return {}


@pytest.fixture
def more() -> dict[str, object]:
    return {}


@pytest.fixture
async def mill(tmp_path, issuer, options, more):
    url = issuer.url(**options)
    settings = Settings(
        home=tmp_path / "h",
        store_url="memory:",
        identity_url=url,
        slots=1,
        min_free_bytes=0,
        **more,
    )
    async with await App.open(settings) as app:
        yield app


@asynccontextmanager
async def browser_of(web):
    """A browser: its cookies here and at the issuer; it follows nothing by itself."""
    async with (
        client_of(web, **{"sec-fetch-site": "same-origin"}) as here,
        httpx.AsyncClient(trust_env=False, verify=False) as there,
    ):
        yield here, there


async def begun(here, back="/"):
    response = await here.get("/auth/oidc/start", params={"next": back})
    assert response.status_code == 303, response.text
    return response.headers["location"]


async def answered(here, there, who, back="/"):
    """Return where the issuer sends a browser back to."""
    return await approved(there, await begun(here, back), who, CALLBACK)


async def signed_in(web, who, back="/"):
    """Sign somebody in; return what /v1/me says, and the last answer."""
    async with browser_of(web) as (here, there):
        response = await here.get(await answered(here, there, who, back))
        me = await here.get("/v1/me")
        return me.json(), response


def changed(url, **parameters):
    """Return an address with other parameters; None leaves one out."""
    parts = urlsplit(url)
    said = {k: v[0] for k, v in parse_qs(parts.query).items()} | parameters
    query = urlencode({k: v for k, v in said.items() if v is not None})
    return parts._replace(query=query).geturl()


# -- signing in -----------------------------------------------------------------------------------


async def test_somebody_new_signs_in_and_is_the_same_the_next_time(web):
    first, response = await signed_in(web, "bea", "/jobs/job_x?tab=1")
    assert (response.status_code, response.headers["location"]) == (303, "/jobs/job_x?tab=1")
    assert (first["email"], first["name"]) == ("bea@example.org", "The one called bea")
    assert first["role"] == "admin"  # the installation's first
    again, _ = await signed_in(web, "bea")
    other, _ = await signed_in(web, "cid")
    assert again["id"] == first["id"] != other["id"]
    assert other["role"] == "user"


async def test_what_is_asked_of_the_issuer(web, mill):
    async with browser_of(web) as (here, _):
        response = await here.get("/auth/oidc/start")
        asked = {k: v[0] for k, v in parse_qs(urlsplit(response.headers["location"]).query).items()}
        cookie = response.headers["set-cookie"]
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == CALLBACK
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert all(len(asked[name]) == 43 for name in ("state", "nonce", "code_challenge"))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=600" in cookie
    assert SECRET not in response.headers["location"]


@pytest.mark.parametrize("more", [{"public_url": "https://mill.test"}])
async def test_over_https_the_cookie_is_this_hosts_alone(web):
    async with browser_of(web) as (here, _):
        cookie = (await here.get("/auth/oidc/start")).headers["set-cookie"]
    assert re.match(r"__Host-mediamill_flow_[\w-]{16}=", cookie)
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    assert "Domain" not in cookie


ELSEWHERE = (
    "https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:1",
    "evil", "", "/" + "x" * 2400, "/a\r\nset-cookie: a=b",
)  # fmt: skip


async def test_one_goes_on_to_our_own_pages_only(web):
    async with browser_of(web) as (here, there):
        for back in ELSEWHERE:
            page = await here.get("/signin", params={"next": back})
            assert 'href="/auth/oidc/start?next=/"' in page.text, back
            response = await here.get(await answered(here, there, "bea", back))
            assert response.headers["location"] == "/", back


async def client_get(web, path, **options):
    async with client_of(web) as client:
        return await client.get(path, **options)


async def test_several_tabs_at_once(web):
    """Each finishes by itself, in any order; only so many are kept."""
    async with browser_of(web) as (here, there):
        places = ["/jobs/0?a=b&c", "/jobs/1", "/jobs/2"]
        asked = [*places[:2], f"/jobs/2?{'x' * 400}"]  # more than a cookie has room for
        urls = [await answered(here, there, "bea", back) for back in asked]
        for number in (1, 0, 2):
            response = await here.get(urls[number])
            assert response.headers["location"] == places[number]
        assert [name for name in here.cookies if "flow" in name] == []
        for _ in range(20):
            await begun(here)
        assert len([name for name in here.cookies if "flow" in name]) <= 5


async def test_one_server_begins_and_another_finishes(web, mill, tmp_path, issuer):
    async with await App.open(mill.settings) as second, browser_of(web) as (here, there):
        url = await answered(here, there, "bea")
        async with client_of(create_app(second)) as other:
            other.cookies.update(here.cookies)
            assert (await other.get(url)).status_code == 303


@pytest.mark.parametrize("options", [{"admins": "chiefs", "label": "Café"}])
async def test_the_group_of_administrators(web, mill):
    """It gives the role, and takes back only what it gave; who comes first is nobody special."""
    page = await client_get(web, "/signin")
    assert "Sign in with Café" in page.text
    first, _ = await signed_in(web, "bea")
    chief, _ = await signed_in(web, "chief-1")
    assert (first["role"], chief["role"]) == ("user", "admin")
    identity = (await mill.repositories.identities.of(chief["id"])).rows[0]
    demoted = Update(type(identity), (identity.id,), set={"granted": False})
    await mill.store.transact(demoted)  # an administrator by other means keeps the role
    assert (await signed_in(web, "chief-1"))[0]["role"] == "admin"
    beas = (await mill.repositories.identities.of(first["id"])).rows[0]
    await mill.store.transact(
        Update(User, (first["id"],), set={"role": "admin"}),
        Update(type(beas), (beas.id,), set={"granted": True}),
    )
    assert (await signed_in(web, "bea"))[0]["role"] == "user"


async def test_who_has_no_verified_address_has_none_here(web, mill):
    await signed_in(web, "bea")
    told, _ = await signed_in(web, "una")
    assert told["email"] == ""
    assert (await mill.accounts.users.by_email("una@example.org")) is None


async def test_who_is_disabled_stays_out(web, mill):
    told, _ = await signed_in(web, "bea")
    await mill.store.transact(Update(User, (told["id"],), set={"disabled": True}))
    _, response = await signed_in(web, "bea")
    assert response.status_code == 401
    assert "not active" in response.text
    assert SESSION_COOKIE not in response.cookies


@pytest.mark.parametrize("more", [{"registration": False}])
async def test_registration_can_be_closed(web):
    _, response = await signed_in(web, "bea")
    assert response.status_code == 403
    assert "ask the administrator" in response.text


# -- what is refused ------------------------------------------------------------------------------


async def refused(here, url, status=401):
    response = await here.get(url)
    assert response.status_code == status, response.text
    assert SESSION_COOKIE not in here.cookies
    assert 'role="alert"' in response.text
    assert SECRET not in response.text
    return response.text


async def test_an_answer_counts_only_in_the_browser_that_asked(web):
    """Login CSRF: somebody else's answer, code and all, where nothing was begun, or else."""
    async with browser_of(web) as (mine, there), browser_of(web) as (theirs, _):
        url = await answered(mine, there, "bea")
        assert "begin again" in await refused(theirs, url)
        await begun(theirs)  # something, but not this
        await refused(theirs, url)
        own = parse_qs(urlsplit(await begun(theirs)).query)["state"][0]
        text = await refused(theirs, changed(url, state=own))  # the code, in a flow of theirs
        assert "used already" in text or "begin again" in text
        assert (await mine.get(url)).status_code in (303, 401)


CHANGES = (
    {"state": None}, {"state": "x"}, {"state": "A" * 43}, {"iss": "https://evil.example"},
    {"iss": None}, {"code": None}, {"code": "made-up"}, {"code": "x" * 5000},
)  # fmt: skip


async def test_a_changed_answer(web):
    async with browser_of(web) as (here, there):
        for parameters in CHANGES:
            url = await answered(here, there, "bea")
            assert "iss" in parse_qs(urlsplit(url).query)
            await refused(here, changed(url, **parameters))
        url = await answered(here, there, "bea")
        state = parse_qs(urlsplit(url).query)["state"][0]
        await refused(here, changed(url, state=state[:16] + "A" * 27))  # names the same cookie


async def test_an_answer_that_says_something_twice(web):
    async with browser_of(web) as (here, there):
        url = await answered(here, there, "bea")
        await refused(here, f"{url}&code=another")


async def test_a_code_is_good_once(web):
    """Also where the browser kept what it had."""
    async with browser_of(web) as (here, there):
        url = await answered(here, there, "bea")
        kept = {name: value for name, value in here.cookies.items() if "flow" in name}
        assert (await here.get(url)).status_code == 303
        async with client_of(web) as copy:
            copy.cookies.update(kept)
            await refused(copy, url)


async def test_a_flow_is_good_for_ten_minutes_and_only_as_it_was_written(web, mill, monkeypatch):
    async with browser_of(web) as (here, there):
        url = await answered(here, there, "bea")
        (name, value), *_ = [item for item in here.cookies.items() if "flow" in item[0]]
        first = "B" if value[0] == "A" else "A"
        for other in (value[:-4], first + value[1:], value + "A" * 3000, "é", ""):
            async with client_of(web) as copy:
                cookie = f"{name}={other}".encode("latin-1")
                answer = await copy.get(url, headers=[(b"cookie", cookie)])
                assert answer.status_code == 401
        now = mill.clock.now()
        monkeypatch.setattr(type(mill.clock), "now", lambda _: now + 601_000)
        await refused(here, url)


async def test_who_cancels_is_told_so(web):
    async with browser_of(web) as (here, _):
        state = parse_qs(urlsplit(await begun(here)).query)["state"][0]
        said = {"state": state, "error": "access_denied", "error_description": "<b>Pay here</b>"}
        url = f"{CALLBACK}?{urlencode({**said, 'iss': web.state.mill.federation.issuer.issuer})}"
        text = await refused(here, url, 403)
        assert "cancelled" in text
        assert "Pay here" not in text


async def test_an_issuer_that_is_away_is_said_to_be(tmp_path):
    """Who is signed in already, and who has a password, does not notice."""
    url = f"oidc+http://127.0.0.1:{free_port()}?client_id=m&label=Far%20SSO"
    settings = Settings(
        home=tmp_path / "h", store_url="memory:", identity_url=url, slots=1, min_free_bytes=0
    )
    async with await App.open(settings) as mill:
        web = create_app(mill)
        async with person(web, "ann") as ann, client_of(web) as client:
            text = await refused(client, "/auth/oidc/start?next=/trash", 503)
            assert "does not answer" in text
            assert 'href="/auth/oidc/start?next=/trash"' in text
            forged = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.c2ln"
            answer = await client.get("/v1/me", headers={"authorization": f"Bearer {forged}"})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert (await ann.client.get("/v1/me")).status_code == 200


async def test_an_error_that_nobody_asked_for(web):
    async with client_of(web) as client:
        await refused(client, f"{CALLBACK}?state={'A' * 43}&error=access_denied")


async def test_a_session_that_was_planted_is_not_what_one_gets(web):
    """Fixation: whatever the browser had before, the session is a new one."""
    async with person(web, "mallory") as mallory, browser_of(web) as (here, there):
        here.cookies.set(SESSION_COOKIE, mallory.token)
        url = await answered(here, there, "bea")
        response = await here.get(url)
        assert response.cookies[SESSION_COOKIE] != mallory.token
        assert mallory.id != (await me(web, response.cookies[SESSION_COOKIE]))["id"]


async def me(web, token):
    async with client_of(web, authorization=f"Bearer {token}") as client:
        return (await client.get("/v1/me")).json()


@pytest.mark.parametrize("options", [{"client_secret": "not the right one"}])
async def test_a_wrong_client_secret_is_the_operators_to_mend(web):
    async with browser_of(web) as (here, there):
        text = await refused(here, await answered(here, there, "bea"), 500)
        assert "MEDIAMILL_IDENTITY_URL" in text
        assert "not the right one" not in text


# -- linking --------------------------------------------------------------------------------------


@asynccontextmanager
async def at_home(web, name):
    """Somebody with a password, in a browser."""
    async with person(web, name) as found, browser_of(web) as (here, there):
        here.cookies.set(SESSION_COOKIE, found.token)
        yield found, here, there


async def linking(here):
    response = await here.post("/v1/me/identities")
    assert response.status_code == 200, response.text
    return response.json()["url"]


async def test_a_verified_address_opens_nobodys_account(web):
    """Not even that of who has it: it says what to do, and linking does it."""
    async with at_home(web, "bea") as (bea, here, there):
        told, response = await signed_in(web, "bea", "/trash")
        assert response.status_code == 409
        assert "bea@example.org already" in response.text
        assert 'href="/auth/oidc/start?next=/trash"' in response.text
        assert 'data-next="/trash"' in response.text  # the form goes on there too
        assert told["code"] == "unauthenticated"
        answer = await here.get(await approved(there, await linking(here), "bea", CALLBACK))
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        listed = (await here.get("/v1/me/identities")).json()["data"]
        assert [(each["subject"], each["email"]) for each in listed] == [("bea", "bea@example.org")]
    told, response = await signed_in(web, "bea")
    assert (response.status_code, told["id"]) == (303, bea.id)


async def test_linking_ends_where_it_began(web):
    """In the same browser, session and all: nobody links theirs to another's account."""
    async with at_home(web, "ann") as (ann, anns, _), at_home(web, "bob") as (bob, bobs, there):
        url = await approved(there, await linking(bobs), "eve", CALLBACK)
        await refused_but(anns, url, ann.token, 401)  # Bob's link in Ann's browser
        anns.cookies.update({k: v for k, v in bobs.cookies.items() if "flow" in k})
        await refused_but(anns, url, ann.token, 403)  # even with his cookie in it
        for client in (anns, bobs):
            assert (await client.get("/v1/me/identities")).json()["data"] == []
        url = await approved(there, await linking(bobs), "eve", CALLBACK)
        await bobs.post("/v1/auth/logout")
        assert (await bobs.get(url)).status_code == 403  # he has left meanwhile
    assert bob.id


async def refused_but(client, url, token, status):
    response = await client.get(url)
    assert response.status_code == status, response.text
    assert client.cookies[SESSION_COOKIE] == token


async def test_other_sites_and_programs_cannot_begin_to_link(web):
    async with at_home(web, "ann") as (ann, here, _):
        crossing = {"sec-fetch-site": "cross-site"}
        assert (await here.post("/v1/me/identities", headers=crossing)).status_code == 403
        token = (await ann.client.post("/v1/tokens", json={"name": "t"})).json()["token"]
        async with client_of(web, authorization=f"Bearer {token}") as program:
            answer = await program.post("/v1/me/identities")
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_an_identity_is_one_users(web):
    async with at_home(web, "ann") as (_, anns, there), at_home(web, "bob") as (_, bobs, _):
        assert (
            await anns.get(await approved(there, await linking(anns), "eve", CALLBACK))
        ).is_redirect
        url = await approved(there, await linking(bobs), "eve", CALLBACK)
        response = await bobs.get(url)
        assert response.status_code == 409
        assert "another account" in response.text
        assert "not signed in" not in response.text
        url = await approved(there, await linking(anns), "eve", CALLBACK)
        assert (await anns.get(url)).is_redirect  # hers already: all is well


async def test_the_last_way_in_stays(web, mill):
    async with browser_of(web) as (here, there):
        await here.get(await answered(here, there, "bea"))
        (first,) = (await here.get("/v1/me/identities")).json()["data"]
        answer = await here.delete(f"/v1/me/identities/{first['id']}")
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        there.cookies.clear()
        await here.get(await approved(there, await linking(here), "bea-too", CALLBACK))
        listed = (await here.get("/v1/me/identities")).json()["data"]
        assert len(listed) == 2
        assert (await here.delete(f"/v1/me/identities/{first['id']}")).status_code == 204
        assert (await here.delete(f"/v1/me/identities/{first['id']}")).status_code == 404
        (last,) = (await here.get("/v1/me/identities")).json()["data"]
        assert (await here.delete(f"/v1/me/identities/{last['id']}")).status_code == 409


# -- without passwords ----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"passwords": "false"}])
async def test_without_passwords(web, mill):
    page = (await client_get(web, "/signin")).text
    assert 'type="password"' not in page
    assert "Sign in with Example SSO" in page
    body = {"email": "ann@example.org", "password": PASSWORD}
    async with client_of(web) as client:
        for path in ("register", "login"):
            answer = await client.post(f"/v1/auth/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
            assert "Example SSO" in answer.json()["detail"]
        link = {"token": await mill.accounts.sign_in_secret()}  # the operator's way in stays
        assert (await client.post("/v1/auth/redeem", json=link)).status_code == 200


@pytest.mark.parametrize("options", [{"passwords": "false"}])
async def test_without_passwords_a_password_is_no_way_in(web, mill):
    await signed_in(web, "bea")
    async with browser_of(web) as (here, there):
        await here.get(await answered(here, there, "cid"))
        mine = (await here.get("/v1/me")).json()["id"]
        await mill.store.transact(Update(User, (mine,), set={"password": "x"}))
        (one,) = (await here.get("/v1/me/identities")).json()["data"]
        assert (await here.delete(f"/v1/me/identities/{one['id']}")).status_code == 409


# -- leaving, and programs ------------------------------------------------------------------------


async def test_leaving_offers_to_leave_the_issuer_too(web, issuer):
    async with browser_of(web) as (here, there):
        await here.get(await answered(here, there, "bea"))
        assert (await here.post("/v1/auth/logout")).status_code == 204
        assert (await here.get("/v1/me")).status_code == 401
        assert 'href="/auth/oidc/end"' in (await here.get("/signin?left")).text
        assert 'href="/auth/oidc/end"' not in (await here.get("/signin")).text
        onward = (await here.get("/auth/oidc/end")).headers["location"]
        said = parse_qs(urlsplit(onward).query)
        assert onward.startswith(f"{issuer.issuer}/session/end?")
        assert said["post_logout_redirect_uri"] == ["http://mill.test/signin"]
        assert (await there.get(onward)).status_code == 200  # it asks


@pytest.mark.parametrize("options", [{"audience": RESOURCE}])
async def test_a_person_and_their_program_are_one_user(web, issuer):
    """A program of the issuer's, with a token for us that a person gave it; and a fresh one."""
    told, _ = await signed_in(web, "bea")
    verifier = "v" * 43
    back, auth = CALLBACK, ("program", SECRET)
    hashed = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {"client_id": "program", "response_type": "code", "redirect_uri": back, "state": "s",
             "scope": "openid offline_access api", "resource": RESOURCE, "prompt": "consent",
             "code_challenge": hashed, "code_challenge_method": "S256"}  # fmt: skip
    async with httpx.AsyncClient(trust_env=False, verify=False) as there:
        url = await approved(there, f"{issuer.issuer}/auth?{urlencode(asked)}", "bea", back)
        code = parse_qs(urlsplit(url).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back,
                "code_verifier": verifier, "resource": RESOURCE}  # fmt: skip
        tokens = (await there.post(f"{issuer.issuer}/token", data=form, auth=auth)).json()
        again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"],
                 "resource": RESOURCE}  # fmt: skip
        fresh = (await there.post(f"{issuer.issuer}/token", data=again, auth=auth)).json()
    assert tokens["access_token"] != fresh["access_token"]
    for token in (tokens["access_token"], fresh["access_token"]):
        assert (await me(web, token))["id"] == told["id"]
        async with client_of(web, authorization=f"Bearer {token}") as client:
            assert (await client.post("/v1/auth/logout")).status_code == 409
            assert (await client.post("/v1/me/identities")).status_code == 403
            assert (await client.post("/v1/tokens", json={"name": "for ever"})).status_code == 403
    assert (await me(web, tokens["id_token"]))["code"] == "unauthenticated"


async def test_without_an_issuer_there_is_no_way_through_one(tmp_path):
    settings = Settings(home=tmp_path / "h", slots=1, min_free_bytes=0)
    async with await App.open(settings) as mill:
        web = create_app(mill)
        for path in ("start", "callback", "end"):
            assert (await client_get(web, f"/auth/oidc/{path}")).status_code == 404
        assert "/auth/oidc" not in (await client_get(web, "/signin")).text
        async with person(web, "ann") as ann:
            assert (await ann.client.post("/v1/me/identities")).status_code == 409


async def test_a_secret_that_changes_where_it_is_kept_takes_effect(tmp_path, issuer, monkeypatch):
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)
    kept = tmp_path / "secret"
    kept.write_text("of yesterday")
    url = issuer.url(client_secret="HERE").replace("HERE", f"${{file:{kept}}}")
    settings = await read_settings(
        home=tmp_path / "h", store_url="memory:", identity_url=url, slots=1, min_free_bytes=0
    )
    async with await App.open(settings) as mill, browser_of(create_app(mill)) as (here, there):
        answer = await answered(here, there, "bea")
        kept.write_text(SECRET)
        response = await here.get(answer)
        assert response.status_code == 303, response.text


async def test_no_secret_of_a_sign_in_is_logged(web, issuer):
    stream = io.StringIO()
    configure_logging("json", "debug", stream)
    async with browser_of(web) as (here, there):
        url = await answered(here, there, "bea")
        kept = {name: value for name, value in here.cookies.items() if "flow" in name}
        good = await here.get(url)
        session = here.cookies[SESSION_COOKIE]
        here.cookies.update(kept)
        assert (good.status_code, (await here.get(url)).status_code) == (303, 401)
        bearer = {"authorization": "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.c2ln"}
        assert (await here.get("/v1/me", headers=bearer)).status_code == 401
    said = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
    told = stream.getvalue()
    assert '"action": "signed_in"' in told
    assert '"action": "code_refused"' in told
    for secret in (said["code"], said["state"], session, SECRET, *kept.values(), "e30.c2ln"):
        assert secret not in told
