"""The stream against a real broker: nothing is lost, nothing doubled, whatever dies.

Each soak says how long it takes on two idle cores; the short forms are the same with less.
"""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mediamill.adapters.stream.kafka.letters import position
from mediamill.adapters.stream.kafka.reading import KafkaStream
from mediamill.adapters.stream.port import Part
from mediamill.app import App
from mediamill.core.errors import Unavailable
from mediamill.store.port import Put, Update
from mediamill.store.repositories.files import File
from tests.support.processes import Process
from tests.support.streams import (
    administrator,
    commit,
    dead,
    files_of,
    ingesting,
    lag,
    make_topic,
    places_of,
    settings,
    topic_name,
    trouble,
    until_taken,
    url,
    write,
)

RULE = "customer:acme,unknown:create"
POISON = b'{"content_base64": "####"}'
SHORT = {"slots": 1, "min_free_bytes": 0, "log_level": "warning"}

pytestmark = pytest.mark.timeout(300)


def blocks(count: int, size: int = 2_000, seed: int = 7) -> list[bytes]:
    """Return so many different values."""
    draw = random.Random(seed)
    return [draw.randbytes(size) for _ in range(count)]


@pytest.fixture
def topic(kafka):
    name = make_topic(kafka, topic_name())
    make_topic(kafka, f"{name}.dead", 1)
    return name


@pytest.fixture
async def mill(kafka, tmp_path):
    async with await App.open(settings(tmp_path / "home", kafka)) as app:
        yield app


def process(home: Path, kafka, topic: str, rule: str = RULE) -> Process:
    return Process("ingest", home, stream_url=url(kafka), stream_topics=f"{topic}={rule}", **SHORT)


@asynccontextmanager
async def several(*processes: Process):
    """Run processes for the length of the block; those that were ended meanwhile stay so."""
    try:
        for one in processes:
            one.start()
        yield
    finally:
        for one in processes:
            if one.child is not None:
                await asyncio.to_thread(one.end)


# -- taking ----------------------------------------------------------------------------------------


async def test_messages_become_files_also_large_ones(kafka, mill, topic):
    sent = write(kafka, topic, blocks(60)) + write(kafka, topic, blocks(1, 8 << 20))
    async with ingesting(mill, f"{topic}={RULE}"):
        await until_taken(kafka, topic)
    assert await trouble(mill, topic, sent) == []
    found = await files_of(mill, topic)
    assert {file.source for file in found} == {"stream"}


async def test_a_commit_that_fails_is_made_again(kafka, mill, topic, monkeypatch):
    """Also when nothing more comes."""
    real, failing = KafkaStream._commit, iter([True, True])

    def sometimes(stream, reader, offsets):
        if not next(failing, False):
            real(stream, reader, offsets)

    monkeypatch.setattr(KafkaStream, "_commit", sometimes)
    write(kafka, topic, blocks(3))
    async with ingesting(mill, f"{topic}={RULE}"):
        await until_taken(kafka, topic)


@pytest.mark.parametrize("count", [60, pytest.param(10, marks=pytest.mark.soak)])
async def test_a_topic_that_is_made_anew_loses_nothing(kafka, mill, topic, count):
    """Fewer messages than before, and more."""
    old = write(kafka, topic, blocks(30))
    async with ingesting(mill, f"{topic}={RULE}"):
        await until_taken(kafka, topic)
        admin = administrator(kafka)
        admin.delete_topics([topic])[topic].result(20)
        await asyncio.sleep(1)
        make_topic(kafka, topic)
        new = write(kafka, topic, blocks(count, seed=9))
        async with asyncio.timeout(60):
            while len(await files_of(mill, topic)) < 30 + count:
                await asyncio.sleep(0.2)
        await until_taken(kafka, topic)
    digests = Counter(file.sha256 for file in await files_of(mill, topic))
    assert digests == Counter(digest for _, _, digest in old + new)


