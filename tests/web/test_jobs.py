"""Jobs over HTTP, with a worker beside: submit, follow, read, download."""

import asyncio
import io
import json
import zipfile

import pytest

from mediamill.web.events import beating
from tests.support.places import everywhere
from tests.support.serving import working
from tests.web.test_uploading import PNG


@pytest.fixture
async def worker(mill):
    async with working(mill):
        yield


@pytest.fixture
async def job(ann):
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()
    body = {"files": [file["id"]], "steps": [{"operation": "thumbnail"}], "name": "dots"}
    response = await ann.client.post("/v1/jobs", json=body)
    assert response.status_code == 202, response.text
    assert response.headers["location"] == f"/v1/jobs/{response.json()['id']}"
    return response.json()


@everywhere
async def test_a_job_from_start_to_download(ann, job, worker):
    here = f"/v1/jobs/{job['id']}"
    ended = (await ann.client.get(here, params={"wait": 30}, timeout=40)).json()
    assert (ended["state"], ended["counts"]["succeeded"]) == ("succeeded", 1), ended
    assert ended["progress"]["fraction"] == 1
    result = (await ann.client.get(f"{here}/results")).json()["data"][0]
    file = await ann.client.get(result["files"][0]["url"])
    assert file.headers["content-type"] == "image/jpeg"
    download = await ann.client.get(f"{here}/download")
    assert len(download.content) == ended["download"]["size"]
    assert download.headers["etag"] == f'"{ended["download"]["etag"]}"'
    with zipfile.ZipFile(io.BytesIO(download.content)) as archive:
        assert archive.testzip() is None
        assert any(name.endswith(".jpg") for name in archive.namelist())
    half = len(download.content) // 2
    rest = await ann.client.get(f"{here}/download", headers={"range": f"bytes={half}-"})
    assert rest.content == download.content[half:]


async def test_events_until_the_end_and_no_more_after_it(ann, job, worker):
    here = f"/v1/jobs/{job['id']}/events"
    response = await ann.client.get(here, timeout=40)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [block.splitlines() for block in response.text.split("\n\n") if "data:" in block]
    last = json.loads(events[-1][2].removeprefix("data: "))
    assert last["state"] == "succeeded"
    assert events[-1][1] == f"id: {last['revision']}-1000"
    again = await ann.client.get(here, headers={"last-event-id": f"{last['revision']}-1000"})
    assert again.status_code == 204


async def test_before_its_end_there_is_no_download(ann, job):
    response = await ann.client.get(f"/v1/jobs/{job['id']}/download")
    assert response.status_code == 409
    assert response.json()["details"]["state"] == "running"


@everywhere
async def test_cancel_and_delete(ann, job, worker):
    here = f"/v1/jobs/{job['id']}"
    await ann.client.get(here, params={"wait": 30}, timeout=40)
    assert (await ann.client.post(f"{here}/cancel")).status_code == 409
    assert (await ann.client.post(f"{here}/retry")).status_code == 409
    assert (await ann.client.delete(here)).status_code == 204
    assert (await ann.client.get(here)).status_code == 404


async def test_lists_go_page_by_page(ann, job):
    for _ in range(4):
        await ann.client.post("/v1/files?name=dot.png", content=PNG)
    seen, after = [], None
    while True:
        query = {"limit": 2, **({"after": after} if after else {})}
        page = (await ann.client.get("/v1/files", params=query)).json()
        seen += [file["id"] for file in page["data"]]
        after = page["after"]
        assert page["has_more"] is (after is not None)
        if after is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 5


async def test_beats_while_nothing_happens():
    go_on, found = asyncio.Event(), []

    async def slow():
        yield 1
        await go_on.wait()
        yield 2

    async for value in beating(slow(), 0.01):
        found.append(value)
        if 1 in found and found[-2:] == [None, None]:
            go_on.set()
    assert [value for value in found if value] == [1, 2]


async def test_leaving_closes_the_source():
    closed = asyncio.Event()

    async def endless():
        try:
            while True:
                yield 1
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    source = beating(endless(), 0.1)
    await anext(source)
    await source.aclose()
    assert closed.is_set()


async def test_metrics_count_by_template(ann, job, place):
    text = (await ann.client.get("/metrics")).text
    line = 'mediamill_http_requests_total{method="POST",route="/v1/jobs",status="202"} 1.0'
    assert line in text
    assert f"mediamill_upload_bytes_total {float(len(PNG))}" in text
    assert ("mediamill_blobs_free_bytes" in text) is (place.blobs == "file")  # or unbounded
    for address in ("/v1/jobs/job_1", "/v1/jobs/job_2", "/invented/1", "/invented/2"):
        await ann.client.get(address)
    text = (await ann.client.get("/metrics")).text
    assert "invented" not in text
    assert "job_1" not in text


async def test_the_published_description(nobody):
    document = (await nobody.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    ids = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len(ids) == len(set(ids))
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in document["components"]["schemas"], reference
    assert "HTTPValidationError" not in text
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert "default" in operation["responses"], (path, method)
