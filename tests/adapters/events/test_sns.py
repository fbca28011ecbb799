"""The contract through SNS as ministack and moto do it, and what a subscribed queue then holds."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count

import jsonschema
import pytest
import structlog
from botocore.exceptions import ClientError

from mediamill.adapters.events.opening import open_events, probe_events
from mediamill.adapters.events.sns import SnsEvents
from mediamill.adapters.events.sns import told as judged
from mediamill.app import App
from mediamill.cli.service.examining import Level, _events
from mediamill.core.errors import ConfigurationError, InvalidInput, Unavailable
from mediamill.core.events import MAX_BYTES, schema
from mediamill.core.settings import Settings
from mediamill.engine.lease import Lease
from mediamill.handlers.telling.publish import Publish
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.units import Unit
from mediamill.web.app import create_app
from tests.contracts.events_contract import TakingContract, event
from tests.docs.test_event_examples import Shown
from tests.engine.harness import Harness
from tests.faults import rows as stored
from tests.handlers.files.test_fetch import png
from tests.support.gates import gate_to
from tests.support.serving import working
from tests.support.topics import Aws, events_url, topic_server
from tests.web.conftest import person
from tests.web.test_submission import ended, submit, upload
from tests.web.test_uploading import PNG

numbers = count()


SECOND = pytest.param("moto_server", marks=pytest.mark.soak)
"""A second opinion, which has always been the same."""


@pytest.fixture(scope="session", params=["ministack", SECOND])
def server(request, tmp_path_factory):
    with topic_server(request.param, tmp_path_factory.mktemp("sns")) as running:
        yield running


@pytest.fixture(autouse=True)
def credentials(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def aws(server):
    made = Aws(server)
    yield made
    made.close()


@pytest.fixture
def topic():
    return f"mediamill-{next(numbers)}"


class TestSns(TakingContract):
    @pytest.fixture
    async def events(self, server, topic):
        events = open_events(events_url(server, topic, create="true"))
        yield events
        await events.close()


async def published(server, topic, *told):
    events = open_events(events_url(server, topic))
    try:
        for each in told:
            await events.publish(each, "user_ann")
    finally:
        await events.close()


async def test_a_queue_gets_the_event_itself_with_raw_delivery(server, aws, topic):
    arn = aws.sns.create_topic(Name=topic)["TopicArn"]
    queue = aws.subscribed(arn, topic, RawMessageDelivery="true")
    await published(server, topic, event(1))
    assert aws.bodies(queue, 1) == [event(1)]


@pytest.mark.soak
async def test_else_it_is_within_an_envelope_with_its_attributes(server, aws, topic):
    arn = aws.sns.create_topic(Name=topic)["TopicArn"]
    queue = aws.subscribed(arn, topic)
    await published(server, topic, event(1))
    [envelope] = aws.bodies(queue, 1)
    assert json.loads(envelope["Message"]) == event(1)
    told = {name: one["Value"] for name, one in envelope["MessageAttributes"].items()}
    assert told == {"type": "file.created", "owner": "user_ann"}


@pytest.mark.soak
async def test_a_filter_chooses_by_type(server, aws, topic):
    arn = aws.sns.create_topic(Name=topic)["TopicArn"]
    policy = json.dumps({"type": [{"prefix": "file.re"}]})
    some = aws.subscribed(arn, topic, RawMessageDelivery="true", FilterPolicy=policy)
    all_ = aws.subscribed(arn, f"{topic}-all", RawMessageDelivery="true")
    told = [event(1, name) for name in ("file.created", "file.rejected", "file.deleted")]
    await published(server, topic, *told)
    assert len(aws.bodies(all_, 3)) == 3
    assert [one["type"] for one in aws.bodies(some, 1)] == ["file.rejected"]


async def test_a_fifo_topic_keeps_order_and_leaves_out_repeats(server, aws, topic):
    name = f"{topic}.fifo"
    events = open_events(events_url(server, name, create="true"))
    arn = await events.probe()
    queue = aws.subscribed(arn, name, RawMessageDelivery="true")
    told = [event(1, type_) for type_ in ("file.created", "file.deleted", "file.restored")]
    for each in (*told, told[0], told[2]):
        await events.publish(each, "user_ann")
    await events.close()
    assert aws.bodies(queue, 3) == told
    assert aws.bodies(queue, 1, looks=1) == []


async def test_a_topic_is_found_by_its_arn_too(server, aws, topic):
    arn = aws.sns.create_topic(Name=topic)["TopicArn"]
    assert await probe_events(events_url(server, arn)) == arn
    assert await probe_events(events_url(server, topic)) == arn


async def test_a_topic_that_is_missing_is_told_and_may_come(server, aws, topic):
    events = open_events(events_url(server, topic))
    with pytest.raises(Unavailable, match=r"there is no topic .*create=true"):
        await events.publish(event(), "user_ann")
    aws.sns.create_topic(Name=topic)
    await events.publish(event(), "user_ann")
    await events.close()
    gone = f"arn:aws:sns:us-east-1:000000000000:{topic}-gone"
    with pytest.raises(Unavailable, match="NotFound"):
        await probe_events(events_url(server, gone))


def test_the_doctor_asks_for_the_topic(server, aws, topic):
    def said(url):
        return [(check.level, check.text) for check in _events(Settings(events_url=url))]

    assert said("none:") == []
    arn = aws.sns.create_topic(Name=topic)["TopicArn"]
    assert said(events_url(server, topic)) == [(Level.OK, arn)]
    ((level, text),) = said(events_url(server, f"{topic}-other"))
    assert level is Level.NOTE
    assert "create=true" in text
    assert said("sns://a/b")[0][0] is Level.PROBLEM


async def test_a_server_that_is_away_is_told():
    events = SnsEvents.open("sns://topic?region=us-east-1&endpoint=http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="MEDIAMILL_EVENTS_URL"):
        await events.publish(event(), "user_ann")
    await events.close()


async def test_no_credentials_are_told_and_may_come(monkeypatch, server, topic):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    with pytest.raises(Unavailable, match="no credentials"):
        await probe_events(events_url(server, topic))


@asynccontextmanager
async def mill_with(folder, url):
    """A service whose events go to a topic, a worker in it, and a client of somebody there."""
    settings = Settings(
        home=folder / "home", slots=1, min_free_bytes=0, poll_seconds=0.1, events_url=url
    )
    async with (
        await App.open(settings) as mill,
        working(mill),
        person(create_app(mill), "ann") as ann,
    ):
        yield mill, ann


async def test_what_happens_here_comes_out_of_the_queue(server, aws, topic, tmp_path):
    """From a file and a job to a queue that is subscribed; nobody has a webhook."""
    arn = aws.sns.create_topic(Name=topic)["TopicArn"]
    queue = aws.subscribed(arn, topic, RawMessageDelivery="true")
    async with mill_with(tmp_path, events_url(server, topic)) as (mill, ann):
        file = await upload(ann, "a.png", PNG)
        job = await ended(ann, await submit(ann, files=[file]))
        found = await asyncio.to_thread(aws.bodies, queue, 3)
        async with asyncio.timeout(60):
            while mill.parts.told["events", "sent"] < 3:
                await asyncio.sleep(0.02)
    assert units_of(mill, "publish") == []
    for one in found:
        jsonschema.validate(one, schema())
    assert sorted((one["type"], one["data"]["id"]) for one in found) == [
        ("file.created", file), ("job.accepted", job["id"]), ("job.succeeded", job["id"]),
    ]  # fmt: skip


@pytest.mark.soak
async def test_the_consumer_that_is_shown_reads_them(server, aws, topic):
    arn = aws.sns.create_topic(Name=topic)["TopicArn"]
    queue = aws.subscribed(arn, topic, RawMessageDelivery="true")
    await published(server, topic, event(1))
    shown = Shown(
        "reference/events.md",
        QUEUE=queue,
        AWS_ENDPOINT_URL=server.endpoint,
        AWS_DEFAULT_REGION="us-east-1",
    )
    try:
        assert await shown.line() == f"file.created {event(1)['data']['id']}"
    finally:
        shown.end()


async def test_what_happens_while_the_topic_is_away_comes_later(
    server, aws, topic, tmp_path, monkeypatch
):
    """Once each, and who uploads waits for nothing."""
    monkeypatch.setattr(Publish, "policy", replace(Publish.policy, cap_ms=200))
    arn = aws.sns.create_topic(Name=topic)["TopicArn"]
    queue = aws.subscribed(arn, topic, RawMessageDelivery="true")
    async with gate_to(server.port) as gate:
        gate.close()
        url = events_url(server, arn).replace(str(server.port), str(gate.port))
        async with mill_with(tmp_path, url) as (mill, ann):
            files = [await upload(ann, f"{n}.png", png(n)) for n in range(5)]
            async with asyncio.timeout(60):
                while mill.parts.told["events", "retried"] < 3:
                    await asyncio.sleep(0.02)
            assert aws.bodies(queue, 1, looks=1) == []
            gate.open()
            found = await asyncio.to_thread(aws.bodies, queue, 5)
            async with asyncio.timeout(60):
                while units_of(mill, "publish"):
                    await asyncio.sleep(0.02)
    assert sorted(told["data"]["id"] for told in found) == sorted(files)
    assert aws.bodies(queue, 1, looks=1) == []


async def test_an_event_that_is_refused_for_good_is_told_and_goes(server, aws, topic, tmp_path):
    url = events_url(server, topic, create="true")
    async with mill_with(tmp_path, url) as (mill, ann):
        real = mill.parts.events.publish

        async def larger(event, owner):
            await real({**event, "more": "x" * MAX_BYTES}, owner)

        mill.parts.events.publish = larger
        with structlog.testing.capture_logs() as logged:
            await upload(ann, "a.png", PNG)
            async with asyncio.timeout(60):
                while not mill.parts.told["events", "failed"]:
                    await asyncio.sleep(0.02)
        async with asyncio.timeout(60):
            while units_of(mill, "publish"):
                await asyncio.sleep(0.02)
    [line] = [line for line in logged if line["action"] == "event_lost"]
    assert "more than SNS takes" in line["error"]


@pytest.mark.parametrize(
    ("code", "said", "final"),
    [
        ("InvalidParameter", "Invalid parameter: TopicArn", False),
        (
            "InvalidParameter",
            "Invalid parameter: TopicArn Reason: not the topic of a message",
            False,
        ),
        ("InvalidParameter", "Invalid parameter: The MessageGroupId parameter is required", False),
        ("ValidationError", "The request is not signed as it must be", False),
        ("InvalidParameter", "Invalid parameter: Message too long", True),
        ("InvalidParameterValue", "The message attribute 'owner' must not be empty", True),
        ("InvalidParameter", "Invalid parameter: MessageAttributes Reason: too many", True),
    ],
)
async def test_only_what_is_wrong_with_the_message_loses_it(code, said, final):
    """What is wrong with the topic an operator mends; until then the events wait."""
    with pytest.raises(InvalidInput if final else Unavailable, match=code), judged():
        raise ClientError({"Error": {"Code": code, "Message": said}}, "Publish")


async def test_that_events_are_not_taken_is_told_once():
    class Away:
        takes = True

        async def publish(self, event, owner):
            raise Unavailable("InvalidParameter: TopicArn")

    harness = Harness(MemoryStore())
    publish = Publish(Away(), Counter())
    with structlog.testing.capture_logs() as logged:
        for n in range(3):
            unit = Unit.notice("publish", f"publish:{n}", 0, "user_x", now=1, snapshot=event(n))
            with pytest.raises(Unavailable):
                await publish.run(Lease(harness.units, harness.jobs, unit, 1000))
    assert [line["action"] for line in logged] == ["events_away"]


def units_of(mill, kind):
    """List the units of a kind that the database has."""
    return [row for row in stored.rows(mill.settings.store_url, Unit)["units"] if kind in row]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sns://?region=x", "write sns://topic"),
        ("sns://a/b?region=x", "write sns://topic"),
        ("sns://bad.name?region=x", "letters, digits"),
        ("sns://arn:aws:sqs:eu-central-1:123456789012:t", "write sns://topic"),
        ("sns://a?region=x&create=yes", "create is true or false"),
        ("sns://a?region=x&colour=red", "colour"),
        ("sns://a?region=x&region=y", "given twice"),
        ("sns://a?region=x&endpoint=nowhere", "endpoint is"),
        ("sns://a?region=x&endpoint=http://192.0.2.1", "allow_plaintext=true"),
        ("sns://a", "AWS_DEFAULT_REGION"),
    ],
)
def test_a_bad_address_is_refused(url, said, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ConfigurationError, match="MEDIAMILL_EVENTS_URL") as refused:
        open_events(url)
    assert said in refused.value.message


def test_an_arn_says_its_region(monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    events = SnsEvents.open("sns://arn:aws:sns:eu-central-1:123456789012:mill.fifo")
    assert events.topic.region == "eu-central-1"
    assert events.topic.ordered
