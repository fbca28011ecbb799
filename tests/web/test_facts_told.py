"""Every fact is told once, whatever way a file came in, as the published schema says; to no other.

A webhook of the owner's shows what is told. What a topic of SNS gets: tests/adapters/events.
"""

import asyncio
import base64
import json
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from mediamill.core.events import CHOSEN, TYPES, schema
from mediamill.engine import worker
from mediamill.engine.announcing import file_event, job_event
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit
from tests.faults import rows as stored
from tests.handlers.files.test_fetch import png
from tests.support.serving import working
from tests.support.sources import file, source
from tests.web.one_service import ann, bob, mill, there, web  # noqa: F401 - fixtures
from tests.web.test_submission import THUMBNAIL, ended, submit, upload
from tests.web.test_uploading import FORM, PNG, form, part
from tests.web.test_webhooks import added

PUBLISHED = Path(__file__).parents[2] / "docs/reference/events.schema.json"
FILE = {
    "id": "file_x", "owner": "user_x", "name": "x", "media_type": "image/png", "size": 1,
    "sha256": "", "crc32": 0, "blob": "b", "created": 1,
}  # fmt: skip
PUBLIC = "https://mill.example.org/base"
SETTINGS = {"poll_seconds": 0.1, "fetch_allow": "127.0.0.1:*", "public_url": PUBLIC}
pytestmark = pytest.mark.asyncio(loop_scope="module")


def told(there, *types):
    """Return the events that came, of some types."""
    events = [got.event for got in there.got]
    return [event for event in events if not types or event["type"] in types]


def check(events):
    """Judge events by the published schema, and that no two facts share an id."""
    assert json.loads(PUBLISHED.read_text()) == schema()
    validator = jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker())
    for event in events:
        validator.validate(event)
        assert {*event} == {"id", "type", "timestamp", "data"}
        for link in event["data"].get("links", {}).values():
            assert link.startswith(f"{PUBLIC}/v1/")
    assert len({event["id"] for event in events}) == len(events)


async def ways_in(ann, outer):
    """Bring a file in by each way; return the ids that were acknowledged."""
    asked = [
        ann.client.post("/v1/files?name=raw.png", content=png(1)),
        ann.client.post("/v1/files", content=form((part("form.png"), png(2))), headers=FORM),
        ann.client.post("/v1/files", json={
            "filename": "b.png", "content_base64": base64.b64encode(png(3)).decode()}),
        ann.client.post("/v1/files", json={"url": outer.url("/a.png")}),
    ]  # fmt: skip
    answers = [await one for one in asked]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 202]
    ids = [answer.json().get("id") or answer.json()["data"][0]["id"] for answer in answers]
    data = png(4)
    tus = {"tus-resumable": "1.0.0", "upload-length": str(len(data))}
    begun = await ann.client.post("/v1/uploads", headers=tus)
    moved = {**tus, "upload-offset": "0", "content-type": "application/offset+octet-stream"}
    await ann.client.patch(begun.headers["location"], content=data, headers=moved)
    return ids


async def test_every_way_in_is_told_once(mill, ann, there):
    await added(ann, there.url())
    async with source(a_png=file(png(5))) as outer, working(mill):
        ids = await ways_in(ann, outer)
        await there.wait(5)
        rows = (await ann.client.get("/v1/files")).json()["data"]
    events = told(there)
    check(events)
    assert Counter(event["type"] for event in events) == {"file.created": 5}
    assert {event["data"]["id"] for event in events} == {row["id"] for row in rows} >= set(ids)
    known = {row["id"]: row for row in rows}
    for event in events:
        data, row = event["data"], known[event["data"]["id"]]
        same = ("name", "media_type", "size", "sha256", "source", "created_at")
        assert {name: data[name] for name in same} == {name: row[name] for name in same}


async def test_the_life_of_a_file_is_told(mill, ann, there):
    await added(ann, there.url())
    async with source() as outer, working(mill):
        made = await upload(ann, "a.png", PNG)
        here = f"/v1/files/{made}"
        for step in (("DELETE", here), ("POST", f"{here}/restore"), ("DELETE", here),
                     ("DELETE", f"{here}?now=true")):  # fmt: skip
            assert (await ann.client.request(*step)).status_code < 300, step
        wrong = await ann.client.post("/v1/files", json={"url": outer.url("/gone.png")})
        await there.wait(6)
    events = told(there)
    check(events)
    life = [event["type"] for event in sorted(events, key=lambda event: event["id"])
            if event["data"]["id"] == made]  # fmt: skip
    assert life == [
        "file.created", "file.deleted", "file.restored", "file.deleted", "file.purged",
    ]  # fmt: skip
    [rejected] = told(there, "file.rejected")
    assert rejected["data"]["id"] == wrong.json()["id"]
    assert rejected["data"]["problem"]["code"] == "fetch_failed"


async def test_many_deleted_at_once_are_told_one_by_one(mill, ann, there):
    files = [await upload(ann, f"{n}.png", png(n)) for n in range(8)]
    await added(ann, there.url())
    body = {"files": files}
    assert (await ann.client.post("/v1/files/delete", json=body)).status_code == 200
    assert (await ann.client.delete("/v1/trash")).status_code == 200
    async with working(mill):
        await there.wait(16)
    check(told(there))
    for type_ in ("file.deleted", "file.purged"):
        assert sorted(e["data"]["id"] for e in told(there, type_)) == sorted(files)


