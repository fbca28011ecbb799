"""PostgreSQL restarted, silent, full, read-only or wrongly named: what callers are told, and when.

R8 with the service's own load is in `tests/faults`; this is the store's part of it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from tests.contracts.store_contract import KINDS, Thing, put, thing
from tests.engine.test_slots import gone
from tests.support.postgres import PostgresServer, postgres_server

from mediamill.core.errors import ConditionFailed, ConfigurationError, Locked, Unavailable
from mediamill.core.metrics import STORE_ERRORS, STORE_RETRIES
from mediamill.core.numbers import Numbers
from mediamill.store.opening import open_store, probe_store
from mediamill.store.port import Absent, Put, Update
from mediamill.store.sql import migrate
from mediamill.store.sql.postgres import clock as clocks
from mediamill.store.sql.postgres import migrating, pool
from mediamill.store.sql.postgres.address import SESSION
from mediamill.store.sql.postgres.clock import DatabaseClock
from mediamill.store.sql.postgres.store import PostgresStore
from mediamill.store.watching import Counting

SILENT = "?options=-c%20idle_in_transaction_session_timeout%3D300ms"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="module")
def address(server: PostgresServer) -> str:
    return server.database("faults")


@pytest_asyncio.fixture
async def store(address: str) -> AsyncIterator[PostgresStore]:
    store = await opened(address)
    with psycopg.connect(address, autocommit=True) as connection:
        for kind in KINDS:
            connection.execute(f'DELETE FROM "{kind.table}"'.encode())
    yield store
    await store.close()


async def opened(address: str) -> PostgresStore:
    store = await open_store(address, extra_kinds=KINDS)
    assert isinstance(store, PostgresStore)
    return store


def ask(address: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(address, autocommit=True) as connection:
        return connection.execute(sql.encode()).fetchall()


async def ended(address: str, which: str) -> int:
    """End some of the server's connections, and wait until they are; return how many."""
    end = "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
    pids = [int(str(pid)) for pid, _ in ask(address, end + which)]
    async with asyncio.timeout(60):
        while not all(gone(pid) for pid in pids):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    return len(pids)


def add(n: int) -> Update:
    return Update(Thing, ("g", n), add={"count": 1})


# -- a server that goes and comes ---------------------------------------------------------------


class Load:
    """Counts up in one statement and in several, and reads, until it is told to stop."""

    def __init__(self, store: PostgresStore) -> None:
        self.store, self.going = store, True
        self.done, self.unknown, self.read = [0] * 8, [0] * 8, 0
        self.last = 0.0
        self.wrong: list[Exception] = []

    async def write(self, n: int) -> None:
        while self.going:
            try:
                await self.store.transact(*([add(n)] if n % 2 else [add(n), add(n + 10)]))
                self.done[n] += 1
                self.last = time.monotonic()
            except Unavailable:
                self.unknown[n] += 1
            except Exception as error:
                self.wrong.append(error)
            await asyncio.sleep(0.002)

    async def look(self) -> None:
        while self.going:
            try:
                assert await self.store.get(Thing, "g", 0) is not None
                self.read += 1
            except Exception as error:
                self.wrong.append(error)
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("restarts", [1, pytest.param(50, marks=pytest.mark.soak)])
@pytest.mark.timeout(900)
async def test_a_restart_in_the_middle(store: PostgresStore, server: PostgresServer, restarts: int):
    """Reads wait it out; a write is done, or its outcome is not known; all is well at once."""
    await put(store, *(thing(n) for n in range(20)))
    load = Load(store)
    tasks = [asyncio.create_task(load.write(n)) for n in range(8)]
    tasks += [asyncio.create_task(load.look()) for _ in range(4)]
    for _ in range(restarts):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.control, "-m", "immediate", "stop")
        await asyncio.to_thread(server.start)
        back, reads = time.monotonic(), load.read
        async with asyncio.timeout(60):
            while load.last < back or load.read == reads:
                await asyncio.sleep(0.01)
    load.going = False
    await asyncio.gather(*tasks)
    assert load.wrong == []
    rows = [row for row in await store.get_many(Thing, [("g", n) for n in range(20)]) if row]
    for n in range(8):
        assert load.done[n] <= rows[n].count <= load.done[n] + load.unknown[n]
        assert n % 2 or rows[n].count == rows[n + 10].count


