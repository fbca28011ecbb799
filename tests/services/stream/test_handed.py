"""Messages that come in an event: the same rules, books and letters, without a group."""

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.support.recounting import figures
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

from mediamill.adapters.stream.port import Message, Part
from mediamill.app import App
from mediamill.core.clock import DAY
from mediamill.core.errors import ConfigurationError, NotFound, Unavailable
from mediamill.services.stream.filing import Prepared, portions
from mediamill.services.stream.settling import COMMON_ACTIONS, MOST_ACTIONS, Settling
from mediamill.store.port import Update
from mediamill.store.repositories.daily import Dailies, Fate, day_of
from mediamill.store.repositories.figures import About
from mediamill.store.repositories.files import File
from mediamill.store.repositories.users import Users

RULE = "customers:acme|beta,unknown:create"
JSON = [("content-type", b"application/json")]


@pytest.fixture
def topic(kafka):
    return make_topic(kafka, topic_name(), 2)


@pytest.fixture
async def mill(kafka, topic, tmp_path):
    given = settings(tmp_path / "home", kafka, stream_topics=f"{topic}={RULE}")
    async with await App.open(given) as app:
        yield app


def event(kafka, topic) -> list[Message]:
    """Return all messages of a topic as an event brings them: it knows no ids, nor an order."""
    nameless = [
        replace(one, part=Part("", topic, "", one.part.number)) for one in kafka.read(topic)
    ]
    return sorted(nameless, key=lambda one: one.offset % 7)


def fill(kafka, topic, count=30) -> tuple[list, list]:
    """Send good messages of two customers, and two that are not; return both."""
    good = []
    for n in range(count):
        said = [("customer", (b"acme", b"beta")[n % 2])]
        good += write(kafka, topic, [b"%d" % n], headers=said)
    bad = write(kafka, topic, [b'{"content_base64": "####"}'], headers=JSON)
    empty = write(kafka, topic, [b""], headers=[("customer", b"acme")])
    return good, bad + empty


async def whole(mill, topic) -> Counter:
    users = Users(mill.store)
    return Counter([(await users.get(file.owner)).name for file in await _files(mill, topic)])


async def _files(mill, topic):
    found = await files_of(mill, topic)
    for name in ("beta",):
        user = await mill.repositories.users.by_email(f"stream:{name}")
        if user is not None:
            found += (await mill.repositories.files.of_owner(user.id, None, 1000)).rows
    return found


async def test_an_event_is_settled_once_however_often_it_comes(kafka, mill, topic):
    good, bad = fill(kafka, topic)
    handed = mill.handed()
    await handed.batch([one for one in event(kafka, topic) if one.offset < 5])
    for _ in range(2):
        await handed.batch(event(kafka, topic))
    assert await whole(mill, topic) == {"acme": 15, "beta": 15}
    assert places_of(dead(kafka, topic)) == Counter({(p, o): 1 for p, o, _ in bad})
    rows = await mill.books.list()
    assert sum(row.next for row in rows) == len(good) + len(bad)


async def test_what_an_event_leaves_out_is_read_from_the_brokers(kafka, mill, topic):
    """Lambda passes over what is too large for an event; what is not there any more is none."""
    good, bad = fill(kafka, topic)
    kafka.topics[topic].partitions[1].pop(3)  # compacted
    some = [one for one in event(kafka, topic) if one.offset in (2, 6, 7, 14, 15)]
    for _ in range(2):
        await mill.handed().batch(some)
    assert (await whole(mill, topic)).total() == len(good) - 1
    assert places_of(dead(kafka, topic)) == Counter({(p, o): 1 for p, o, _ in bad})
    assert [row.next for row in await mill.books.list()] == [16, 16]


async def test_a_consumer_may_go_on_where_events_ended(kafka, mill, topic):
    kafka.make(topic, 1)
    rule = "customer:acme,unknown:create"
    mill.settings = mill.settings.model_copy(update={"stream_topics": f"{topic}={rule}"})
    sent = write(kafka, topic, [b"%d" % n for n in range(10)])
    await mill.handed().batch(event(kafka, topic))
    sent += write(kafka, topic, [b"more"])
    async with ingesting(mill, f"{topic}={rule}"):
        await until_taken(kafka, topic)
    assert await trouble(mill, topic, sent) == []


