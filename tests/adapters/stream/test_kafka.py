"""The stream's port on a real broker: signing in, being slow, being away."""

import asyncio
import base64
import json
import time
from urllib.parse import quote

import pytest

from mediamill.adapters.stream.kafka.address import Address
from mediamill.adapters.stream.kafka.publishing import KafkaPublisher
from mediamill.adapters.stream.kafka.reading import KafkaStream
from mediamill.adapters.stream.opening import open_publisher
from mediamill.adapters.stream.port import Message, Outgoing
from mediamill.core.errors import ConfigurationError, LimitExceeded
from tests.support.kafka import PASSWORD, USER
from tests.support.streams import lag, make_topic, read, topic_name, url, write


class Slow:
    """Takes messages and keeps them until told."""

    def __init__(self) -> None:
        self.held: list[Message] = []
        self.settled: dict = {}

    async def begin(self, parts):
        return dict.fromkeys(parts, 0)

    def take(self, messages):
        self.held += messages

    async def drain(self, parts):
        return self.settled

    def drop(self, parts):
        pass


def secure(kafka, user=USER, password=PASSWORD, sasl="SCRAM-SHA-512", ca=True) -> str:
    trusted = f"&ca={kafka.trust.authority}" if ca else ""
    who = f"{user}:{quote(password, safe='')}"
    return f"kafkas://{who}@127.0.0.1:{kafka.secure_port}/?sasl={sasl}{trusted}"


@pytest.mark.parametrize(
    "sasl", ["SCRAM-SHA-512", pytest.param("SCRAM-SHA-256", marks=pytest.mark.soak)]
)
async def test_scram_over_tls(kafka, sasl):
    topic = make_topic(kafka, topic_name(), 1)
    publisher = open_publisher(secure(kafka, sasl=sasl))
    await publisher.publish([Outgoing(topic, b"value", b"key", (("a", b"\x00"), ("a", None)))])
    await publisher.close()
    (found,) = read(kafka, topic)
    assert (found.value(), found.key()) == (b"value", b"key")
    assert found.headers() == [("a", b"\x00"), ("a", None)]


@pytest.mark.parametrize("wrong", [{"password": "guessed"}, {"user": "other"}, {"ca": False}])
async def test_who_is_not_let_in_is_told(kafka, wrong):
    publisher = open_publisher(secure(kafka, **wrong))
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STREAM_URL") as told:
        await asyncio.wait_for(publisher.require(["images"]), 60)
    await publisher.close()
    assert PASSWORD not in told.value.message


async def test_every_client_asks_for_its_token(kafka, monkeypatch):
    """The broker takes unsigned tokens: what is shown is that ours reach it, from all clients."""

    def unsigned(region):
        def sign(_):
            ends = int(time.time()) + 60
            said = {"sub": region, "iat": ends - 60, "exp": ends}
            parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode()
                     for one in ({"alg": "none"}, said)]  # fmt: skip
            return ".".join([*parts, ""]), float(ends)

        return sign

    monkeypatch.setattr("mediamill.adapters.stream.kafka.iam.signer", unsigned)
    brokers = (f"127.0.0.1:{kafka.token_port}",)
    address = Address(brokers, sasl="AWS_MSK_IAM", region="eu-west-1", session_seconds=6)
    topic, letters = make_topic(kafka, topic_name(), 1), make_topic(kafka, topic_name(), 1)
    publisher = KafkaPublisher(address)
    await publisher.require([topic])
    await publisher.publish([Outgoing(topic, b"value")])
    await publisher.close()
    stream, taker, stop = KafkaStream(address, [topic]), Slow(), asyncio.Event()
    running = asyncio.ensure_future(stream.run(taker, stop))
    try:
        async with asyncio.timeout(30):
            while not taker.held:
                await asyncio.sleep(0.05)
        part = taker.held[0].part
        assert await stream.confirm(part)
        await stream.bury(part, [Outgoing(letters, b"letter")], 1)
    finally:
        stop.set()
        await running
    assert [one.value() for one in read(kafka, letters)] == [b"letter"]
    assert lag(kafka, topic) == 0


async def test_a_message_larger_than_its_topic_takes(kafka):
    topic = make_topic(kafka, topic_name(), 1, most=1000)
    publisher = open_publisher(url(kafka))
    with pytest.raises(LimitExceeded):
        await publisher.publish([Outgoing(topic, b"x" * 5000)])
    await publisher.close()


async def test_a_slow_taker_pauses_its_partitions_and_stays_in_the_group(kafka):
    """What is held stays within the room, though polling goes on past the session's time."""
    topic = make_topic(kafka, topic_name(), 2)
    sent = write(kafka, topic, [b"x" * 10_000] * 300)
    stream, taker, stop = (
        KafkaStream(Address.of(url(kafka)), [topic], 400_000),
        Slow(),
        asyncio.Event(),
    )
    running = asyncio.ensure_future(stream.run(taker, stop))
    try:
        async with asyncio.timeout(30):
            while len(taker.held) < 30:
                await asyncio.sleep(0.05)
        await asyncio.sleep(4)  # the session's time is 3 s
        assert len(taker.held) <= 2 * 400_000 // 10_000 // 2 + 2
        seen = 0
        async with asyncio.timeout(60):
            while seen < len(sent):
                held, taker.held = taker.held, []
                stream.release(held)
                for message in held:
                    taker.settled[message.part] = message.offset + 1
                seen += len(held)
                await asyncio.sleep(0.02)
        assert seen == len(sent)  # each came once: nobody was put out of the group
    finally:
        stop.set()
        await running
    assert lag(kafka, topic) == 0
