"""What tests of the stream do with a broker, and what they check afterwards."""

import asyncio
import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from mediamill.adapters.stream.port import Message
from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.store.repositories.files import File
from tests.support.kafka import BIGGEST, Kafka
from tests.support.memory_stream import MemoryBroker

Broker = Kafka | MemoryBroker
SETTLED = {"session_seconds": "3"}


def topic_name(prefix: str = "images") -> str:
    """Return a name that no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


class Read:
    """A message of memory with the methods of one of Kafka's."""

    def __init__(self, message: Message) -> None:
        self.value, self.key = (lambda: message.value), (lambda: message.key)
        self.headers = lambda: [*message.headers]


def make_topic(kafka: Broker, name: str, partitions: int = 3, most: int = BIGGEST) -> str:
    """Make a topic that takes messages of so many bytes."""
    if isinstance(kafka, MemoryBroker):
        kafka.make(name, partitions, most)
        return name
    config = {"max.message.bytes": str(most)}
    admin = administrator(kafka)
    (made,) = admin.create_topics([NewTopic(name, partitions, 1, config=config)]).values()
    made.result(20)
    return name


def administrator(kafka: Kafka) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka.brokers, "log_level": 0})


def writer(kafka: Kafka) -> Producer:
    return Producer({
        "bootstrap.servers": kafka.brokers, "message.max.bytes": BIGGEST, "log_level": 0,
        "enable.idempotence": True, "queue.buffering.max.kbytes": 1 << 20,
    })  # fmt: skip


def write(kafka: Broker, topic: str, values: Iterable[bytes | None], **options) -> list[tuple]:
    """Write messages; return (partition, offset, SHA-256) of each."""
    if isinstance(kafka, MemoryBroker):
        sent = [kafka.write(topic, value, **options) for value in values]
        return [
            (one.part.number, one.offset, hashlib.sha256(one.value or b"").hexdigest())
            for one in sent
        ]
    producer, found = writer(kafka), []

    def done(error, message):
        assert error is None, error
        digest = hashlib.sha256(message.value() or b"").hexdigest()
        found.append((message.partition(), message.offset(), digest))

    for value in values:
        producer.produce(topic, value, on_delivery=done, **options)
        producer.poll(0)
    assert producer.flush(60) == 0
    return found


def read(kafka: Broker, topic: str, seconds: float = 20) -> list:
    """Read all committed messages of a topic."""
    if isinstance(kafka, MemoryBroker):
        return [Read(one) for one in kafka.read(topic)]
    reader = Consumer({
        "bootstrap.servers": kafka.brokers, "group.id": f"test-{uuid.uuid4()}", "log_level": 0,
        "enable.auto.commit": False, "enable.partition.eof": True,
    })  # fmt: skip
    until = time.monotonic() + seconds
    try:
        described = reader.list_topics(topic, timeout=10).topics[topic]
        places = [TopicPartition(topic, number, 0) for number in described.partitions]
        reader.assign(places)
        found, ended = [], set()
        while len(ended) < len(places):
            assert time.monotonic() < until, "the topic has no end"
            message = reader.poll(0.5)
            if message is None:
                continue
            if message.error():
                ended.add(message.partition())
            else:
                ended.discard(message.partition())
                found.append(message)
        return found
    finally:
        reader.close()


def dead(kafka: Broker, topic: str, seconds: float = 20) -> list:
    """Read the dead letters of a topic."""
    return read(kafka, f"{topic}.dead", seconds)


def places_of(letters: Sequence) -> Counter[tuple[int, int]]:
    """Count where dead letters stood."""
    said = [dict(one.headers()) for one in letters]
    return Counter((int(s["mediamill-partition"]), int(s["mediamill-offset"])) for s in said)


def lag(kafka: Broker, topic: str, group: str = "mediamill") -> int:
    """Return how many messages the group has not committed yet."""
    if isinstance(kafka, MemoryBroker):
        return kafka.lag(topic, group)
    reader = Consumer({"bootstrap.servers": kafka.brokers, "group.id": group, "log_level": 0})
    try:
        described = reader.list_topics(topic, timeout=10).topics[topic]
        places = [TopicPartition(topic, number) for number in described.partitions]
        ends = {p.partition: reader.get_watermark_offsets(p, timeout=10) for p in places}
        return sum(
            max(0, ends[p.partition][1] - max(p.offset, ends[p.partition][0]))
            for p in reader.committed(places, timeout=10)
        )
    finally:
        reader.close()


