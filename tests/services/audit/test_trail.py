"""The audit trail: rows for what is done, counts for what is denied, and floods that stay small."""

import asyncio

import pytest

from mediamill.core.acts import Acts, Noted, Origin, collecting, note, origin
from mediamill.core.clock import DAY, MINUTE, FixedClock
from mediamill.core.errors import Unavailable
from mediamill.handlers.removing.trim_audit import TrimAudit
from mediamill.services.audit import trail as trails
from mediamill.services.audit.trail import NAMED, Trail
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.audit import NOBODY, Audit, Verdict

HERE = Origin("192.0.2.7", "curl/8", "req_1")


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def trail(store):
    return Trail(store, FixedClock(60 * MINUTE))


async def rows(store, **wanted):
    return (await Audit(store).search(limit=1000, **wanted)).rows


def denial(about=None, route="GET /v1/files/{file_id}"):
    return Noted("denied", about, None, denied=True, details={"route": route, "status": 404})


async def test_what_is_done_is_a_row_each(trail, store):
    with collecting(HERE) as acts:
        note("file_deleted", "file_1", now=True)
        note("signed_in", "user_b", actor="user_b")
        assert origin() is HERE
    await trail.write(acts, "user_a")
    second, first = await rows(store)
    assert (first.action, first.about, first.actor) == ("file_deleted", "file_1", "user_a")
    assert (first.address, first.agent, first.request) == ("192.0.2.7", "curl/8", "req_1")
    assert (first.verdict, first.details) == (Verdict.DONE, {"now": True})
    assert (second.action, second.actor) == ("signed_in", "user_b")


async def test_what_nobody_asked_for_is_only_logged(store):
    note("file_deleted", "file_1")
    assert await rows(store) == ()
    assert origin() == Origin()


async def test_the_same_denied_again_is_counted(trail, store):
    for _ in range(5):
        await trail.write(Acts(HERE, [denial("file_1"), denial("file_1")]), "user_a")
    await trail.write(Acts(HERE, [denial("file_2")]), "user_a")
    await trail.write(Acts(HERE, [denial("file_1")]), "user_b")
    trail.clock.advance(MINUTE)
    await trail.write(Acts(HERE, [denial("file_1")]), "user_a")
    found = [(row.actor, row.about, row.count) for row in await rows(store)]
    assert sorted(found) == [
        ("user_a", "file_1", 1),
        ("user_a", "file_1", 10),
        ("user_a", "file_2", 1),
        ("user_b", "file_1", 1),
    ]


async def test_who_tries_many_records_fills_no_table(trail, store):
    acts = Acts(HERE, [denial(f"file_{n}") for n in range(500)])
    await trail.write(acts, "user_a")
    found = await rows(store)
    assert len(found) == NAMED + 1
    assert sum(row.count for row in found) == 500
    (others,) = (row for row in found if row.about is None)
    assert (others.count, others.actor) == (500 - NAMED, "user_a")


async def test_strangers_are_told_apart_by_address_up_to_a_bound(trail, store, monkeypatch):
    monkeypatch.setattr(trails, "MANY", 50)
    for n in range(200):
        await trail.write(Acts(Origin(f"192.0.2.{n}"), [denial()]), NOBODY)
    found = await rows(store)
    assert len(found) <= 53
    assert sum(row.count for row in found) == 200
    assert {row.actor for row in found} == {NOBODY}


async def test_many_at_once_share_a_write(trail, store, monkeypatch):
    writes, transact = [], store.transact

    async def slowly(*actions):
        writes.append(len(actions))
        await asyncio.sleep(0.01)
        await transact(*actions)

    monkeypatch.setattr(store, "transact", slowly)
    each = (trail.write(Acts(HERE, [denial("file_1")]), f"user_{n}") for n in range(60))
    await asyncio.gather(*each)
    assert len(writes) <= 3
    assert len(await rows(store)) == 60


async def test_a_store_that_is_away_holds_no_answer_up(trail, store, monkeypatch, capsys):
    monkeypatch.setattr(trails, "SECONDS", 0.05)

    async def away(*actions):
        raise Unavailable("away")

    async def hangs(*actions):
        await asyncio.sleep(3600)

    monkeypatch.setattr(store, "transact", away)
    with collecting(HERE) as acts:
        note("file_deleted", "file_1")
    await trail.write(acts, "user_a")
    await trail.write(Acts(HERE, [denial()]), "user_a")
    said = capsys.readouterr()
    assert (said.out + said.err).count("audit_lost") == 2
    monkeypatch.setattr(store, "transact", hangs)
    async with asyncio.timeout(30):
        await trail.write(Acts(HERE, [denial("x")]), "user_a")
    assert trail._writing is not None
    trail._writing.cancel()


async def test_what_waits_is_written_at_the_end(trail, store, monkeypatch):
    monkeypatch.setattr(trails, "SECONDS", 0.0)
    await trail.write(Acts(HERE, [denial("x")]), "user_a")
    await trail.close()
    assert len(await rows(store)) == 1


async def test_searched_by_one_sifted_by_the_others(trail, store):
    for who in ("user_a", "user_b"):
        for n in range(3):
            with collecting(HERE) as acts:
                note("file_deleted", f"file_{n}")
                note("link_made", f"file_{n}")
            await trail.write(acts, who)
    assert len(await rows(store, actor="user_a")) == 6
    assert len(await rows(store, about="file_1")) == 4
    assert len(await rows(store, about="file_1", actor="user_b", action="link_made")) == 1
    ids = [row.id for row in await rows(store)]
    assert ids == sorted(ids, reverse=True)


async def test_what_is_too_old_goes(trail, store):
    for _ in range(3):
        await trail.write(Acts(HERE, [Noted("x", None, None, denied=False, details={})]), "user_a")
    trim, now = TrimAudit(Audit(store), days=30), await store.now()
    assert await trim.trim(now) == 0
    assert await trim.trim(now + 30 * DAY - MINUTE) == 0
    assert await trim.trim(now + 30 * DAY + MINUTE) == 3
    assert await rows(store) == ()
