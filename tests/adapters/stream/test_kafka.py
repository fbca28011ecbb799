"""The stream's port on a real broker: signing in, being slow, being away."""

import asyncio
import base64
import json
import time
from urllib.parse import quote

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from mediamill.adapters.stream.kafka.address import Address
from mediamill.adapters.stream.kafka.publishing import KafkaPublisher
from mediamill.adapters.stream.kafka.reading import KafkaStream
from mediamill.adapters.stream.opening import open_publisher, open_stream
from mediamill.adapters.stream.port import Message, Outgoing, Part
from mediamill.core.errors import ConfigurationError, LimitExceeded
from tests.support.kafka import BIGGEST, PASSWORD, SESSION_MS, USER
from tests.support.streams import administrator, lag, make_topic, read, topic_name, url, write


class Slow:
    """Takes messages and keeps them until told."""

    def __init__(self) -> None:
        self.held: list[Message] = []
        self.settled: dict = {}

    @property
    def offsets(self) -> set[int]:
        return {message.offset for message in self.held}

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
        async with asyncio.timeout(60):
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


def deny(kafka, topic: str, what: AclOperation) -> None:
    denied = AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{USER}", "*", what,
        AclPermissionType.DENY,
    )  # fmt: skip
    admin = administrator(kafka)
    admin.create_acls([denied])[denied].result(20)


async def test_rights_that_are_missing_are_named(kafka):
    """Not to write, and not to read."""
    closed, hidden = (make_topic(kafka, topic_name(), 1) for _ in range(2))
    deny(kafka, closed, AclOperation.WRITE)
    deny(kafka, hidden, AclOperation.READ)
    publisher = open_publisher(secure(kafka))
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_STREAM_URL.*rights"):
        await publisher.publish([Outgoing(closed, b"value")])
    await publisher.close()
    stream = open_stream(secure(kafka), [hidden])
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_STREAM_URL.*rights"):
        await asyncio.wait_for(stream.run(Slow(), asyncio.Event()), 60)


class Turning:
    """A setting whose text is another one when that is set."""

    setting = "MEDIAMILL_STREAM_URL"

    def __init__(self, text: str) -> None:
        self.text, self.asked = text, 0

    async def current(self) -> str:
        return self.text

    async def renewed(self) -> str:
        self.asked += 1
        return self.text


def change_password(kafka, user: str, password: str) -> None:
    kind = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    change = UserScramCredentialUpsertion(user, kind, password.encode())
    admin = administrator(kafka)
    admin.alter_user_scram_credentials([change])[user].result(20)


async def test_another_password_is_taken_up_without_a_restart(kafka):
    """The brokers end sessions after two seconds, so that we must come anew."""
    user, topic = "turning", make_topic(kafka, topic_name(), 1)
    change_password(kafka, user, "first")
    before, after = (secure(kafka, user, word) + "&session_seconds=6" for word in ("first", "next"))
    source = Turning(before)
    stream, publisher = open_stream(before, [topic], source), open_publisher(before, source)
    taker, stop = Slow(), asyncio.Event()
    running = asyncio.ensure_future(stream.run(taker, stop))
    try:
        await publisher.publish([Outgoing(topic, b"1")])
        await until(lambda: 0 in taker.offsets)
        change_password(kafka, user, "next")
        source.text = after
        await asyncio.sleep(SESSION_MS / 1000 + 1)
        await publisher.publish([Outgoing(topic, b"2")])
        await until(lambda: 1 in taker.offsets)
        assert await stream.confirm(taker.held[-1].part)
        await stream.bury(taker.held[-1].part, [Outgoing(topic, b"3")], 1)
        await until(lambda: 2 in taker.offsets)
    finally:
        stop.set()
        await running
        await publisher.close()


async def test_who_is_refused_looks_the_password_up_anew(kafka):
    user, topic = "forgetful", make_topic(kafka, topic_name(), 1)
    change_password(kafka, user, "right")
    wrong, right = (secure(kafka, user, word) for word in ("wrong", "right"))
    source = Turning(wrong)
    publisher = open_publisher(wrong, source)
    with pytest.raises(ConfigurationError):
        await publisher.identify([topic])
    assert source.asked
    source.text = right
    assert topic in await publisher.identify([topic])
    await publisher.close()


async def until(true) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.05)


async def test_a_message_larger_than_its_topic_takes(kafka):
    topic = make_topic(kafka, topic_name(), 1, most=1000)
    publisher = open_publisher(url(kafka))
    with pytest.raises(LimitExceeded):
        await publisher.publish([Outgoing(topic, b"x" * 5000)])
    await publisher.close()


async def test_a_stretch_has_what_was_committed_however_large(kafka):
    """Where a transaction ends stands a mark, and what was aborted stays: neither is a message."""
    topic, values = make_topic(kafka, topic_name(), 1), [b"1", b"2" * (9 << 20), b"no", b"3"]
    writer = Producer({
        "bootstrap.servers": kafka.brokers, "transactional.id": topic, "log_level": 0,
        "message.max.bytes": BIGGEST,
    })  # fmt: skip
    await asyncio.to_thread(writer.init_transactions, 30)
    for value in values:
        writer.begin_transaction()
        writer.produce(topic, value)
        await asyncio.to_thread(writer.flush, 30)
        end = writer.abort_transaction if value == b"no" else writer.commit_transaction
        await asyncio.to_thread(end, 30)
    publisher = open_publisher(url(kafka))
    found = (await publisher.identify([topic]))[topic]
    part = Part(found.cluster, topic, found.id, 0)
    told = await publisher.between(part, None, 8)
    assert [one.offset for one in told] == [0, 2], "the second is as much as comes at a time"
    rest = await publisher.between(part, 3, 8)
    assert [(one.offset, one.value) for one in rest] == [(6, b"3")]
    assert await publisher.between(part, 3, 6) == []
    await publisher.close()
    latest = open_publisher(url(kafka, start="latest"))
    assert await latest.between(part, None, 8) == [], "a new group does not begin there"
    await latest.close()


async def test_a_slow_taker_pauses_its_partitions_and_stays_in_the_group(kafka):
    """What is held stays within the room, though polling goes on past the session's time."""
    topic = make_topic(kafka, topic_name(), 2)
    # a client sends what has no key to one partition for a while, maybe all of it
    for number in (0, 1):
        write(kafka, topic, [b"x" * 10_000] * 150, partition=number)
    stream, taker, stop = (
        KafkaStream(Address.of(url(kafka)), [topic], 400_000),
        Slow(),
        asyncio.Event(),
    )
    running = asyncio.ensure_future(stream.run(taker, stop))
    try:
        async with asyncio.timeout(60):
            while len(taker.held) < 30:
                await asyncio.sleep(0.05)
        await asyncio.sleep(4)  # the session's time is 3 s
        assert len(taker.held) <= 2 * 400_000 // 10_000 // 2 + 2
        seen = 0
        async with asyncio.timeout(60):
            while seen < 300:
                held, taker.held = taker.held, []
                stream.release(held)
                for message in held:
                    taker.settled[message.part] = message.offset + 1
                seen += len(held)
                await asyncio.sleep(0.02)
        assert seen == 300  # each came once: nobody was put out of the group
    finally:
        stop.set()
        await running
    assert lag(kafka, topic) == 0
