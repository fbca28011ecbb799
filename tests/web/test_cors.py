"""Which origins' pages may use the API, and with what."""

import itertools

import pytest

from mediamill.core.errors import ConfigurationError
from mediamill.web.app import create_app
from mediamill.web.cors import read_origins
from mediamill.web.security import SESSION_COOKIE
from tests.web.conftest import client_of
from tests.web.test_uploading import PNG

APP = "https://app.example.org"
OTHERS = (
    "https://evil.example", "http://app.example.org", "https://app.example.org:8443", "null",
    "https://app.example.org.evil.example", "https://APP.example.org", "https://app.example.org/",
    "*", "",
)  # fmt: skip
ALLOWED, CREDENTIALS = "access-control-allow-origin", "access-control-allow-credentials"


@pytest.fixture
def shared(mill):
    """The application that lets pages of one origin in."""
    given = mill.settings.model_copy(update={"cors_origins": f"{APP}, http://127.0.0.1:3000"})
    before, mill.settings = mill.settings, given
    yield create_app(mill)
    mill.settings = before


def preflight(method="POST", headers="authorization,content-type", origin=APP):
    return {
        "origin": origin, "access-control-request-method": method,
        "access-control-request-headers": headers, "sec-fetch-site": "cross-site",
    }  # fmt: skip


async def test_an_allowed_page_uploads_resumably_with_a_token(shared, ann):
    async with client_of(shared, origin=APP, **{"sec-fetch-site": "cross-site"}) as page:
        asked = preflight(
            "POST", "authorization,tus-resumable,upload-length,upload-metadata,traceparent"
        )
        told = await page.request("OPTIONS", "/v1/uploads", headers=asked)
        assert (told.status_code, told.headers[ALLOWED]) == (204, APP)
        wanted = told.headers["access-control-allow-headers"].lower().split(", ")
        assert {*asked["access-control-request-headers"].split(","), "upload-offset"} <= {*wanted}
        assert "PATCH" in told.headers["access-control-allow-methods"]
        tus = {"authorization": f"Bearer {ann.token}", "tus-resumable": "1.0.0"}
        made = await page.post("/v1/uploads", headers={**tus, "upload-length": str(len(PNG))})
        assert (made.status_code, made.headers[ALLOWED]) == (201, APP)
        exposed = made.headers["access-control-expose-headers"].lower().split(", ")
        assert {"location", "upload-offset", "tus-resumable", "mediamill-file"} <= {*exposed}
        assert made.headers.get_list("access-control-expose-headers") == [
            made.headers["access-control-expose-headers"]
        ]
        content = {"content-type": "application/offset+octet-stream", "upload-offset": "0"}
        sent = await page.patch(made.headers["location"], headers=tus | content, content=PNG)
        assert sent.status_code == 204
        listed = await page.get("/v1/files", headers=tus)
        assert (listed.status_code, len(listed.json()["data"])) == (200, 1)
        refused = await page.get("/v1/me")
        assert (refused.status_code, refused.headers[ALLOWED]) == (401, APP)
        assert "origin" in refused.headers["vary"].lower()
        for answer in (told, made, sent, listed, refused):
            assert CREDENTIALS not in answer.headers


async def test_no_other_origin_is_named(shared, ann):
    asked = [("OPTIONS", "/v1/files"), ("OPTIONS", "/v1/uploads"), ("GET", "/v1/me")]
    async with client_of(shared, authorization=f"Bearer {ann.token}") as page:
        for origin, (method, path) in itertools.product(OTHERS, asked):
            answer = await page.request(method, path, headers=preflight(origin=origin))
            assert ALLOWED not in answer.headers
            assert CREDENTIALS not in answer.headers
            assert "access-control-allow-headers" not in answer.headers
            assert "origin" in answer.headers["vary"].lower()


async def test_an_allowed_origin_has_no_use_of_a_session(shared, ann):
    async with client_of(shared, origin=APP, **{"sec-fetch-site": "cross-site"}) as page:
        page.cookies.set(SESSION_COOKIE, ann.token)
        answer = await page.post("/v1/tokens", json={"name": "x"})
        assert answer.status_code == 403
        read = await page.get("/v1/me")  # which the browser then does not show the page
        assert CREDENTIALS not in read.headers
        for path in ("/", "/signin", "/health/live", "/static/style.css", "/openapi.json"):
            assert ALLOWED not in (await page.get(path)).headers


async def test_without_the_setting_nobody_is(web, ann):
    async with client_of(web, origin=APP) as page:
        answer = await page.request("OPTIONS", "/v1/files", headers=preflight())
        assert answer.status_code == 405
        assert ALLOWED not in answer.headers
        me = await page.get("/v1/me", headers={"authorization": f"Bearer {ann.token}"})
        assert ALLOWED not in me.headers


def test_the_setting_is_read_strictly():
    assert read_origins("") == frozenset()
    good = "https://a.example http://127.0.0.1:3000,https://[2001:db8::1]:8443"
    assert len(read_origins(good)) == 3
    for wrong in ("*", "https://*.example", "a.example", "https://a.example/", "null",
                  "https://a.example:443", "https://A.example", "https://u@a.example",
                  "https://bücher.example", "ftp://a.example", "https://a.example:x"):  # fmt: skip
        with pytest.raises(ConfigurationError, match="MEDIAMILL_CORS_ORIGINS"):
            read_origins(wrong)