async def test_the_life_of_a_job_is_told(mill, ann, there):
    picture = await upload(ann, "a.png", PNG)
    await added(ann, there.url(), "job.*")
    async with working(mill):
        good = await ended(ann, await submit(ann, files=[picture], name="good"))
        await there.wait(2)
    stopped = (await submit(ann, files=[picture], name="stopped"))["id"]
    assert (await ann.client.post(f"/v1/jobs/{stopped}/cancel")).status_code == 202
    async with working(mill):
        await there.wait(4)
    events = told(there)
    check(events)
    assert [(e["type"], e["data"]["name"]) for e in sorted(events, key=lambda e: e["id"])] == [
        ("job.accepted", "good"), ("job.succeeded", "good"),
        ("job.accepted", "stopped"), ("job.cancelled", "stopped"),
    ]  # fmt: skip
    [end] = told(there, "job.succeeded")
    data = end["data"]
    assert data["id"] == good["id"]
    assert (data["state"], data["items"], data["counts"]["succeeded"]) == ("succeeded", 1, 1)
    assert data["steps"] == [step["operation"] for step in THUMBNAIL]
    assert data["finished_at"] == end["timestamp"] == good["finished_at"]
    for name, link in data["links"].items():
        answer = await ann.client.get(link.removeprefix(PUBLIC))
        assert answer.status_code == 200, name


async def test_what_fails_is_told_and_that_it_is_tried_again(mill, ann, there):
    """In part and whole; a retry is accepted anew, and has an end of its own."""
    picture = await upload(ann, "a.png", PNG)
    short = await upload(ann, "b.png", png(7))
    row = await mill.store.get(File, short)
    await mill.blobs.put(row.blob, b"\x89PNG no more")
    await added(ann, there.url(), "job.*")
    async with working(mill):
        part = await ended(ann, await submit(ann, files=[picture, short], name="part"))
        none = await ended(ann, await submit(ann, files=[short], name="none"))
        await there.wait(4)
        again = await ann.client.post(f"/v1/jobs/{none['id']}/retry")
        assert again.status_code < 300, again.text
        await there.wait(6)
    events = sorted(told(there), key=lambda event: event["id"])
    check(events)
    assert [(e["type"], e["data"]["name"], e["data"]["generation"]) for e in events] == [
        ("job.accepted", "part", 1), ("job.partial", "part", 1),
        ("job.accepted", "none", 1), ("job.failed", "none", 1),
        ("job.accepted", "none", 2), ("job.failed", "none", 2),
    ]  # fmt: skip
    counts = events[1]["data"]["counts"]
    assert (part["state"], counts["succeeded"], counts["failed"]) == ("partial", 1, 1)


async def test_each_generation_of_a_job_has_an_end_of_its_own(mill, ann):
    """Ended in the same millisecond by the same name, they are two facts; told again, it is one."""
    picture = await upload(ann, "a.png", PNG)
    row = await mill.repositories.jobs.need((await submit(ann, files=[picture]))["id"])
    ends = [job_event("job.failed", row.evolve(generation=n), 1) for n in (1, 2, 2)]
    assert ends[0]["id"] != ends[1]["id"] == ends[2]["id"]
    assert [end["data"]["generation"] for end in ends] == [1, 2, 2]
    changed = file_event("file.deleted", File(**FILE, revision=1), 1)
    assert changed["id"] != file_event("file.deleted", File(**FILE, revision=2), 1)["id"]


async def test_nothing_is_written_when_nobody_listens(mill, ann, bob, there):
    """Not of her who has no webhook, though somebody else has one."""
    await added(bob, there.url())
    hook = await added(ann, there.url())
    assert (await ann.client.delete(f"/v1/webhooks/{hook['id']}")).status_code == 204
    made = await upload(ann, "a.png", PNG)
    await ann.client.delete(f"/v1/files/{made}")
    units = stored.rows(mill.settings.store_url, Unit)["units"]
    assert [row for row in units if made in str(row) and "notify" in row] == []
    theirs = await upload(bob, "b.png", PNG)
    async with working(mill):
        await there.wait(1)
        await asyncio.sleep(0.2)
    assert [event["data"]["id"] for event in told(there)] == [theirs]


async def test_a_fact_that_was_not_written_is_not_told(mill, ann, there):
    await added(ann, there.url())
    assert (await ann.client.post("/v1/files?name=x.png", content=b"")).status_code == 422
    assert (await ann.client.delete("/v1/files/file_none")).status_code == 404
    made = await upload(ann, "a.png", PNG)
    both = (ann.client.delete(f"/v1/files/{made}") for _ in range(6))
    assert sorted(a.status_code for a in await asyncio.gather(*both)) == [204] + [404] * 5
    async with working(mill):
        await there.wait(2)
        await asyncio.sleep(0.2)
    assert [event["type"] for event in told(there)] == ["file.created", "file.deleted"]


async def test_every_type_is_published_and_one_that_is_not_is_noticed():
    assert {*TYPES} == {*CHOSEN, "webhook.test"}
    assert len(CHOSEN) == 12
    wrong = {"id": "evt_x", "type": "file.moved", "timestamp": "now", "data": {}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema())


async def test_a_job_that_is_removed_at_once_has_its_end_told(mill, ann, there, monkeypatch):
    """Its rows go only when the announcement, which is one of them, has gone out."""
    picture = await upload(ann, "a.png", PNG)
    await added(ann, there.url(), "job.succeeded")
    monkeypatch.setattr(worker, "NOTICES", 0)
    async with working(mill):
        job = await ended(ann, await submit(ann, files=[picture]))
        await ann.client.delete(f"/v1/jobs/{job['id']}?now=true")
        await asyncio.sleep(0.5)
    monkeypatch.undo()
    assert there.got == []
    async with working(mill):
        await there.wait(1)
        async with asyncio.timeout(60):
            while await mill.repositories.jobs.get(job["id"]):
                await asyncio.sleep(0.05)
    assert [event["data"]["id"] for event in told(there)] == [job["id"]]
