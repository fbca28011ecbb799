"""Static files and pages over the line: kept by tags, compressed, made when the service starts."""

import pytest
from starlette.datastructures import Headers

from mediamill.web.compressing import takes_gzip
from mediamill.web.statics import SHARED, STATIC
from tests.web.conftest import client_of


async def test_a_file_is_sent_once_and_then_asked_about(web):
    async with client_of(web) as client:
        for path in ("/static/api.js", "/static/texts.js", "/static/style.css", "/static/icon.svg"):
            first = await client.get(path)
            assert first.headers["cache-control"] == "no-cache"
            assert first.headers["content-encoding"] == "gzip"
            asked = {"if-none-match": f'W/{first.headers["etag"]}, "other"'}
            again = await client.get(path, headers=asked)
            assert (again.status_code, again.content) == (304, b""), path
            assert again.headers["etag"] == first.headers["etag"]
            plain = await client.get(path, headers={"accept-encoding": "gzip;q=0, br"})
            assert "content-encoding" not in plain.headers
            assert plain.text == first.text
            assert plain.headers["etag"] != first.headers["etag"], "other bytes have another tag"
            assert "accept-encoding" in plain.headers["vary"].lower()
            head = await client.head(path, headers={"accept-encoding": "identity"})
            assert (head.content, head.headers["content-length"]) == (b"", str(len(plain.content)))


async def test_what_is_not_there_is_not_there(web):
    async with client_of(web) as client:
        for path in ("/static/none.js", "/static/", "/static/styles", "/static/..%2fapp.py"):
            assert (await client.get(path)).status_code == 404, path
        assert (await client.post("/static/texts.js")).status_code == 405


async def test_the_style_of_every_page_is_whole(web):
    """A file that nobody joins would be a style that nobody sees."""
    parts = {path.stem for path in (STATIC / "styles" / "shared").glob("*.css")}
    assert parts == set(SHARED)
    async with client_of(web) as client:
        told = (await client.get("/static/style.css")).text
    for name in SHARED:
        assert (STATIC / "styles" / "shared" / f"{name}.css").read_text() in told


async def test_pages_are_compressed_and_data_is_not(web):
    async with client_of(web) as client:
        page = await client.get("/signin", headers={"accept": "text/html"})
        assert page.headers["content-encoding"] == "gzip"
        assert int(page.headers["content-length"]) < len(page.content)
        plain = {"accept": "text/html", "accept-encoding": "identity"}
        assert (await client.get("/signin", headers=plain)).text == page.text
        data = await client.get("/openapi.json")
        assert "content-encoding" not in data.headers


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [("gzip", True), ("br;q=1, GZIP ; q=0.5", True), ("*", True), ("gzip;q=0", False), ("", False)],
)
def test_accept_encoding_is_read(accepted, taken):
    assert takes_gzip(Headers({"accept-encoding": accepted})) is taken


async def test_an_error_that_nobody_expected_is_a_page_for_people(web, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("secret of the machine")

    monkeypatch.setattr("mediamill.web.pages.recovery.page", broken)
    async with client_of(web) as client:
        page = await client.get("/forgot", headers={"accept": "text/html"})
        data = await client.get("/forgot")
    assert (page.status_code, data.status_code) == (500, 500)
    assert "Something broke" in page.text
    assert page.headers["x-request-id"] in page.text
    assert data.json()["code"] == "internal"
    assert "secret of" not in page.text + data.text


async def test_an_error_page_leads_on(web):
    async with client_of(web) as client:
        page = await client.get("/nothing", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert 'href="/signin"' in page.text, "nobody is signed in"