async def test_a_death_after_the_letter_may_double_it_and_nothing_else(
    kafka, mill, topic, monkeypatch
):
    good, bad = fill(kafka, topic)
    real = mill.store.transact

    async def broken(*actions):
        if any(isinstance(one, Update) and "letters" in one.add for one in actions):
            raise Unavailable("away")
        await real(*actions)

    with monkeypatch.context() as patch:
        patch.setattr(mill.store, "transact", broken)
        with pytest.raises(Unavailable):
            await mill.handed().batch(event(kafka, topic))
    await mill.handed().batch(event(kafka, topic))
    assert sum((await whole(mill, topic)).values()) == len(good)
    assert set(places_of(dead(kafka, topic))) == {(p, o) for p, o, _ in bad}


async def test_a_topic_without_a_rule_or_that_is_gone_is_told(kafka, mill, topic):
    write(kafka, topic, [b"x"])
    brought = event(kafka, topic)
    strange = [replace(one, part=replace(one.part, topic="strange")) for one in brought]
    with pytest.raises(NotFound, match="MEDIAMILL_STREAM_TOPICS"):
        await mill.handed().batch(strange)
    kafka.delete(topic)
    with pytest.raises(NotFound, match=topic):
        await mill.handed().batch(brought)
    mill.settings = mill.settings.model_copy(update={"stream_topics": ""})
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STREAM_TOPICS"):
        mill.handed()


async def test_what_is_refused_is_counted_and_told_for_whom(kafka, mill, topic):
    """By day and customer, in the transaction that steps past it."""
    good = json.dumps({"content_base64": "YQ==", "customer": "acme", "sha256": "0" * 64})
    write(kafka, topic, [good.encode()], headers=JSON)
    for said in (b"acme", b"acme", b"beta"):
        write(kafka, topic, [b""], headers=[("customer", said)])
    write(kafka, topic, [b"x"], headers=[("customer", b"nobody")])
    write(kafka, topic, [b"[1"], headers=JSON)
    rule = mill.handed().rules[topic]
    for name in ("acme", "beta"):
        await mill.filing.customers.principal(name, rule)
    for _ in range(2):
        await mill.handed().batch(event(kafka, topic))
    told = [dict(one.headers()).get("mediamill-customer") for one in dead(kafka, topic)]
    assert Counter(told) == {b"acme": 3, b"beta": 1, None: 2}
    counted = {}
    for name in ("acme", "beta"):
        owner = (await Users(mill.store).by_email(f"stream:{name}")).id
        page = await Dailies(mill.store).of_owner(owner, "2000-01-01", "2999-01-01", None, 10)
        counted[name] = [(row.source, row.outcome, row.files) for row in page.rows]
    assert counted == {
        "acme": [("stream", Fate.REFUSED, 3)], "beta": [("stream", Fate.REFUSED, 1)],
    }  # fmt: skip
    (refused,) = (await figures(mill.store, About.FILES)).values()
    assert refused["count"] == 6, "figures have also those that are for nobody known"


def test_a_batch_is_bounded_in_number_and_in_bytes():
    part = Part("c", "t", "i", 0)
    small = [Message(part, n, None, b"x") for n in range(100)]
    assert [len(some) for some in portions(small)] == [48, 48, 4]
    large = [Message(part, n, None, b"x" * (3 << 20)) for n in range(4)]
    assert [len(some) for some in portions(large)] == [2, 2]
    assert [len(some) for some in portions([Message(part, 0, None, b"x" * (20 << 20))])] == [1]
    assert [one for some in portions(small) for one in some] == small


async def test_files_over_midnight_are_cut_so_that_their_figures_fit_too():
    """Files of one day and type add to one row: over midnight there are two of each."""
    rows = SimpleNamespace(announcer=SimpleNamespace(hears=_no))
    settling = Settling(None, None, None, None, SimpleNamespace(rows=rows), None)
    run = [
        Prepared(
            None,
            File(id=f"file_{n}", owner="user_a", listed="user_a", name="a", size=1, sha256="",
                 crc32=0, blob="b", thumbnail="", media_type=f"image/x-{n % 8}",
                 tags=("t",), created=DAY - 20 + n),
        )
        for n in range(41)
    ]  # fmt: skip
    portions = await settling._portions("user_a", run)
    assert [one for part in portions for one in part] == run
    for part in portions:
        figures_ = {(day_of(one.file.created), one.file.media_type) for one in part}
        assert COMMON_ACTIONS + 2 * len(part) + len(figures_) <= MOST_ACTIONS


async def _no(owner: str) -> bool:
    return False
