"""S15 and S5: who may make a browser change something, and when a session is over."""

import itertools
import re
from urllib.parse import quote

import pytest
from starlette.responses import Response
from starlette.routing import Route

from mediamill.core.clock import DAY
from mediamill.web.pages.errors import DATA_PATHS
from mediamill.web.security import SESSION_COOKIE
from tests.web.conftest import PASSWORD, client_of
from tests.web.test_strangers import fill, routes

HERE = "http://mill.test"
IDS = {"token_id": "token_1", "file_id": "file_1", "job_id": "job_1"}


def changes(route):
    return not route.startswith(("GET", "HEAD", "OPTIONS"))


FOREIGN = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "cross-site", "origin": HERE},
    {"sec-fetch-site": "", "origin": HERE},
    {"origin": "https://evil.example"},
    {"origin": "https://mill.test"},
    {"origin": "http://mill.test:8080"},
    {"origin": "http://mill.test.evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"referer": f"{HERE}/"},
    {},
)
"""What a browser sends with a request that another site had it make, of now and of old."""
FORM = b'--b\r\ncontent-disposition: form-data; name="name"\r\n\r\nx\r\n--b--\r\n'
SIMPLE = (
    ("application/x-www-form-urlencoded", b"name=x"),
    ("text/plain", b'{"name": "x"}'),
    ("multipart/form-data; boundary=b", FORM),
    ("application/json", b'{"name": "x"}'),
    ("", b""),
)  # fmt: skip
"""Bodies that a form or a script of another site can send; the last but one after a preflight."""


def mutations(web):
    found = sorted(filter(changes, routes(web)))
    assert len(found) > 80
    return found


async def refused(web, ann, asked):
    """Ask with Ann's session, as a browser does for another site; see that nothing is done."""
    before = (await ann.client.get("/v1/me")).json()
    bodies = itertools.cycle(SIMPLE)
    async with client_of(web) as client:
        client.cookies.set(SESSION_COOKIE, ann.token)
        for headers, route in asked:
            method, path = fill(route, IDS)
            kind, body = next(bodies)
            sent = headers | {"content-type": kind} if kind else headers
            response = await client.request(method, path, content=body, headers=sent)
            assert response.status_code == 403, (route, headers, kind, response.status_code)
            if not path.startswith("/unsubscribe"):
                assert response.json()["code"] == "forbidden"
    assert (await ann.client.get("/v1/me")).json() == before
    assert (await ann.client.get("/v1/tokens")).json()["data"] == []


async def test_s15_other_sites_change_nothing(web, ann):
    """Every route that changes something, with three kinds of foreign requests, a body each."""
    kinds = itertools.cycle(FOREIGN)
    await refused(web, ann, ((next(kinds), route) for route in mutations(web) * 3))


@pytest.mark.soak
async def test_s15_other_sites_change_nothing_whole(web, ann):
    await refused(web, ann, itertools.product(FOREIGN, mutations(web)))


async def test_s15_each_kind_of_request_and_body(web, ann):
    asked = itertools.product(FOREIGN, ["POST /v1/tokens"] * len(SIMPLE))
    await refused(web, ann, asked)


async def test_a_route_that_forgets_to_ask_is_noticed(web, ann):
    async def careless(request):
        return Response(status_code=204)

    web.router.routes.insert(0, Route("/v1/tokens", careless, methods=["POST"]))
    with pytest.raises(AssertionError, match="204"):
        await refused(web, ann, [({"origin": "null"}, "POST /v1/tokens")])


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "same-origin"}, {"origin": HERE}])
async def test_our_own_pages_do(web, ann, headers):
    async with client_of(web, **headers) as client:
        client.cookies.set(SESSION_COOKIE, ann.token)
        assert (await client.post("/v1/tokens", json={"name": "x"})).status_code == 201


async def test_the_session_is_a_cookie_that_scripts_and_other_sites_cannot_use(ann, nobody):
    body = {"email": ann.email, "password": PASSWORD}
    response = await nobody.post("/v1/auth/login", json=body)
    cookie = response.headers["set-cookie"].lower()
    for needed in ("httponly", "samesite=lax", "path=/", f"max-age={14 * DAY // 1000}"):
        assert needed in cookie
    assert "secure" not in cookie
    assert (await nobody.get("/v1/me")).json()["email"] == ann.email


