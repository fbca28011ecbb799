"""How messages become files of whom: objects elsewhere, quotas, customers, digests."""

import asyncio
import hashlib
import json
from collections import Counter
from dataclasses import replace

import pytest
from tests.support.buckets import KEYS, bucket_server
from tests.support.quotas import limit
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
from mediamill.services.stream.rules import TopicRule, rules_of
from mediamill.store.port import Delete, Put, Update
from mediamill.store.repositories.files import File
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.users import Users

pytestmark = pytest.mark.timeout(120)
JSON = [("content-type", b"application/json")]
NAMES = ("nobody", "none", "acme")


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
    ann = await mill.accounts.register("ann@example.org", "a long enough secret")
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


@pytest.mark.parametrize("hears", [False, True])
async def test_an_answer_that_is_lost_loses_no_message(kafka, mill, topic, monkeypatch, hears):
    """A quota takes them one by one, or runs are cut otherwise than before: what was written stays.

    Each message is a file or a letter, and not both, and no file is without its bytes.
    """
    monkeypatch.setattr("mediamill.services.stream.filing.MOST_PAUSE", 0.05)
    real, size = mill.store.transact, 30_000 if hears else 300_000
    lost, told = iter([True]), iter([False])

    async def sometimes(*actions):
        count = sum(isinstance(one, Put) and isinstance(one.record, File) for one in actions)
        await real(*actions)
        if count and (hears or count == 1) and next(lost, False):
            raise Unavailable("the answer is lost")

    async def listens(owner):
        return next(told, True)

    monkeypatch.setattr(mill.store, "transact", sometimes)
    if hears:
        monkeypatch.setattr(mill.filing.rows.announcer, "hears", listens)
        monkeypatch.setattr("mediamill.services.stream.settling.MOST_ACTIONS", 12)
    sent = write(kafka, topic, [bytes([n]) * size for n in range(6)])
    await taken(kafka, mill, topic, "customer:acme,unknown:create")
    letters = places_of(dead(kafka, topic))
    assert await trouble(mill, topic, [one for one in sent if one[:2] not in letters]) == []
    assert letters == ({} if hears else {(0, n): 1 for n in (3, 4, 5)})
    assert len([blob async for blob in mill.blobs.list("files/")]) == 6 - len(letters)


async def test_a_letter_whose_step_fails_comes_once_also_after_idle_times(
    kafka, mill, topic, monkeypatch
):
    """It is in its transaction that the offset is committed, and nothing sets that back."""
    rule, real = f"{topic}=customer:acme,unknown:create", mill.store.transact
    sent = write(kafka, topic, [b"good"])
    monkeypatch.setattr("mediamill.services.stream.service.COMMIT_SECONDS", 0.02)
    async with ingesting(mill, rule):
        await until_taken(kafka, topic)
    write(kafka, topic, [b"{}"], headers=JSON)

    async def broken(*actions):
        if any(isinstance(one, Update) and "letters" in one.add for one in actions):
            raise Unavailable("away")
        await real(*actions)

    with monkeypatch.context() as patch:
        patch.setattr(mill.store, "transact", broken)
        app = mill.ingest(rules_of([rule]))
        running = asyncio.ensure_future(app.run(asyncio.Event()))
        while not dead(kafka, topic):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # ticks commit meanwhile
        assert {feed.settled for feed in app._feeds.values()} == {2}
        await asyncio.gather(*(feed.stop() for feed in app._feeds.values()))  # it dies
        app._feeds.clear()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    kafka.group("mediamill").members.clear()
    for _ in range(2):
        async with ingesting(mill, rule):
            await until_taken(kafka, topic)
        assert kafka.lag(topic) == 0
    sent += write(kafka, topic, [b"more"])
    async with ingesting(mill, rule):
        await until_taken(kafka, topic)
    assert await trouble(mill, topic, sent) == []
    assert places_of(dead(kafka, topic)) == {(0, 1): 1}


async def test_a_letter_that_is_too_large_for_its_topic_goes_without_its_value(kafka, mill, topic):
    """Those beside it keep theirs; where its headers are too large it goes without them as well."""
    make_topic(kafka, f"{topic}.dead", 1, most=100_000)
    values = [b"[" * 90_000, b"[" * 200_000, b"[" * 90_000]
    write(kafka, topic, values, headers=[("a", b"b")], key=b"k")
    write(kafka, topic, [b"["], headers=[("a", b"b" * 200_000)], key=b"k")
    await taken(kafka, mill, topic, "customer:acme,unknown:create,format:json")
    letters = dead(kafka, topic)
    omitted = [dict(one.headers()).get("mediamill-omitted") for one in letters]
    assert [len(one.value() or b"") for one in letters] == [90_000, 0, 90_000, 0]
    assert omitted == [None, b"200000", None, b"1"]
    assert all(one.headers()[0] == ("a", b"b") and one.key() == b"k" for one in letters[:3])
    assert "a" not in dict(letters[3].headers())
    assert places_of(letters) == {(0, n): 1 for n in range(4)}


async def test_a_customer_is_made_with_the_first_file_and_not_for_what_is_refused(
    kafka, mill, topic
):
    """Also where two make the same at a time, and quotas count from the first byte."""
    for name in NAMES[:2]:
        write(kafka, topic, [b"", b"x" * 2_000_000], headers=[("customer", name.encode())])
    sent = write(kafka, topic, [b"%d" % n for n in range(5)], headers=[("customer", b"acme")])
    rule = TopicRule(customers=("*",), unknown="create", dead_letters=f"{topic}.dead")
    message = [replace(one, offset=one.offset + 10) for one in kafka.read(topic)][-1]
    (early,) = await mill.filing.prepare([message], rule)
    await taken(kafka, mill, topic, "customers:*,unknown:create")
    users = [await Users(mill.store).by_email(f"stream:{name}") for name in NAMES]
    user = users.pop()
    assert users == [None, None]
    assert await trouble(mill, topic, sent) == []
    assert (await mill.repositories.usages.get(user.id)).bytes == 5
    late = (await mill.filing.owned(early, rule)).file
    assert (late.owner, late.listed, late.digest) == (user.id, user.id, f"{user.id}:{late.sha256}")
    assert Counter(codes(dead(kafka, topic))) == {"invalid_input": 2, "quota_exceeded": 2}


async def test_what_has_a_letter_becomes_no_file_even_if_there_is_room_again(
    kafka, mill, topic, monkeypatch
):
    """The letter is written, its step fails, and then the quota is gone."""
    monkeypatch.setattr("mediamill.services.stream.filing.MOST_PAUSE", 0.05)
    real = mill.store.transact

    async def broken(*actions):
        letter = any(isinstance(one, Update) and "letters" in one.add for one in actions)
        if letter and mill.repositories.usages.allowances.common.bytes is not None:
            limit(mill)
            raise Unavailable("away")
        await real(*actions)

    monkeypatch.setattr(mill.store, "transact", broken)
    sent = write(kafka, topic, [bytes([n]) * 300_000 for n in range(6)])
    await taken(kafka, mill, topic, "customer:acme,unknown:create")
    assert places_of(dead(kafka, topic)) == {(0, 3): 1}
    assert await trouble(mill, topic, [one for one in sent if one[1] != 3]) == []
    assert len([blob async for blob in mill.blobs.list("files/")]) == 5
