"""Server-sent events of one job and of all: ids, resumption, many listeners, what stops them."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import pytest

from mediamill.core.errors import NotFound, Unavailable
from mediamill.services.jobs import watching
from mediamill.services.jobs.looks import JobLook, Snapshot
from mediamill.store.port import Update
from mediamill.store.repositories.jobs import Job, JobState
from mediamill.web import events
from tests.support.serving import working
from tests.web.test_uploading import PNG


@dataclass
class Heard:
    kind: str = "message"
    id: str = ""
    data: dict = field(default_factory=dict)


class Stream:
    """One listener on the application itself, as the server would call it."""

    def __init__(self, web, person, path, last=""):
        self.heard: list[Heard] = []
        self.text, self.status, self._gone = "", 0, asyncio.Event()
        headers = [(b"host", b"mill.test"), (b"authorization", f"Bearer {person.token}".encode())]
        if last:
            headers.append((b"last-event-id", last.encode()))
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": headers, "scheme": "http", "http_version": "1.1",
            "server": ("mill.test", 80), "client": ("127.0.0.1", 1), "root_path": "",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }  # fmt: skip
        self._sent = False
        self.task = asyncio.ensure_future(web(scope, self._receive, self._send))

    async def _receive(self):
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self.text += message.get("body", b"").decode()
        *blocks, self.text = self.text.split("\n\n")
        self.heard += [event for block in blocks if (event := parsed(block)) is not None]

    async def until(self, wanted, seconds=60):
        """Wait until some event is as wanted, and return it."""
        async with asyncio.timeout(seconds):
            while True:
                if found := next((one for one in self.heard if wanted(one)), None):
                    return found
                await asyncio.sleep(0.01)

    @property
    def last_id(self):
        return next((one.id for one in reversed(self.heard) if one.id), "")

    async def leave(self):
        self._gone.set()
        await asyncio.wait_for(self.task, 60)


def parsed(block):
    lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
    if "data" not in lines and "id" not in lines:
        return None
    data = json.loads(lines.get("data", "{}"))
    return Heard(lines.get("event", "message"), lines.get("id", ""), data)


@asynccontextmanager
async def listening(web, person, path, last=""):
    stream = Stream(web, person, path, last)
    try:
        yield stream
    finally:
        await stream.leave()


@pytest.fixture
async def file(ann):
    return (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]


async def submitted(ann, file, name=""):
    body = {"files": [file], "steps": [{"operation": "thumbnail"}], "name": name}
    response = await ann.client.post("/v1/jobs", json=body)
    assert response.status_code == 202, response.text
    return response.json()["id"]


def ended(job):
    return lambda one: one.data.get("id") == job and one.data.get("finished_at")


# -- one job ------------------------------------------------------------------------------------


async def test_nothing_is_sent_again_that_was_seen(mill, web, ann, file):
    job = await submitted(ann, file)
    path = f"/v1/jobs/{job}/events"
    async with listening(web, ann, path) as first:
        seen = await first.until(lambda one: one.kind == "job")
        assert seen.id.endswith("-0")
        assert seen.data["progress"]["queue_position"] == 0
    async with listening(web, ann, path, seen.id) as second:
        await asyncio.sleep(1.3)
        assert second.heard == []
        async with working(mill):
            last = await second.until(ended(job))
        await asyncio.wait_for(second.task, 60)
    assert last.id.endswith("-1000")
    async with listening(web, ann, path, last.id) as third:
        await asyncio.wait_for(third.task, 60)
        assert third.status == 204
    async with listening(web, ann, path, "0-0") as fourth:
        await asyncio.wait_for(fourth.task, 60)
        assert [one.id for one in fourth.heard] == [last.id]


async def test_the_id_tells_progress_too(mill, ann, file):
    job = await mill.repositories.jobs.get(await submitted(ann, file))
    progress = await mill.jobs.progress(job)
    assert Snapshot(job, progress).id == f"{job.revision}-0"
    unit = (await mill.repositories.units.of_group(job.id))[0]
    changes = {"progress": 0.25, "started": await mill.store.now()}
    await mill.store.transact(Update(type(unit), unit.key_values(), set=changes))
    assert Snapshot(job, await mill.jobs.progress(job)).id == f"{job.revision}-250"


async def test_fifty_listeners_make_one_look_a_second(mill, web, ann, file, monkeypatch):
    job = await submitted(ann, file)
    looks, real = [], JobLook.look

    async def counted(self):
        looks.append(self.id)
        return await real(self)

    monkeypatch.setattr(JobLook, "look", counted)
    reads, get = [], mill.store.get_many

    async def reading(kind, keys):
        reads.extend([kind] * (kind is Job))
        return await get(kind, keys)

    monkeypatch.setattr(mill.store, "get_many", reading)
    one = mill.store.get

    async def reading_one(kind, *key):
        reads.extend([kind] * (kind is Job))
        return await one(kind, *key)

    monkeypatch.setattr(mill.store, "get", reading_one)
    streams = [Stream(web, ann, f"/v1/jobs/{job}/events") for _ in range(50)]
    for stream in streams:
        await stream.until(lambda one: one.kind == "job")
    looks.clear()
    reads.clear()
    began = monotonic()
    async with asyncio.timeout(60):
        while len(looks) < 2:
            await asyncio.sleep(0.1)
    most = (monotonic() - began) / watching.LOOK_SECONDS + 2
    assert len(looks) <= most
    assert len(reads) <= most
    for stream in streams:
        await stream.leave()
    assert mill.watching._watches == {}


async def test_a_job_that_is_deleted_ends_its_stream(web, ann, file):
    job = await submitted(ann, file)
    async with listening(web, ann, f"/v1/jobs/{job}/events") as stream:
        await stream.until(lambda one: one.kind == "job")
        await ann.client.delete(f"/v1/jobs/{job}")
        await stream.until(lambda one: one.kind == "gone")
        await asyncio.wait_for(stream.task, 60)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/jobs/{job}/events"])
async def test_the_end_of_a_session_ends_its_streams(web, ann, file, path, monkeypatch):
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.2)
    job = await submitted(ann, file)
    async with listening(web, ann, path.replace("{job}", job)) as stream:
        await stream.until(lambda one: one.kind == "job")
        await ann.client.post("/v1/auth/logout")
        await stream.until(lambda one: one.kind == "gone")
        await asyncio.wait_for(stream.task, 60)


# -- all jobs -----------------------------------------------------------------------------------


async def test_all_jobs_from_the_unfinished_to_the_deleted(mill, web, ann, bob, file):
    first = await submitted(ann, file, "first")
    async with listening(web, ann, "/v1/events") as stream, listening(web, bob, "/v1/events") as b:
        await stream.until(lambda one: one.data.get("id") == first)
        second = await submitted(ann, file, "second")
        await stream.until(lambda one: one.data.get("id") == second)
        async with working(mill):
            await stream.until(ended(first))
            await stream.until(ended(second))
        await ann.client.delete(f"/v1/jobs/{first}")
        await stream.until(lambda one: (one.kind, one.data.get("id")) == ("job_deleted", first))
        stream.heard.clear()
        await ann.client.post(f"/v1/jobs/{first}/restore")
        await stream.until(lambda one: (one.kind, one.data.get("id")) == ("job", first))
        assert [one for one in b.heard if one.data] == []
        assert stream.text == ""


async def test_what_ended_while_away_is_told(mill, web, ann, file):
    jobs = [await submitted(ann, file) for _ in range(4)]
    async with listening(web, ann, "/v1/events") as stream:
        await stream.until(lambda one: one.data.get("id") == jobs[-1])
        last = stream.last_id
    jobs.append(await submitted(ann, file))
    async with working(mill):
        for job in jobs:
            await ann.client.get(f"/v1/jobs/{job}", params={"wait": 20}, timeout=30)
    await ann.client.delete(f"/v1/jobs/{jobs[1]}")
    async with listening(web, ann, "/v1/events", last) as stream:
        for job in jobs:
            if job != jobs[1]:
                await stream.until(ended(job))
        await stream.until(lambda one: (one.kind, one.data["id"]) == ("job_deleted", jobs[1]))
    async with listening(web, ann, "/v1/events") as fresh:
        await fresh.until(lambda one: one.id)
        assert [one for one in fresh.heard if one.data] == []


async def test_a_slow_listener_misses_no_end(mill, ann, file, monkeypatch):
    monkeypatch.setattr(watching, "BOX_NEWS", 3)
    job = await mill.repositories.jobs.get(await submitted(ann, file))
    progress, box = await mill.jobs.progress(job), watching.Box()

    def shown(name, state):
        return {name: Snapshot(job.evolve(id=name, state=state), progress)}

    for time in range(8):
        box.put(shown(f"job_{time % 2}", JobState.RUNNING), time)
    assert len(box.news) == 2
    for time in range(3):
        box.put(shown(f"job_{time}", JobState.FAILED), time)
        box.put(shown(f"job_x{time}", JobState.RUNNING), time)
    assert sorted(one.job.id for one in (await box.take()).news if one.lasting) == [
        "job_0", "job_1", "job_2",
    ]  # fmt: skip
    for time in range(4):
        box.put(shown(f"job_{time}", JobState.FAILED), time)
    with pytest.raises(Unavailable):
        await box.take()


async def test_strangers_hear_nothing(mill, ann, bob, file):
    job = await submitted(ann, file)
    stranger = await mill.accounts.acting(bob.id)
    with pytest.raises(NotFound):
        await anext(mill.watching.job(stranger, job))


# -- results as lines ---------------------------------------------------------------------------


async def test_results_as_lines(mill, ann, file):
    job = await submitted(ann, file)
    here = f"/v1/jobs/{job}/results.jsonl"
    before = await ann.client.get(here)
    assert (before.text, before.headers["mediamill-job-state"]) == ("", "running")
    async with working(mill):
        await ann.client.get(f"/v1/jobs/{job}", params={"wait": 20}, timeout=30)
    after = await ann.client.get(here)
    assert after.headers["mediamill-job-state"] == "succeeded"
    assert after.headers["content-type"].startswith("application/jsonl")
    listed = (await ann.client.get(f"/v1/jobs/{job}/results")).json()["data"]
    assert [json.loads(line) for line in after.text.splitlines()] == listed
    assert len(listed) == 1
