"""What a stream brought goes after its time, with what was made of it as it arrived."""

import pytest
from tests.handlers.files.test_fetch import png
from tests.services.stream.test_jobs import NAMED, outcomes, template
from tests.support.ageing import age, daily, gone, hurry, records, settled, sweep, traces
from tests.support.memory_stream import MemoryBroker
from tests.support.serving import working
from tests.support.streams import (
    files_of,
    ingesting,
    make_topic,
    settings,
    topic_name,
    until_taken,
    write,
)

from mediamill.app import App
from mediamill.core.clock import DAY
from mediamill.store.repositories.daily import Fate
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.stream import StreamJob, StreamPartition

pytestmark = pytest.mark.timeout(120)


async def test_from_the_message_to_the_last_trace(tmp_path, monkeypatch):
    hurry(monkeypatch)
    kafka = MemoryBroker()
    topic = make_topic(kafka, topic_name(), 1)
    make_topic(kafka, f"{topic}.done", 1)
    async with await App.open(settings(tmp_path / "home", kafka, poll_seconds=0.05)) as mill:
        rule = f"{topic}={NAMED},template:{await template(mill)},results:{topic}.done"
        async with working(mill):
            write(kafka, topic, [*(png(300 + n) for n in range(5)), b"no picture"])
            async with ingesting(mill, rule):
                await until_taken(kafka, topic)
            await outcomes(kafka, topic, 6)
            await settled(mill)
            files = await files_of(mill, topic)
            needles = [text for file in files for text in (file.id, file.sha256)]
            due = [mill.retention.due(file.source, file.created) for file in files]
            assert due == [file.created + 7 * DAY for file in files]
            await age(mill, *(file.id for file in files))
            assert await sweep(mill) == 6
            await gone(mill, *(file.id for file in files))
            await settled(mill)
        assert await traces(mill, needles) == []
        assert await records(mill, Job, StreamJob) == []
        told = {row.outcome: (row.files, row.items, row.results) for row in await daily(mill)}
        assert told == {Fate.SUCCEEDED: (5, 5, 5), Fate.FAILED: (1, 1, 0)}
        (partition,) = await records(mill, StreamPartition)
        assert partition.next == 6  # so that a replay makes nothing new