async def test_behind_https_the_cookie_is_secure(mill, web, ann):
    async with client_of(web, **{"sec-fetch-site": "same-origin"}) as client:
        client.base_url = "https://mill.test"
        body = {"email": ann.email, "password": PASSWORD}
        response = await client.post("/v1/auth/login", json=body)
        cookie = response.headers["set-cookie"]
        assert (await client.get("/v1/me")).json()["email"] == ann.email
        left = await client.post("/v1/auth/logout")
        assert (await client.get("/v1/me")).status_code == 401
    for told in (cookie, left.headers["set-cookie"]):  # else the browser takes neither
        assert told.startswith(f"__Host-{SESSION_COOKIE}=")
        assert "; Secure" in told
        assert "Path=/;" in told
        assert "Domain" not in told
    assert "Max-Age=0" in left.headers["set-cookie"]


async def test_behind_https_a_session_that_another_host_planted_is_not_taken(mill, web, ann):
    """A sibling domain can set `mediamill_session` for all of the domain, not `__Host-…`."""
    async with client_of(web) as client:
        client.base_url = "https://mill.test"
        client.cookies.set(SESSION_COOKIE, ann.token)
        assert (await client.get("/v1/me")).status_code == 401
        client.cookies.set(f"__Host-{SESSION_COOKIE}", ann.token)
        assert (await client.get("/v1/me")).json()["id"] == ann.id


async def test_a_session_ends_at_once(nobody, ann):
    assert (await ann.client.post("/v1/auth/logout")).status_code == 204
    assert (await ann.client.get("/v1/me")).status_code == 401
    nobody.cookies.set(SESSION_COOKIE, ann.token)
    page = await nobody.get("/", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/signin?next=/")
    chosen = f"/jobs/new?files={','.join(['file_01KAHRQPV0V3E3M2X5E2C8T2QG'] * 50)}&tag=a%20b"
    page = await nobody.get(chosen, headers={"accept": "text/html"})
    assert page.headers["location"] == f"/signin?next={quote(chosen, safe='/')}"
    page = await nobody.get(f"{chosen}{'x' * 2000}", headers={"accept": "text/html"})
    assert page.headers["location"] == "/signin?next=/jobs/new"


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", "Token x", "Bearer ä"])
async def test_credentials_that_are_none(nobody, ann, value):
    """A header goes before the cookie, so that a wrong token is not hidden by a good session."""
    nobody.cookies.set(SESSION_COOKIE, ann.token)
    response = await nobody.get("/v1/me", headers={"authorization": value.encode()})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


async def test_every_answer_has_its_headers(ann, nobody):
    for client, path in (
        (ann.client, "/"), (ann.client, "/v1/me"), (nobody, "/signin"), (nobody, "/docs"),
        (nobody, "/nothing"), (nobody, "/static/style.css"), (nobody, "/health/live"),
    ):  # fmt: skip
        response = await client.get(path, headers={"accept": "text/html"})
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["x-request-id"].startswith("req_")
        assert "strict-transport-security" not in response.headers


async def test_only_over_https_is_https_demanded(web):
    async with client_of(web) as client:
        for scheme, told in (("https", "max-age=31536000"), ("http", None)):
            for path in ("/signin", "/health/live", "/nothing"):
                answer = await client.get(f"{scheme}://mill.test{path}")
                assert answer.headers.get("strict-transport-security") == told


async def test_every_page_holds_no_inline_script_or_style(web, admin):
    """All pages that name no record; those that do are made of the same parts."""
    paths = sorted(route.partition(" ")[2] for route in routes(web) if route.startswith("GET /"))
    pages = [path for path in paths if "{" not in path and not path.startswith(DATA_PATHS)]
    assert {"/", "/signin", "/webhooks", "/models", "/account"} <= {*pages}
    for path in pages:
        answer = await admin.client.get(path, headers={"accept": "text/html"})
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        policy, text = answer.headers["content-security-policy"], answer.text
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "<style" not in text
        assert not re.search(r"\s(style|on[a-z]+)=", re.sub(r">[^<]*<", "><", text)), path
        assert text.count("<script") == text.count('<script type="module" src="/static/'), path


async def test_names_are_text_in_pages(ann):
    from tests.web.test_uploading import PNG

    name = "<img src=x onerror=alert(1)>.png"
    made = await ann.client.post("/v1/files", params={"name": name}, content=PNG)
    page = await ann.client.get(f"/files/{made.json()['id']}", headers={"accept": "text/html"})
    text = page.text
    assert "<img src=x" not in text
    assert "onerror=alert" in text


async def test_the_one_time_link_page_spends_nothing(mill, nobody):
    secret = await mill.accounts.sign_in_secret()
    for _ in range(3):
        assert (await nobody.get(f"/signin?token={secret}")).status_code == 200
    assert (await nobody.post("/v1/auth/redeem", json={"token": secret})).status_code == 200
    nobody.cookies.clear()
    assert (await nobody.post("/v1/auth/redeem", json={"token": secret})).status_code == 401
