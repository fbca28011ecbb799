"""The trash of jobs: hidden at once, back for a day, then gone."""

import asyncio

import pytest

from mediamill.core.clock import DAY
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.units import Lane, Unit
from tests.support.places import everywhere
from tests.web.test_events import working
from tests.web.test_uploading import PNG


@pytest.fixture
async def file(ann):
    return (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]


async def submitted(ann, file, name=""):
    body = {"files": [file], "steps": [{"operation": "thumbnail"}], "name": name}
    return (await ann.client.post("/v1/jobs", json=body)).json()["id"]


async def listed(ann, **query):
    return [job["id"] for job in (await ann.client.get("/v1/jobs", params=query)).json()["data"]]


async def purge_unit(mill, job):
    return (await mill.repositories.units.of_group(f"purge:{job}"))[-1]


async def due_now(mill, job):
    """Let a day pass for the job's purge."""
    unit = await purge_unit(mill, job)
    assert 0 <= unit.due - unit.created - DAY < 1000
    served = {"active": unit.klass, "parked": None, "wake": None}
    await mill.store.transact(
        Update(Unit, unit.key_values(), set={"due": unit.created}),
        Update(Lane, (unit.klass, unit.owner), set=served, add={"epoch": 1}),
    )


async def gone(mill, job):
    async with asyncio.timeout(60):
        while await mill.repositories.jobs.get(job) is not None:
            await asyncio.sleep(0.02)


@everywhere
async def test_deleted_restored_deleted_purged(mill, ann, bob, file):
    job = await submitted(ann, file)
    here = f"/v1/jobs/{job}"
    async with working(mill):
        await ann.client.get(here, params={"wait": 20}, timeout=30)
        result = (await ann.client.get(f"{here}/results")).json()["data"][0]["files"][0]
        assert (await ann.client.delete(here)).status_code == 204
        for path in (here, f"{here}/download", f"{here}/results.jsonl", result["url"]):
            assert (await ann.client.get(path)).status_code == 404
        assert (await ann.client.delete(here)).status_code == 404
        assert await listed(ann) == []
        trash = (await ann.client.get("/v1/jobs?state=trashed")).json()["data"]
        assert [row["id"] for row in trash] == [job]
        assert trash[0]["deleted_at"]
        assert await listed(bob, state="trashed") == []
        assert (await bob.client.post(f"{here}/restore")).status_code == 404

        assert (await ann.client.post(f"{here}/restore")).json()["state"] == "succeeded"
        assert (await ann.client.post(f"{here}/restore")).status_code == 200
        assert (await ann.client.get(result["url"])).status_code == 200
        assert await listed(ann) == [job]
        assert await listed(ann, state="trashed") == []

        first = await purge_unit(mill, job)
        await due_now(mill, job)  # of the deletion that was undone
        async with asyncio.timeout(60):
            while await mill.repositories.units.get(*first.key_values()) is not None:
                await asyncio.sleep(0.05)
        assert await listed(ann) == [job]

        await ann.client.delete(here)
        await due_now(mill, job)
        await gone(mill, job)
        assert (await ann.client.post(f"{here}/restore")).status_code == 404
        assert [blob.key async for blob in mill.results.list("results/")] == []
        assert await mill.repositories.units.of_group(f"purge:{job}") == ()


async def test_what_is_being_removed_does_not_come_back(mill, ann, file):
    job = await submitted(ann, file)
    await ann.client.delete(f"/v1/jobs/{job}")
    deleted = (await mill.repositories.jobs.get(job)).deleted
    same = (Equals("deleted", deleted),)
    await mill.store.transact(Update(Job, (job,), set={"trash": None}, when=same))
    again = await ann.client.delete(f"/v1/jobs/{job}", params={"now": True})
    assert again.status_code == 404  # and does not put it back into the trash
    refused = await ann.client.post(f"/v1/jobs/{job}/restore")
    assert (refused.status_code, refused.json()["details"]["state"]) == (409, "purging")
    assert await listed(ann, state="trashed") == []


async def test_a_running_job_is_cancelled_and_can_be_had_back(mill, ann, file):
    job = await submitted(ann, file)
    await ann.client.delete(f"/v1/jobs/{job}")
    async with working(mill):
        await ann.client.post(f"/v1/jobs/{job}/restore")
        ended = await ann.client.get(f"/v1/jobs/{job}", params={"wait": 20}, timeout=30)
    assert ended.json()["state"] == "cancelled"


async def test_at_once(mill, ann, file):
    first, second = await submitted(ann, file), await submitted(ann, file)
    await ann.client.delete(f"/v1/jobs/{first}")
    for job in (first, second):  # one of them from the trash
        assert (await ann.client.delete(f"/v1/jobs/{job}?now=true")).status_code == 204
    async with working(mill):
        await gone(mill, first)
        await gone(mill, second)


async def test_lists_by_state_and_name(mill, ann, file, monkeypatch):
    done = [await submitted(ann, file, name) for name in ("Alpha one", "beta", "ALPHA two")]
    async with working(mill):
        for job in done:
            await ann.client.get(f"/v1/jobs/{job}", params={"wait": 20}, timeout=30)
    waiting = await submitted(ann, file, "alpha three")
    assert await listed(ann, state="succeeded") == done[::-1]
    assert await listed(ann, state="running") == [waiting]
    assert await listed(ann, state="unfinished") == [waiting]
    assert await listed(ann, state="unfinished", name="beta") == []
    assert await listed(ann, operation="thumbnail", name="beta") == [done[1]]
    assert await listed(ann, operation="caption") == []
    assert await listed(ann, name="alpha") == [waiting, done[2], done[0]]
    assert await listed(ann, name="alpha", state="succeeded") == [done[2], done[0]]
    monkeypatch.setattr("mediamill.services.jobs.service.PAGES_LOOKED_AT", 2)
    assert await listed(ann, name="beta", limit=1) == [done[1]], "a small page looks as far"
    seen, after = [], {}
    while True:
        page = (await ann.client.get("/v1/jobs", params={"name": "a", "limit": 1, **after})).json()
        seen += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["after"]}
    assert seen == [waiting, *done[::-1]]
    assert (await ann.client.get("/v1/jobs?state=odd")).status_code == 422