async def test_nothing_is_committed_before_it_is_stored(kafka, mill, topic, monkeypatch):
    """Messages are taken, cannot be stored, and the process ends."""
    monkeypatch.setattr("mediamill.adapters.stream.kafka.reading.BEGIN_SECONDS", 1)
    sent, real = write(kafka, topic, blocks(60)), mill.store.transact
    seen = asyncio.Event()

    async def broken(*actions):
        if any(isinstance(one, Put) and isinstance(one.record, File) for one in actions):
            seen.set()
            raise Unavailable("away")
        await real(*actions)

    with monkeypatch.context() as patch:
        patch.setattr(mill.store, "transact", broken)
        async with ingesting(mill, f"{topic}={RULE}"):
            await asyncio.wait_for(seen.wait(), 60)
            await asyncio.sleep(2)
    assert lag(kafka, topic) == 60
    async with ingesting(mill, f"{topic}={RULE}"):
        await until_taken(kafka, topic)
    assert await trouble(mill, topic, sent) == []


def settled_of(rows) -> list[tuple[Part, int]]:
    """Return where partitions stand, as a process that is late would still commit it."""
    return [(Part("", row.topic, row.source.rpartition("/")[2], row.number), row.next)
            for row in rows]  # fmt: skip


async def test_a_topic_made_anew_while_nobody_looked_loses_nothing(kafka, mill, topic):
    old = write(kafka, topic, blocks(30))
    async with ingesting(mill, f"{topic}={RULE}"):
        await until_taken(kafka, topic)
    admin = administrator(kafka)
    admin.delete_topics([topic])[topic].result(20)
    await asyncio.sleep(1)
    make_topic(kafka, topic)
    commit(kafka, [position(*place) for place in settled_of(await mill.books.list())])
    new = write(kafka, topic, blocks(60, seed=9))
    async with ingesting(mill, f"{topic}={RULE}"):
        await until_taken(kafka, topic)
    digests = Counter(file.sha256 for file in await files_of(mill, topic))
    assert digests == Counter(digest for _, _, digest in old + new)


# -- dead letters ----------------------------------------------------------------------------------


def hostile(every: int) -> list[bytes]:
    folder = os.environ.get("MEDIAMILL_HOSTILE")
    if not folder:
        pytest.skip("MEDIAMILL_HOSTILE is not set")
    return [path.read_bytes() for path in sorted(Path(folder, "json").glob("*.json"))][::every]


@pytest.mark.parametrize(
    ("every", "good"), [(12, 200), pytest.param(1, 18_600, marks=pytest.mark.soak)]
)
async def test_r12_hostile_documents_are_dead_letters_once(kafka, mill, topic, every, good):
    """R12: the whole takes about three minutes."""
    documents = hostile(every)
    envelope = json.dumps({"content_base64": "ZGF0YQ=="}).encode()
    values = [envelope] * good
    draw = random.Random(5)
    for document in documents:
        values.insert(draw.randrange(len(values)), document)
    headers = [("trace", b"\x00\xff"), ("trace", None)]
    sent = write(kafka, topic, values, headers=headers, key=b"k")
    async with ingesting(mill, f"{topic}={RULE},format:json"):
        await until_taken(kafka, topic, 600)
    letters = dead(kafka, topic, 60)
    assert len(letters) == len(documents)
    assert max(places_of(letters).values()) == 1
    assert sorted(one.value() for one in letters) == sorted(documents)
    for one in letters:
        assert one.headers()[:2] == headers
        assert one.key() == b"k"
        said = dict(one.headers())
        assert said["mediamill-code"] in (b"invalid_input", b"limit_exceeded")
        assert said["mediamill-topic"] == topic.encode()
    assert lag(kafka, topic) == 0
    assert len(await files_of(mill, topic)) == good == len(sent) - len(documents)


async def test_a_death_between_a_letter_and_the_books(kafka, mill, topic, monkeypatch):
    """The letter is written, the books cannot be, and the process ends: it is written no more."""
    monkeypatch.setattr("mediamill.adapters.stream.kafka.reading.BEGIN_SECONDS", 1)
    typed, poison = [("content-type", b"application/json")], []
    for number in range(3):
        poison += write(kafka, topic, [POISON], headers=typed, partition=number)
    real = mill.store.transact

    async def broken(*actions):
        if any(isinstance(one, Update) and "letters" in one.add for one in actions):
            raise Unavailable("away")
        await real(*actions)

    with monkeypatch.context() as patch:
        patch.setattr(mill.store, "transact", broken)
        async with ingesting(mill, f"{topic}={RULE}"):
            async with asyncio.timeout(60):
                while len(await asyncio.to_thread(dead, kafka, topic)) < 3:
                    await asyncio.sleep(0.2)
    assert not any(row.letters for row in await mill.books.list())
    sent = write(kafka, topic, blocks(30))
    async with ingesting(mill, f"{topic}={RULE}"):
        await until_taken(kafka, topic)
    await check(kafka, mill, topic, sent, poison)