async def test_a_server_that_stays_away_is_unavailable(server: PostgresServer, address: str):
    patient, store = await opened(address), await opened(f"{address}?timeout=1")
    await put(patient, thing())
    await asyncio.to_thread(server.control, "-m", "immediate", "stop")
    try:
        for call in (store.get(Thing, "g", 0), store.transact(Put(thing(1)), Put(thing(2)))):
            with pytest.raises(Unavailable, match="away"):
                await call
        with pytest.raises(Unavailable, match=r"MEDIAMILL_STORE_URL.*does not answer"):
            await open_store(address)
    finally:
        await asyncio.to_thread(server.start)
    assert await patient.get(Thing, "g", 0) == thing()
    await patient.close()
    await store.close()


async def test_connections_that_the_server_closed_are_not_lent(store: PostgresStore, address: str):
    """Not even a single write, whose outcome would not be known, meets one of them."""
    await asyncio.gather(*(store.transact(Put(thing(n))) for n in range(50)))
    assert await ended(address, "application_name = 'mediamill'") >= 1
    for n in range(20):
        await store.transact(Put(thing(n, text="again")))


async def test_a_read_that_was_cut_off_is_asked_again_and_counted(
    store: PostgresStore, address: str
):
    store.watch = Counting(numbers := Numbers())
    await put(store, thing())
    waits = "application_name = 'mediamill' AND wait_event_type = 'Lock'"
    with psycopg.connect(address) as other:
        other.execute(f'LOCK TABLE "{Thing.table}"'.encode())
        reading = asyncio.create_task(store.get(Thing, "g", 0))
        async with asyncio.timeout(60):
            while await ended(address, waits) == 0:
                pass
    assert await reading == thing()
    assert numbers.counts[STORE_RETRIES] == {("away",): 1}
    assert not numbers.counts[STORE_ERRORS]


# -- what is cut short --------------------------------------------------------------------------


async def test_cancelled_calls_leave_usable_connections(store: PostgresStore, address: str):
    await put(store, *(thing(n) for n in range(20)))
    for n in range(150):
        work = [add(n % 20), add((n + 1) % 20), add((n + 2) % 20)][: n % 3 + 1]
        call = store.transact(*work) if n % 4 else store.get(Thing, "g", 1)
        task = asyncio.create_task(call)
        await asyncio.sleep(n % 10 * 0.0004)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await asyncio.gather(*(store.transact(add(n)) for n in range(20)))
    open_ones = "SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    assert ask(address, open_ones) == []
    ours = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'mediamill'"
    assert len(ask(address, ours)) <= 8


async def test_what_is_left_open_is_undone_before_it_is_lent_again(
    store: PostgresStore, address: str
):
    await put(store, thing())
    ours = pool.Pool(pool.Address.of(address))
    async with ours.connection() as first:
        await first.execute("BEGIN")
        await first.execute('UPDATE "contract_things" SET "count" = 100')
    await store.transact(add(0))
    async with ours.connection() as second:
        assert second is first
        await second.execute("SELECT 1")
    assert (await store.get(Thing, "g", 0)).count == 1
    await ours.close()


@pytest.mark.parametrize("several", [False, True])
async def test_a_write_whose_answer_is_lost_is_not_made_twice(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, several: bool
):
    await put(store, thing(0), thing(1))
    execute, lost = pool.Connection.execute, 0

    async def cut(self: pool.Connection, sql: Any, *values: Any) -> Any:
        nonlocal lost
        cursor = await execute(self, sql, *values)
        if sql == "COMMIT" or not several:
            self.pgconn.finish()
            lost += 1
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return cursor

    monkeypatch.setattr(pool.Connection, "execute", cut)
    with pytest.raises(Unavailable, match="it may have, or not"):
        await store.transact(*[add(0), add(1)][: 1 + several])
    monkeypatch.undo()
    assert lost == 1
    assert (await store.get(Thing, "g", 0)).count == 1


