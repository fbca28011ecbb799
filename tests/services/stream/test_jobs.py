"""Jobs of files as they arrive, each once, and their outcomes on a topic."""

import asyncio
import json
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.handlers.files.test_fetch import png
from tests.support.quotas import limit
from tests.support.serving import working
from tests.support.streams import (
    files_of,
    ingesting,
    make_topic,
    read,
    settings,
    topic_name,
    until_taken,
    write,
)

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.engine.retry import RetryPolicy
from mediamill.handlers.files.arrived import ArrivedHandler
from mediamill.services.templates.drafts import Draft
from mediamill.store.repositories.jobs import Step
from mediamill.store.repositories.stream import StreamBooks, StreamJob
from mediamill.store.repositories.units import Unit, queue_name
from mediamill.web.metrics.exposing import scrape

pytestmark = pytest.mark.timeout(120)
NAMED = "customer:acme,unknown:create"


@pytest.fixture
async def mill(kafka, tmp_path):
    async with await App.open(settings(tmp_path / "home", kafka, poll_seconds=0.1)) as app:
        yield app


@pytest.fixture
def topic(kafka):
    name = make_topic(kafka, topic_name(), 1)
    make_topic(kafka, f"{name}.done", 1)
    return name


async def template(mill) -> str:
    owner = Principal("user_ops")
    step = Step(operation="thumbnail", parameters={"size": 16})
    made = await mill.templates.create(owner, "small", Draft((step,), {}))
    return made.id


async def arrivals(mill) -> list[Unit]:
    """Return the units that make jobs of acme's files."""
    owner = (await mill.repositories.users.by_email("stream:acme")).id
    index, queue = Unit.index("unit_due"), queue_name("housekeeping", owner)
    page = await mill.store.query(Unit, index, queue, limit=100)
    return [unit for unit in page.rows if unit.kind == "arrived"]


async def outcomes(kafka, topic: str, count: int) -> list[dict]:
    async with asyncio.timeout(60):
        while True:
            found = await asyncio.to_thread(read, kafka, f"{topic}.done")
            if len(found) >= count:
                return [json.loads(one.value()) for one in found]
            await asyncio.sleep(0.3)


async def test_each_file_is_processed_once_and_told(kafka, mill, topic):
    pictures = [png(100 + n) for n in range(12)]
    rule = f"{topic}={NAMED},template:{await template(mill)},results:{topic}.done"
    sent = write(kafka, topic, [*pictures, b"no picture"])
    async with ingesting(mill, rule):
        await until_taken(kafka, topic)
    (unit, *_) = await arrivals(mill)
    # a worker that died after the job was made: it is tried again, and meets its own job
    first = await mill.arrived.submit(unit, 1)
    assert (await mill.arrived.submit(unit, 2)).id == first.id
    async with working(mill):
        told = await outcomes(kafka, topic, len(sent))
    files = {file.id: file for file in await files_of(mill, topic)}
    assert sorted(one["file"] for one in told) == sorted(files)
    assert len({one["id"] for one in told}) == len(told)
    assert {one["stream"]["topic"] for one in told} == {topic}
    bad = [one for one in told if one["type"] == "item.failed"]
    good = [one for one in told if one["type"] == "item.succeeded"]
    assert (len(bad), len(good)) == (1, 12)
    assert bad[0]["error"]["code"] == "unsupported_media"
    assert all(one["results"][0]["media_type"].startswith("image/") for one in good)
    (owner,) = {file.owner for file in files.values()}
    jobs = (await mill.jobs.list(Principal(owner), None, 100)).rows
    assert sum(job.items for job in jobs) == len(sent)


@pytest.mark.parametrize("why", ["invalid_input", "quota_exceeded"])
async def test_files_that_are_not_processed_are_told_of(kafka, mill, topic, monkeypatch, why):
    """The template is not there, or there was no room for results for as long as is waited."""
    short = RetryPolicy(base_ms=10, cap_ms=20, lasting_ms=100)
    monkeypatch.setattr(ArrivedHandler, "policy", short)
    pictures = [png(100 + n) for n in range(3)]
    name = "nosuch"
    if why == "quota_exceeded":
        limit(mill, bytes=sum(map(len, pictures)))
        name = await template(mill)
    write(kafka, topic, pictures)
    async with ingesting(mill, f"{topic}={NAMED},template:{name},results:{topic}.done"):
        await until_taken(kafka, topic)
    async with working(mill):
        told = await outcomes(kafka, topic, 3)
        job = told[0]["id"].partition("-")[0]
        async with asyncio.timeout(60):
            while await mill.store.get(StreamJob, job):
                await asyncio.sleep(0.05)
    files = await files_of(mill, topic)
    assert sorted(one["file"] for one in told) == sorted(file.id for file in files)
    assert {(one["type"], one["error"]["code"]) for one in told} == {("item.failed", why)}
    assert {one["stream"]["topic"] for one in told} == {topic}
    assert not (await mill.jobs.list(Principal(files[0].owner), None, 10)).rows


async def test_files_are_processed_once_there_is_room(kafka, mill, topic, monkeypatch):
    monkeypatch.setattr(ArrivedHandler, "policy", replace(ArrivedHandler.policy, cap_ms=50))
    limit(mill, bytes=len(picture := png(100)))
    write(kafka, topic, [picture])
    rule = f"{topic}={NAMED},template:{await template(mill)},results:{topic}.done"
    async with ingesting(mill, rule):
        await until_taken(kafka, topic)
    async with working(mill):
        async with asyncio.timeout(60):
            while not [unit for unit in await arrivals(mill) if unit.attempts]:
                await asyncio.sleep(0.05)
        limit(mill)
        (told,) = await outcomes(kafka, topic, 1)
    assert told["type"] == "item.succeeded"


async def test_what_rules_name_and_is_not_there_is_told_at_the_start(kafka, mill, topic):
    good = f"{topic}={NAMED},template:{await template(mill)}"
    rules = ["typo=customer:acme", f"{topic}=customer:acmee,template:tmpl_{'0' * 26}"]
    with capture_logs() as logs:
        async with ingesting(mill, good):
            await asyncio.sleep(0.05)
    assert not [one for one in logs if one.get("action") == "stream_wanting"]
    with capture_logs() as logs:
        async with ingesting(mill, *rules), asyncio.timeout(60):
            while sum(one.get("action") == "stream_wanting" for one in logs) < 4:
                await asyncio.sleep(0.05)
    told = [one["event"] for one in logs if one.get("action") == "stream_wanting"]
    assert [one["log_level"] for one in logs if one["event"] in told] == ["warning"] * 4
    for text, wanted in zip(
        told, ["no topic typo", "no customer acme,", "no customer acmee,", "no template tmpl_"],
        strict=True,
    ):  # fmt: skip
        assert wanted in text


async def test_numbers_of_the_stream_are_metrics(kafka, mill, topic):
    write(kafka, topic, [b"one", b"two", b""])
    async with ingesting(mill, f"{topic}={NAMED}") as _:
        await until_taken(kafka, topic)
    (row,) = await StreamBooks(mill.store).list()
    await StreamBooks(mill.store).note(row, 5, now := await mill.store.now())
    text = (await scrape(mill, shared=True)).body.decode()
    place = f'{{partition="0",topic="{topic}"}}'
    assert f"mediamill_stream_files_total{place} 2.0" in text
    assert f"mediamill_stream_dead_letters_total{place} 1.0" in text
    assert f"mediamill_stream_behind_messages{place} 2.0" in text
    seen = text.partition(f"mediamill_stream_seen_timestamp_seconds{place} ")[2].split()[0]
    assert float(seen) == now / 1000