@pytest.mark.soak  # ten seconds
async def test_what_is_too_large_for_the_dead_letter_topic_goes_without_its_value(
    kafka, mill, topic
):
    admin = administrator(kafka)
    admin.delete_topics([f"{topic}.dead"])[f"{topic}.dead"].result(20)
    await asyncio.sleep(1)
    make_topic(kafka, f"{topic}.dead", 1, most=100_000)
    write(kafka, topic, [b"[" * 200_000], headers=[("a", b"b")])
    async with ingesting(mill, f"{topic}={RULE},format:json"):
        await until_taken(kafka, topic)
    (one,) = dead(kafka, topic)
    assert one.value() is None
    assert dict(one.headers())["mediamill-omitted"] == b"200000"


# -- what dies -------------------------------------------------------------------------------------


def mixed(kafka, topic: str, count: int, size: int = 2_000) -> tuple[list, list]:
    """Send good messages with one in a hundred that is not; return both."""
    good, poison = [], []
    typed = [("content-type", b"application/json")]
    for start in range(0, count, 99):
        good += write(kafka, topic, blocks(min(99, count - start), size, seed=start))
        poison += write(kafka, topic, [POISON], headers=typed)
    return good, poison


async def check(kafka, mill, topic: str, good: list, poison: list) -> None:
    assert await trouble(mill, topic, good) == []
    letters = places_of(dead(kafka, topic, 60))
    assert letters == Counter({(p, o): 1 for p, o, _ in poison})
    assert lag(kafka, topic) == 0


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_r11_rebalances(kafka, mill, topic, tmp_path, count):
    """R11: three processes come and go while messages are taken; the whole takes two minutes."""
    home = mill.settings.home
    lasting, *others = (process(home, kafka, topic) for _ in range(3))
    good, poison = mixed(kafka, topic, count)
    async with several(lasting, *others):
        for one in others:
            await asyncio.sleep(2)
            await asyncio.to_thread(one.end)
        if count > 500:
            for one in others:
                one.start()
                await asyncio.sleep(5)
        await until_taken(kafka, topic, 280)
    await check(kafka, mill, topic, good, poison)


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.soak)])
async def test_a_consumer_that_is_killed_at_random(kafka, mill, topic, kills):
    """SIGKILL at random moments; fifty take about six minutes."""
    draw = random.Random(kills)
    one = process(mill.settings.home, kafka, topic)
    good, poison = [], []
    async with several(one):
        for _ in range(kills):
            more, bad = await asyncio.to_thread(mixed, kafka, topic, 100)
            good, poison = good + more, poison + bad
            await asyncio.sleep(draw.uniform(0.5, 4))
            await asyncio.to_thread(one.end, signal.SIGKILL)
            one.start()
        await until_taken(kafka, topic, 200)
    await check(kafka, mill, topic, good, poison)


async def test_the_broker_is_killed_in_mid_stream(kafka, mill, topic):
    good, poison = mixed(kafka, topic, 300)
    async with ingesting(mill, f"{topic}={RULE}"):
        async with asyncio.timeout(60):
            while not await files_of(mill, topic):
                await asyncio.sleep(0.05)
        await asyncio.to_thread(kafka.restart)
        more, bad = await asyncio.to_thread(mixed, kafka, topic, 100)
        await until_taken(kafka, topic, 120)
    await check(kafka, mill, topic, good + more, poison + bad)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_ten_thousand_of_100_kb_and_some_of_8_mb_are_identical(kafka, mill, topic):
    """A gigabyte; about three minutes."""
    sent = []
    async with ingesting(mill, f"{topic}={RULE}"):
        for part in range(100):
            sent += await asyncio.to_thread(write, kafka, topic, blocks(100, 100_000, part))
            if part % 10 == 0:
                sent += await asyncio.to_thread(write, kafka, topic, blocks(1, 8 << 20, part))
        await until_taken(kafka, topic, 1500)
    assert await trouble(mill, topic, sent) == []