async def test_the_locks_of_who_fell_silent_are_let_go(store: PostgresStore, address: str):
    await put(store, thing())
    cut_off = await pool.Pool(pool.Address.of(address + SILENT)).connect()
    await cut_off.execute("BEGIN")
    await cut_off.execute('UPDATE "contract_things" SET "count" = 100')
    await store.transact(add(0))
    assert (await store.get(Thing, "g", 0)).count == 1
    with pytest.raises(psycopg.Error):
        await cut_off.execute("COMMIT")
    await cut_off.close()


async def test_both_ends_notice_who_is_cut_off(address: str):
    connection = await pool.Pool(pool.Address.of(address)).connect()
    for name, value in SESSION.items():
        row = await (await connection.execute(f"SHOW {name}".encode())).fetchone()
        assert row == (value,)
    endless = {"statement", "lock", "idle_in_transaction_session", "tcp_user"}
    assert {f"{name}_timeout" for name in endless} <= SESSION.keys()
    told = connection.info.get_parameters()
    assert (told["tcp_user_timeout"], told["keepalives_idle"]) == ("15000", "15")
    await connection.close()
    given = pool.Address.of(f"{address}?options=-c%20jit%3Don&connect_timeout=3").conninfo
    assert "connect_timeout=3" in given
    assert "options='-c jit=on'" in given


async def test_a_server_that_neither_answers_nor_ends(
    store: PostgresStore, address: str, monkeypatch: pytest.MonkeyPatch
):
    await put(store, thing())
    with psycopg.connect(address) as holder, monkeypatch.context() as patch:
        patch.setattr(pool, "LONGEST_USE", 0.2)
        holder.execute('UPDATE "contract_things" SET "count" = 100')
        with pytest.raises(Unavailable, match="does not answer"):
            await store.transact(add(0))
        holder.rollback()
    await store.transact(add(0))


async def test_too_many_at_once_are_told_so(address: str, store: PostgresStore):
    await put(store, thing())
    small = await opened(f"{address}?pool=2&timeout=1")
    with psycopg.connect(address) as holder:
        holder.execute('UPDATE "contract_things" SET "count" = 100')
        waiting = [asyncio.create_task(small.transact(add(0))) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable, match="in use"):
            await small.get(Thing, "g", 0)
        holder.rollback()
    await asyncio.gather(*waiting)
    assert (await small.get(Thing, "g", 0)).count == 2
    await small.close()


async def test_a_lock_that_is_not_to_be_had_is_unavailable(address: str, store: PostgresStore):
    await put(store, thing(), thing(1))
    hasty = await opened(address + "?options=-c%20lock_timeout%3D100ms")
    with psycopg.connect(address) as holder:
        holder.execute('UPDATE "contract_things" SET "count" = 100')
        for actions in ([add(0)], [add(0), add(1)]):
            with pytest.raises(Unavailable, match="too busy"):
                await hasty.transact(*actions)
    await hasty.transact(add(0), add(1))
    await hasty.close()


# -- time ---------------------------------------------------------------------------------------


async def test_an_answer_that_was_long_under_way_puts_nobody_ahead():
    """Who is ahead of the others takes their leases early."""

    async def ask() -> int:
        told = time.time_ns() // 1_000_000
        await asyncio.sleep(0.2)
        return told

    clock = DatabaseClock(ask)
    for _ in range(3):
        assert await clock.now() <= time.time_ns() // 1_000_000 - 190


