"""What `/metrics` reads from the service when it is asked."""

import asyncio

import pytest

from mediamill.app import App
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.metrics import CLASSES
from mediamill.core.settings import Settings
from mediamill.engine.scheduler import Scheduler
from mediamill.parts import ANSWER_SECONDS
from mediamill.services.jobs import backlog
from mediamill.services.uploads.assembling import finish_unit
from mediamill.store.port import Put
from mediamill.store.repositories.files import FileState
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import Upload, UploadState
from mediamill.web.app import create_app
from mediamill.web.metrics import exposing
from tests.support.places import EACH_STORE
from tests.web.conftest import client_of
from tests.web.test_uploading import PNG


async def test_all_questions_are_open_at_once_so_who_asks_waits_once(mill, nobody, monkeypatch):
    """Two waits of four seconds, one after the other, would be later than anybody waits."""
    assert ANSWER_SECONDS < 5
    mill.parts.results = MemoryBlobs()
    wanted, asked, all_there = set[str](), set[str](), asyncio.Event()

    async def ask(name, question, seconds):
        assert seconds == ANSWER_SECONDS
        asked.add(name)
        if asked == wanted:
            all_there.set()
        if wanted:
            await asyncio.wait_for(all_there.wait(), 30)
        raise TimeoutError

    monkeypatch.setattr(mill.parts.hanging, "ask", ask)
    for path, most in (("/health/ready", 6), ("/metrics", 14)):
        wanted.clear(), asked.clear(), all_there.clear()
        await nobody.get(path)
        wanted |= asked
        assert len(wanted) >= most
        asked.clear()
        answer = await nobody.get(path)
        assert all_there.is_set()
        assert "no answer within 4 s" in answer.text or "mediamill_ready 0.0" in answer.text


async def test_queues_are_told_while_a_look_takes_long(mill, nobody, monkeypatch):
    """Where many wait, it does; the numbers of the last minute are better than none."""
    monkeypatch.setattr(exposing, "ANSWER_SECONDS", 0.01)
    now = await mill.store.now()
    unit = Unit(group="g", seq=0, kind="k", owner="user_a", klass="bulk", created=now)
    await mill.repositories.units.insert([unit.opened(now)])
    await mill.work.look()
    together, of = set[str](), mill.work.backlogs.of

    async def never(klass):
        together.add(klass)
        await asyncio.Event().wait()

    monkeypatch.setattr(mill.work.backlogs, "of", never)
    monkeypatch.setattr(backlog, "SECONDS", 0)
    told = (await nobody.get("/metrics")).text
    assert 'mediamill_units{class="bulk",state="ready"} 1.0' in told
    assert together == {*CLASSES}, "they are looked at side by side"
    monkeypatch.setattr(backlog, "OLDEST_SECONDS", 0)
    assert "mediamill_units{" not in (await nobody.get("/metrics")).text
    monkeypatch.setattr(mill.work.backlogs, "of", of)


@pytest.mark.places(*EACH_STORE)
async def test_metrics_tell_what_workers_are_needed_for(mill, nobody):
    now = await mill.store.now()
    for n in range(3):
        unit = Unit(group=f"g{n}", seq=0, kind="k", owner="user_a", klass="bulk", created=now)
        await mill.repositories.units.insert([unit.opened(now)])
    text = (await nobody.get("/metrics")).text
    assert 'mediamill_units{class="bulk",state="ready"} 3.0' in text
    for klass in ("interactive", "bulk", "model", "housekeeping", "transfer", "notices", "long"):
        assert f'mediamill_units{{class="{klass}",state="running"}} 0.0' in text
        assert f'mediamill_units_capped{{class="{klass}"}} 0.0' in text
    if mill.settings.broker_url == "inprocess:":
        assert "mediamill_doorbell_connected" not in text


async def test_what_is_too_long_for_a_function_shows(mill, ann, nobody):
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()
    wish = {"files": [file["id"]], "steps": [{"operation": "thumbnail", "parameters": {}}]}
    job = (await ann.client.post("/v1/jobs", json=wish)).json()
    assert (await nobody.get("/health/ready")).json()["for_workers"] == 0
    units = mill.repositories.units
    unit = await Scheduler(mill.store, 60_000).claim_next([job["class"]], "function")
    await units.move(unit, "long", "too long for a function", credit=0.0)
    assert (await nobody.get("/health/ready")).json()["for_workers"] == 1
    assert 'mediamill_units{class="long",state="ready"} 1.0' in (await nobody.get("/metrics")).text
    shown = (await ann.client.get(f"/v1/jobs/{job['id']}")).json()
    assert (shown["progress"]["for_workers"], shown["progress"]["pending"]) == (1, 1)


async def test_an_upload_that_is_too_large_for_a_function_shows(mill, ann):
    """Nothing else would say why it stays as it is."""
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "9", "Upload-Metadata": "filename YQ=="}
    place = (await ann.client.post("/v1/uploads", headers=tus)).headers["Location"]
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]
    upload = await mill.store.get(Upload, place.rpartition("/")[2])
    now = await mill.store.now()
    checking = upload.evolve(state=UploadState.CHECKING, file=file)
    unit = finish_unit(checking, now).evolve(payload={"upload": upload.id, "file": file})
    row = (await mill.repositories.files.get(file)).evolve(state=FileState.CHECKING)
    await mill.store.transact(Put(checking), Put(unit.opened(now)), Put(row))
    shown = (place, f"/v1/files/{file}")
    for there in shown:
        assert (await ann.client.get(there)).json()["for_workers"] is False
    await mill.store.transact(Put(unit.evolve(klass="long").opened(now)))
    for there in shown:
        assert (await ann.client.get(there)).json()["for_workers"] is True
    assert "waits for a worker" in (await ann.client.get(f"/files/{file}")).text


async def test_a_broker_that_is_away_shows(tmp_path):
    settings = Settings(home=tmp_path, slots=1, broker_url="redis://127.0.0.1:1")
    async with await App.open(settings) as app, client_of(create_app(app)) as client:
        await app.bell.ring("work:bulk")
        assert "mediamill_doorbell_connected 0.0" in (await client.get("/metrics")).text
        assert (await client.get("/health/ready")).json()["checks"]["store"] == "ok"
