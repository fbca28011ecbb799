"""How messages become files of whom: objects elsewhere, quotas, customers, digests."""

import asyncio
import hashlib
import json
from collections import Counter

import pytest
from tests.support.buckets import KEYS, bucket_server
from tests.support.memory_stream import MemoryBroker
from tests.support.streams import (
    dead,
    files_of,
    ingesting,
    make_topic,
    places_of,
    settings,
    topic_name,
    trouble,
    until_taken,
    write,
)

from mediamill.app import App
from mediamill.core.errors import Unavailable
from mediamill.store.port import Delete, Put
from mediamill.store.repositories.files import File
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.users import Users

pytestmark = pytest.mark.timeout(120)
JSON = [("content-type", b"application/json")]


@pytest.fixture
def kafka() -> MemoryBroker:
    """A stream in memory: what is asked here is no matter of Kafka."""
    return MemoryBroker()


@pytest.fixture
async def mill(kafka, tmp_path):
    async with await App.open(settings(tmp_path / "home", kafka, quota_bytes=1_000_000)) as app:
        yield app


@pytest.fixture
def topic(kafka):
    return make_topic(kafka, topic_name(), 1)


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with bucket_server("ministack", tmp_path) as server:
        client = server.client()
        for name in ("ours", "theirs"):
            client.create_bucket(Bucket=name)
            client.put_object(Bucket=name, Key="in/a b.png", Body=b"object of " + name.encode())
        yield server


def codes(letters) -> list[str]:
    return [dict(one.headers())["mediamill-code"].decode() for one in letters]


async def taken(kafka, mill, topic: str, rule: str) -> None:
    async with ingesting(mill, f"{topic}={rule}"):
        await until_taken(kafka, topic)


async def test_objects_are_fetched_from_where_the_topic_allows(kafka, mill, topic, bucket):
    wanted = [
        "s3://ours/in/a b.png", "s3://theirs/in/a b.png", "s3://ours/in/missing",
        "s3://ours/out/a", f"http://127.0.0.1:{bucket.port}/ours/in/a b.png",
    ]  # fmt: skip
    write(kafka, topic, [json.dumps({"object": one}).encode() for one in wanted], headers=JSON)
    place = bucket.url("ours/in")
    await taken(kafka, mill, topic, f"customer:acme,unknown:create,buckets:{place}")
    (file,) = await files_of(mill, topic)
    assert await mill.blobs.get(file.blob) == b"object of ours"
    assert codes(dead(kafka, topic)) == [
        "address_refused", "not_found", "address_refused", "address_refused",
    ]  # fmt: skip


@pytest.mark.soak  # half a minute
async def test_a_bucket_that_stays_away_ends_in_a_dead_letter(
    kafka, mill, topic, bucket, monkeypatch
):
    monkeypatch.setattr("mediamill.services.stream.filing.MOST_PAUSE", 0.01)
    monkeypatch.setattr("mediamill.services.stream.filing.FETCH_TRIES", 1)
    place = bucket.url("ours/in").replace(str(bucket.port), "1")
    write(kafka, topic, [b'{"object": "s3://ours/in/a"}', b"{}"], headers=JSON)
    rule = f"customer:acme,unknown:create,buckets:{place}"
    async with ingesting(mill, f"{topic}={rule}"):
        await until_taken(kafka, topic, 110)
    assert codes(dead(kafka, topic)) == ["unavailable", "invalid_input"]


async def test_a_customer_without_room_holds_up_nobody(kafka, mill, topic):
    for n in range(4):
        write(kafka, topic, [bytes([n]) * 400_000], headers=[("customer", b"big")])
        write(kafka, topic, [bytes([n])], headers=[("customer", b"small")])
    await taken(kafka, mill, topic, "customers:big|small,unknown:create")
    users = Users(mill.store)
    sizes = Counter()
    for file in await files_of(mill, topic):
        sizes[(await users.get(file.owner)).name] += file.size
    assert sizes == {"big": 800_000, "small": 4}
    assert codes(dead(kafka, topic)) == ["quota_exceeded"] * 2
    big = await users.by_email("stream:big")
    assert (await Usages(mill.store).get(big.id)).bytes == 800_000
    kept = [blob async for blob in mill.blobs.list("files/")]
    assert len(kept) == 6  # what was refused left nothing


