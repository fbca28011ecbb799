"""`POST /v1/files {"url": …}` over HTTP."""

import asyncio
import hashlib

import pytest

from tests.handlers.files.test_fetch import ENDED, mill_at, png, working
from tests.support.sources import file, source


@pytest.fixture
async def mill(tmp_path):
    async with mill_at(tmp_path) as app:
        yield app


async def shown(ann, here):
    async with asyncio.timeout(60):
        while (row := (await ann.client.get(here)).json())["state"] not in ENDED:
            await asyncio.sleep(0.02)
    return row


async def test_an_address_is_accepted_listed_and_fetched(mill, ann, bob):
    data = png(1000)
    project = (await ann.client.post("/v1/projects", json={"name": "pictures"})).json()["id"]
    async with source(a_png=file(data)) as outer:
        body = {"url": outer.url("/a.png?k=secret"), "tags": ["web"], "project": project}
        answer = await ann.client.post("/v1/files", json=body)
        assert answer.status_code == 202, answer.text
        row, here = answer.json(), answer.headers["location"]
        assert here == f"/v1/files/{row['id']}"
        assert (row["state"], row["source"], row["tags"]) == ("receiving", "import", ["web"])
        assert (await bob.client.get(here)).status_code == 404
        assert (await ann.client.get(f"{here}/content")).status_code in (404, 409)
        listed = (await ann.client.get("/v1/files", params={"source": "import"})).json()["data"]
        assert [each["id"] for each in listed] == [row["id"]]
        async with working(mill):
            row = await shown(ann, here)
    assert (row["state"], row["name"], row["size"]) == ("ready", "a.png", len(data))
    assert row["sha256"] == hashlib.sha256(data).hexdigest()
    assert row["lineage"] == {"origin": outer.url("/a.png")}
    assert (await ann.client.get(f"{here}/content")).content == data
    members = (await ann.client.get(f"/v1/projects/{project}/files")).json()["data"]
    assert [each["id"] for each in members] == [row["id"]]


async def test_a_rejected_one_says_why(mill, ann):
    async with source() as outer:
        here = (await ann.client.post("/v1/files", json={"url": outer.url("/gone")})).headers
        async with working(mill):
            row = await shown(ann, here["location"])
    assert (row["state"], row["code"]) == ("rejected", "fetch_failed")
    assert "404" in row["error"]
    assert (await ann.client.delete(here["location"])).status_code == 204


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "address_refused"),
        ("http://[::ffff:10.0.0.1]/", "address_refused"),
        ("http://localhost:8750/v1/files", "address_refused"),
        ("file:///etc/passwd", "address_refused"),
        ("http://me:pw@example.org/", "address_refused"),
        ("gopher://example.org/", "address_refused"),
    ],
)
async def test_what_may_not_be_asked_is_refused_at_once(mill, ann, url, code):
    mill.parts.fetcher.guard.allowed = ()
    answer = await ann.client.post("/v1/files", json={"url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await ann.client.get("/v1/files")).json()["data"] == []


async def test_one_of_bytes_and_address(mill, ann):
    for body in ({}, {"url": "https://example.org/x", "content_base64": "eA=="}):
        assert (await ann.client.post("/v1/files", json=body)).status_code == 422