async def test_the_time_is_the_databases_and_asked_now_and_then(monkeypatch: pytest.MonkeyPatch):
    answers = [1_000_000, 500_000, 2_000_000]
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        return answers[asked - 1]

    clock = DatabaseClock(ask)
    assert 1_000_000 <= await clock.now() <= await clock.now() < 1_100_000
    assert asked == 1
    monkeypatch.setattr(clocks, "GOOD_FOR", -1)
    assert 1_000_000 <= await clock.now() < 1_100_000, "time went back"
    assert await clock.now() >= 2_000_000


# -- transactions that meet ---------------------------------------------------------------------


async def test_a_guard_is_judged_before_a_later_statement_that_breaks(store: PostgresStore):
    """In a pipeline the error of one statement could hide what the one before it found."""
    await put(store, thing(0, count=2**63 - 1))
    missing, too_much = add(1), add(0)
    for _ in range(20):
        with pytest.raises(ConditionFailed) as caught:
            await store.transact(Put(thing(5)), missing, too_much, Put(thing(6)))
        assert caught.value.action == 1
        with pytest.raises(ValueError, match="does not fit"):
            await store.transact(Put(thing(5)), too_much, missing)
    assert await store.get(Thing, "g", 5) is None


async def test_those_that_cross_each_other_all_get_through(store: PostgresStore):
    await put(store, thing(0), thing(1))
    crossing = [store.transact(add(n % 2), add((n + 1) % 2)) for n in range(60)]
    outcomes = await asyncio.gather(*crossing, return_exceptions=True)
    done = outcomes.count(None)
    assert all(isinstance(each, Unavailable) for each in outcomes if each is not None)
    assert done >= 50
    assert [row.count for row in await store.get_many(Thing, [("g", 0), ("g", 1)])] == [done, done]


# -- opening ------------------------------------------------------------------------------------


async def test_many_open_an_empty_database_at_once(server: PostgresServer):
    address = server.database("crowd")
    stores = await asyncio.gather(*(opened(address) for _ in range(8)))
    claims = [store.transact(Put(thing(), (Absent(),))) for store in stores]
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    assert outcomes.count(None) == 1
    assert ask(address, "SELECT count(*) = count(DISTINCT version) FROM schema_version") == [
        (True,)
    ]
    await asyncio.gather(*(store.close() for store in stores))


async def test_nobody_waits_for_ever_to_make_the_tables(
    address: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(migrating, "PATIENCE", "SET LOCAL lock_timeout = '200ms'")
    with psycopg.connect(address) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (migrating.LOCK,))
        with pytest.raises(Locked, match=r"MEDIAMILL_STORE_URL.*try again"):
            await open_store(address)


async def test_who_falls_silent_while_it_makes_the_tables_is_ended(address: str):
    holder = await pool.Pool(pool.Address.of(address + SILENT)).connect()
    await holder.execute("BEGIN")
    await holder.execute("SELECT pg_advisory_xact_lock(%s)", (migrating.LOCK,))
    await (await open_store(address)).close()
    await holder.close()


async def test_a_user_who_may_only_read_and_write_rows_is_enough(server: PostgresServer):
    address = server.database("rows")
    await (await opened(address)).close()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE ROLE modest LOGIN")
        rights = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO modest"
        connection.execute(f"GRANT {rights}".encode())
    store = await open_store(address.replace("postgres@", "modest@"))
    await put(store, thing())
    assert await store.get(Thing, "g", 0) == thing()
    await store.close()
    empty = server.database("empty").replace("postgres@", "modest@")
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_STORE_URL.*may not make tables"):
        await open_store(empty)