def committed(kafka: Kafka, topic: str, group: str) -> int:
    """Return the sum of what a group has committed of a topic."""
    reader = Consumer({"bootstrap.servers": kafka.brokers, "group.id": group, "log_level": 0})
    try:
        described = reader.list_topics(topic, timeout=10).topics[topic]
        places = [TopicPartition(topic, number) for number in described.partitions]
        return sum(max(0, place.offset) for place in reader.committed(places, timeout=10))
    finally:
        reader.close()


def commit(kafka: Kafka, places: list[TopicPartition], group: str = "mediamill") -> None:
    """Commit offsets of a group that nobody is in."""
    reader = Consumer({"bootstrap.servers": kafka.brokers, "group.id": group, "log_level": 0})
    reader.commit(offsets=places, asynchronous=False)
    reader.close()


async def until_taken(kafka: Broker, topic: str, seconds: float = 60, **options) -> None:
    """Wait until everything in a topic is settled and committed."""
    async with asyncio.timeout(seconds):
        while await asyncio.to_thread(_lag, kafka, topic, **options):
            await asyncio.sleep(0.02 if isinstance(kafka, MemoryBroker) else 0.2)


def _lag(kafka: Broker, topic: str, **options) -> int:
    """Return the lag; 1 while a broker that has just begun knows no groups yet."""
    try:
        return lag(kafka, topic, **options)
    except KafkaException as error:
        if "coordinator" not in str(error).lower():
            raise
        return 1


def url(kafka: Broker, **options: str) -> str:
    if isinstance(kafka, MemoryBroker):
        return kafka.url(**options)
    query = "&".join(f"{name}={value}" for name, value in {**SETTLED, **options}.items())
    return f"kafka://{kafka.brokers}/?{query}"


def settings(home: Path, kafka: Broker, **more: object) -> Settings:
    given = {"slots": 1, "min_free_bytes": 0, "stream_url": url(kafka), **more}
    return Settings(home=home, **given)


@asynccontextmanager
async def ingesting(app: App, *lines: str):
    """Let an app take files in for the length of the block."""
    from mediamill.services.stream.rules import rules_of

    stop = asyncio.Event()
    running = asyncio.ensure_future(app.ingest(rules_of(lines)).run(stop))
    waiting = asyncio.ensure_future(stop.wait())
    try:
        yield running
    finally:
        stop.set()
        await waiting
        await running


def _origin(row) -> dict:
    return row.lineage.get("stream", {})


CUSTOMERS = ("acme", "big", "small")
"""Those of the tests: a store that cannot be walked is asked for each one's files."""


async def files_of(app: App, topic: str) -> list[File]:
    """Return the files that came from a topic."""
    found: list[File] = []
    for name in CUSTOMERS:
        user = await app.repositories.users.by_email(f"stream:{name}")
        after: str | None = None
        while user is not None:
            page = await app.repositories.files.of_owner(user.id, after, 1000)
            found += [row for row in page.rows if _origin(row).get("topic") == topic]
            if (after := page.after) is None:
                break
    return found


async def trouble(app: App, topic: str, sent: Sequence[tuple]) -> list[str]:
    """Say what is lost, doubled or changed of what was sent."""
    found = await files_of(app, topic)
    places = Counter((_origin(f)["partition"], _origin(f)["offset"]) for f in found)
    digests = {(partition, offset): digest for partition, offset, digest in sent}
    wrong = [f"{place} is there {count} times" for place, count in places.items() if count > 1]
    lost = digests.keys() - places.keys()
    if lost:
        wrong.append(f"{len(lost)} of {len(sent)} are not files: {sorted(lost)[:5]}")
    for file in found:
        place = _origin(file)["partition"], _origin(file)["offset"]
        if file.sha256 != digests.get(place):
            wrong.append(f"{place} has another digest")
        elif hashlib.sha256(await app.blobs.get(file.blob)).hexdigest() != file.sha256:
            wrong.append(f"{place} has other bytes")
    counted = sum(row.files for row in await app.books.list() if row.topic == topic)
    if counted != len(found):
        wrong.append(f"{len(found)} files, {counted} counted")
    return wrong
