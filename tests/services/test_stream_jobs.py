"""Jobs of files as they arrive, each once, and their outcomes on a topic."""

import asyncio
import json

import pytest
from prometheus_client import generate_latest
from tests.handlers.test_fetch import png
from tests.support.memory_stream import MemoryBroker
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
from mediamill.services.templates.drafts import Draft
from mediamill.store.repositories.jobs import Job, Step
from mediamill.store.repositories.stream import StreamBooks, StreamJob
from mediamill.store.repositories.units import Unit
from mediamill.web.gauges import read_gauges

pytestmark = pytest.mark.timeout(120)
NAMED = "customer:acme,unknown:create"


@pytest.fixture
def kafka() -> MemoryBroker:
    """A stream in memory: what is asked here is no matter of Kafka."""
    return MemoryBroker()


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
    units = [unit for unit in await mill.store.walk(Unit) if unit.kind == "arrived"]
    assert units
    # a worker that died after the job was made: it is tried again, and meets its own job
    first = await mill.arrived.submit(units[0], 1)
    assert (await mill.arrived.submit(units[0], 2)).id == first.id
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
    jobs = await mill.store.walk(Job)
    assert sum(job.items for job in jobs) == len(sent)
    assert {job.owner for job in jobs} == {file.owner for file in files.values()}


@pytest.mark.soak  # ten seconds
async def test_a_template_that_fits_nothing_leaves_the_files(kafka, mill, topic):
    rule = f"{topic}={NAMED},template:{await template(mill)},results:{topic}.done"
    write(kafka, topic, [b"no picture"])
    async with working(mill), ingesting(mill, rule):
        await until_taken(kafka, topic)
        async with asyncio.timeout(30):
            while await mill.store.walk(StreamJob):
                await asyncio.sleep(0.1)
    assert len(await files_of(mill, topic)) == 1
    assert not await mill.store.walk(Job)


async def test_numbers_of_the_stream_are_metrics(kafka, mill, topic):
    write(kafka, topic, [b"one", b"two", b""])
    async with ingesting(mill, f"{topic}={NAMED}") as _:
        await until_taken(kafka, topic)
    (row,) = await StreamBooks(mill.store).list()
    await StreamBooks(mill.store).note(row, 5, 1_000)
    text = generate_latest(await read_gauges(mill)).decode()
    place = f'{{partition="0",topic="{topic}"}}'
    assert f"mediamill_stream_files_total{place} 2.0" in text
    assert f"mediamill_stream_dead_letters_total{place} 1.0" in text
    assert f"mediamill_stream_behind_messages{place} 2.0" in text
    assert f"mediamill_stream_seen_timestamp_seconds{place} 1.0" in text