@pytest.fixture(scope="module")
def walled(server: PostgresServer) -> str:
    """The server's address to users with a password."""
    rules = server.folder / "data" / "pg_hba.conf"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE walled LOGIN PASSWORD 'right'")
        connection.execute("CREATE ROLE closed NOLOGIN")
    rule = "host all walled 127.0.0.1/32 scram-sha-256\n"
    rules.write_text(rule + rules.read_text())
    server.control("reload")
    return f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("walled:s3cret@{}/postgres", "password authentication failed"),
        ("walled@{}/postgres", "no password"),
        ("closed:s3cret@{}/postgres", "not permitted to log in"),
        ("nobody:s3cret@{}/postgres", 'role "nobody" does not exist'),
        ("postgres:s3cret@{}/nothing", 'database "nothing" does not exist'),
        ("postgres:s3cret@{}/postgres?sslmode=require", "SSL"),
        ("postgres:s3cret@{}/postgres?options=-c%20no%3D1", "unrecognized"),
        ("postgres:s3cret@{}/", "postgresql://user:password@host:port/database"),
        ("postgres:s3cret@{}/postgres?made_up=1", "unknown parameter made_up"),
        ("postgres:s3cret@{}/postgres?pool=0", "pool is 1 to 200"),
        ("postgres:s3cret@{}/postgres?pool=many", "pool is 1 to 200"),
        ("postgres:s3cret@{}/postgres?prepare=maybe", "prepare is yes or no"),
        ("postgres:%zzs3cret@{}/postgres", "postgresql://user:password@host:port/database"),
    ],
)
async def test_what_is_wrong_is_named_without_the_password(walled: str, url: str, told: str):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STORE_URL") as caught:
        await open_store("postgresql://" + url.format(walled))
    assert told in caught.value.message
    assert "s3cret" not in repr(caught.value)
    assert caught.value.details["setting"] == "MEDIAMILL_STORE_URL"


async def test_a_doctor_asks_and_changes_nothing(server: PostgresServer, walled: str):
    """Before the first start, after it, and where it would fail."""
    url = server.database("asked")
    assert "no tables yet" in await told(url)
    assert ask(url, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []
    store, version = await open_store(url), len(migrate.migrations("postgres"))
    assert f"schema version {version}, " in await told(url)
    await store.require_current()
    ask(url, "INSERT INTO schema_version VALUES (99, 'future', 0, 99) RETURNING 1")
    with pytest.raises(ConfigurationError, match="version 99 or later"):
        await store.require_current()
    await store.close()
    with pytest.raises(ConfigurationError, match="authentication"):
        await probe_store(f"postgresql://walled:s3cret@{walled}/postgres")
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STORE_URL"):
        await probe_store(f"{url}?pool=0")
    assert await probe_store("sqlite:////nowhere/mill.db") is None


async def told(url: str) -> str:
    found = await probe_store(url)
    assert found is not None
    assert found.startswith("PostgreSQL 1")
    return found


@pytest.mark.parametrize("where", ["nowhere.invalid/mill?sslmode=require", "127.0.0.1:1/mill"])
async def test_a_host_that_does_not_answer(where: str):
    with pytest.raises(Unavailable, match=r"MEDIAMILL_STORE_URL.*does not answer") as caught:
        await open_store(f"postgresql://mill:s3cret@{where}")
    assert "s3cret" not in repr(caught.value)


async def test_a_replica_is_refused_and_a_primary_that_became_one_is_left(server: PostgresServer):
    address = server.database("replica")
    store, numbers = await opened(address), Numbers()
    store.watch = Counting(numbers)
    await put(store, thing())
    demote = 'ALTER DATABASE "replica" SET default_transaction_read_only = {}'
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(demote.format("on").encode())
        await ended(server.url(), "datname = 'replica'")
        with pytest.raises(Unavailable, match="takes no writes"):
            await store.transact(add(0))
        with pytest.raises(Unavailable, match="takes no writes"):
            await store.transact(add(0), Put(thing(1)))
        with pytest.raises(ConfigurationError, match=r"MEDIAMILL_STORE_URL.*read-only"):
            await open_store(address)
        connection.execute(demote.format("off").encode())
    assert {*numbers.counts[STORE_RETRIES]} == {("failed",)}, "nobody collided"
    assert numbers.counts[STORE_ERRORS] == {("transact", "unavailable"): 2}
    await store.transact(add(0))  # on a new connection: the old ones lead to what was demoted
    await store.close()