async def test_no_message_writes_for_whom_it_may_not(kafka, mill, topic):
    ann = await mill.accounts.register("ann@example.org", "a long secret")
    fields = {"content_base64": "YQ==", "owner": ann.id, "role": "admin", "quota": 1}
    write(kafka, topic, [json.dumps(fields).encode()], headers=JSON)
    for said in (b"ann@example.org", b"beta", b"*", b"", b"acme", ann.id.encode()):
        write(kafka, topic, [b"x" + said], headers=[("customer", said)])
    await taken(kafka, mill, topic, "customer:acme,unknown:create")
    found = await files_of(mill, topic)
    assert sorted([await mill.blobs.get(file.blob) for file in found]) == [b"x", b"xacme"]
    assert ann.id not in {file.owner for file in found}
    assert codes(dead(kafka, topic)) == ["invalid_input", *["forbidden"] * 4]


async def test_bytes_that_are_not_those_announced(kafka, mill, topic):
    good = hashlib.sha256(b"good").hexdigest().encode()
    for value in (b"good", b"bad"):
        write(kafka, topic, [value], headers=[("sha256", good), ("tags", b"a, b")])
    await taken(kafka, mill, topic, "customer:acme,unknown:create,tags:stream")
    (file,) = await files_of(mill, topic)
    assert file.tags == ("stream", "a", "b")
    assert codes(dead(kafka, topic)) == ["invalid_input"]
    assert [blob.key async for blob in mill.blobs.list("files/")] == [file.blob]


async def test_a_store_that_is_away_loses_nothing(kafka, mill, topic, monkeypatch):
    """Writes fail for a while, some only seemingly; then all is there once."""
    monkeypatch.setattr("mediamill.services.stream.filing.MOST_PAUSE", 0.05)
    real, answers = mill.store.transact, iter(["fails", "lost", "comes"] * 3)

    async def sometimes(*actions):
        files = any(isinstance(one, Put) and isinstance(one.record, File) for one in actions)
        answer = next(answers, "comes") if files else "comes"
        if answer != "fails":
            await real(*actions)
        if answer != "comes":
            raise Unavailable("away")

    monkeypatch.setattr(mill.store, "transact", sometimes)
    sent = write(kafka, topic, [b"%d" % n for n in range(20)])
    await taken(kafka, mill, topic, "customer:acme,unknown:create")
    assert await trouble(mill, topic, sent) == []
    assert len([blob async for blob in mill.blobs.list("files/")]) == 20


async def test_two_groups_take_each_message_once(kafka, mill, topic, tmp_path, monkeypatch):
    """Also where they do not know of each other, as it should not be."""
    monkeypatch.setattr("mediamill.services.stream.filing.MOST_PAUSE", 0.05)
    more = settings(tmp_path / "home", kafka)
    other = more.model_copy(update={"stream_url": more.stream_url + "&group=other"})
    sent = write(kafka, topic, [b"%d" % n for n in range(150)])
    async with await App.open(other) as second:
        rule = f"{topic}=customer:acme,unknown:create"
        async with ingesting(mill, rule), ingesting(second, rule):
            await asyncio.gather(
                until_taken(kafka, topic), until_taken(kafka, topic, group="other")
            )
    digests = Counter(file.sha256 for file in await files_of(mill, topic))
    assert digests == Counter(digest for _, _, digest in sent)


async def test_a_replay_makes_nothing_new_also_once_files_are_purged(kafka, mill, topic):
    rule = f"{topic}=customer:acme,unknown:create"
    write(kafka, topic, [b"%d" % n for n in range(20)])
    poison = write(kafka, topic, [b"{}"] * 3, headers=JSON)
    async with ingesting(mill, rule):
        await until_taken(kafka, topic)
    for file in (await files_of(mill, topic))[:5]:
        await mill.store.transact(Delete(File, (file.id,)))
    again = mill.settings.stream_url + "&group=other"
    mill.settings = mill.settings.model_copy(update={"stream_url": again})
    async with ingesting(mill, rule):
        write(kafka, topic, [b"more %d" % n for n in range(5)])
        await until_taken(kafka, topic, group="other")
    assert len(await files_of(mill, topic)) == 20
    assert places_of(dead(kafka, topic)) == Counter({(p, o): 1 for p, o, _ in poison})
