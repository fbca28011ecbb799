"""Messages of Kafka that come in events, as Lambda writes them; in the soak from a real broker."""

import asyncio
from collections import Counter

import pytest

from mediamill.adapters.stream.port import Message, Part
from mediamill.app import App
from mediamill.aws.ingest import messages_of
from mediamill.core.settings import Settings
from tests.support.cloud import cloud_server, fresh_cloud, kafka_event
from tests.support.functions import FunctionFailed, function
from tests.support.streams import (
    dead,
    ingesting,
    make_topic,
    places_of,
    read,
    topic_name,
    trouble,
    until_taken,
    url,
    write,
)

RULE = "customer:acme,unknown:create"
SAMPLE = {
    "eventSource": "aws:kafka",
    "records": {
        "images-1": [
            {
                "topic": "images", "partition": 1, "offset": 15, "timestamp": 1545084650987,
                "timestampType": "CREATE_TIME", "key": "YWJj", "value": "/9j/4A==",
                "headers": [{"filename": [195, 164]}, {"customer": [-61, -92]}],
            },
            {"topic": "images", "partition": 1, "offset": 16, "timestamp": 1,
             "timestampType": "CREATE_TIME", "headers": []},
        ],
        "other-0": [
            {"topic": "other", "partition": 0, "offset": 0, "timestamp": 2, "value": "",
             "timestampType": "CREATE_TIME", "headers": [{"empty": []}]},
        ],
    },
}  # fmt: skip


def test_messages_are_read_as_they_were_written():
    """Bytes of headers are numbers, also as Java has them; what is not there is nothing."""
    headers = (("filename", "ä".encode()), ("customer", "ä".encode()))
    one, other = Part("", "images", "", 1), Part("", "other", "", 0)
    assert messages_of(SAMPLE) == [
        Message(one, 15, b"abc", b"\xff\xd8\xff\xe0", headers, 1545084650987),
        Message(one, 16, None, None, (), 1),
        Message(other, 0, None, b"", (("empty", b""),), 2),
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with cloud_server(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.mark.soak
async def test_a_topic_is_taken_by_a_function_and_by_a_process(
    kafka, server, tmp_path, monkeypatch
):
    topic = make_topic(kafka, topic_name())
    make_topic(kafka, f"{topic}.dead", 1)
    rule = f"{topic}={RULE}"
    cloud = fresh_cloud(server, stream_url=url(kafka), stream_topics=rule)
    typed = [("content-type", b"application/json")]
    good = write(kafka, topic, [b"x" * (5 << 20)], partition=0)  # an event has no room for it
    good += write(kafka, topic, [b"%d" % n for n in range(40)], headers=[("filename", b"\xc3\xa4")])
    good += write(kafka, topic, [b"behind it"], partition=0)
    poison = write(kafka, topic, [b'{"content_base64": "####"}'] * 2, headers=typed)
    written = await asyncio.to_thread(read, kafka, topic)
    event = kafka_event([one for one in written if len(one.value()) < 4_500_000])
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path / "home"))
    settings = cloud.environment(function_margin_seconds=1)
    with function("mediamill.aws.ingest.handler", settings, tmp_path) as run:
        with pytest.raises(FunctionFailed):  # no time to settle them: they come again
            await asyncio.to_thread(run.invoke, event, 1.0)
        for _ in range(2):
            answer = await asyncio.to_thread(run.invoke, event)
            assert answer == {"settled": 43}
    good += write(kafka, topic, [b"more"])
    async with await App.open(Settings()) as app:
        async with ingesting(app, rule):
            await until_taken(kafka, topic)
        assert await trouble(app, topic, good) == []
    letters = places_of(await asyncio.to_thread(dead, kafka, topic))
    assert letters == Counter({(number, offset): 1 for number, offset, _ in poison})
