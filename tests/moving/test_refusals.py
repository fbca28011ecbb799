"""What a move does not begin, and that it has written nothing then."""

import asyncio
from pathlib import Path

import apsw
import psycopg
import pytest

from mediamill.app import App
from mediamill.core.errors import ConfigurationError, Conflict, LimitExceeded, Locked
from mediamill.moving import rows
from mediamill.moving.journal import StoreJournal
from mediamill.moving.move import Move
from mediamill.moving.places import Places, Targets
from mediamill.store.opening import open_store, open_to_read
from mediamill.store.sql.migrate import migrations
from mediamill.store.sql.postgres import migrating
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.sqlite import clock
from mediamill.store.sql.sqlite.reading import SqliteSource
from tests.moving.conftest import moved
from tests.support.places import Place

pytestmark = pytest.mark.embedded("it moves from there")


def database(home: Path) -> apsw.Connection:
    return apsw.Connection(str(home / "mediamill.db"))


async def test_while_a_service_runs(found, embedded, tmp_path):
    async with await App.open(found.settings()):
        with pytest.raises(Locked, match="A service runs"):
            await moved(found.settings(), embedded)
    assert not (tmp_path / "new").exists()
    await moved(found.settings(), embedded)


async def test_a_service_does_not_start_in_the_middle(found, embedded, servers, monkeypatch):
    monkeypatch.setattr(clock, "PATIENCE", 0.1)
    async with Move.open(Places(found.settings(), embedded)):
        with pytest.raises(ConfigurationError, match=r"being moved; wait for `mediamill migrate`"):
            await App.open(found.settings())
    async with await App.open(found.settings()):
        pass
    monkeypatch.setattr(migrating, "PATIENCE", "SET LOCAL lock_timeout = '100ms'")
    url = servers.environment(Place("postgresql"))["MEDIAMILL_STORE_URL"]
    settings = found.settings(store_url=url)
    async with await App.open(settings):
        pass
    async with Move.open(Places(settings, embedded)):
        with pytest.raises(Locked, match="another process makes or moves this database"):
            await App.open(settings)


async def test_while_a_service_uses_postgresql(found, servers, tmp_path):
    url = servers.environment(Place("postgresql"))["MEDIAMILL_STORE_URL"]
    to = Targets(f"sqlite:///{tmp_path}/new.db")
    settings = found.settings(store_url=url)
    async with await App.open(settings):
        with pytest.raises(Locked, match="A service uses"):
            await moved(settings, to)
    await moved(settings, to)


async def test_postgresql_is_kept_alone_to_the_end(found, servers, tmp_path):
    url = servers.environment(Place("postgresql"))["MEDIAMILL_STORE_URL"]
    settings = found.settings(store_url=url)
    async with await App.open(settings):
        pass
    source = await open_to_read(url)
    await source.require_alone()
    async with await psycopg.AsyncConnection.connect(Address.of(url).conninfo):  # a service
        with pytest.raises(Locked, match="A service uses"):
            await source.require_alone()
        with pytest.raises(Locked, match="A service uses"):
            await source.require_alone()
    await source.require_alone()
    async with await psycopg.AsyncConnection.connect(url) as other:
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND "
            "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    with pytest.raises(Locked, match="may have written"):
        await source.require_alone()
    await source.close()


async def test_who_comes_while_the_lock_is_waited_for_is_seen(found, servers):
    url = servers.environment(Place("postgresql"))["MEDIAMILL_STORE_URL"]
    async with await App.open(found.settings(store_url=url)):
        pass
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
        await other.execute("SELECT pg_advisory_lock(%s)", (migrating.LOCK,))
        opening = asyncio.create_task(open_to_read(url))
        while await (await other.execute(waiting)).fetchone() == (0,):
            await asyncio.sleep(0.02)
        async with await psycopg.AsyncConnection.connect(Address.of(url).conninfo):  # a service
            await other.execute("SELECT pg_advisory_unlock(%s)", (migrating.LOCK,))
            with pytest.raises(Locked, match="A service uses"):
                await opening


async def test_a_move_asks_at_its_end_whether_it_was_alone(found, embedded, monkeypatch):
    async def was_not(self: SqliteSource) -> None:
        raise Locked("A service was there.")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteSource, "require_alone", was_not)
        with pytest.raises(Locked, match="was there"):
            await moved(found.settings(), embedded)
    with pytest.raises(ConfigurationError, match="not finished"):
        await App.open(found.settings(store_url=embedded.store))
    assert (await moved(found.settings(), embedded)).wrong == []


async def test_to_a_table_that_was_used(found, servers, elsewhere):
    """A table cannot be looked through: it keeps in mind whether anybody began there."""
    used = Targets(elsewhere(Place("dynamodb")).store)
    async with await App.open(found.settings(store_url=used.store)):
        pass
    with pytest.raises(Conflict, match="is not empty, it has been used"):
        await moved(found.settings(), used)


async def test_to_a_table_in_which_a_killed_move_made_nothing_yet(found, elsewhere, monkeypatch):
    async def killed(*_: object) -> None:
        raise OSError("killed")

    fresh = Targets(elsewhere(Place("dynamodb")).store)
    with monkeypatch.context() as patch:
        patch.setattr(StoreJournal, "save", killed)
        with pytest.raises(OSError, match="killed"):
            await moved(found.settings(), fresh)
    assert (await moved(found.settings(), fresh)).wrong == []
    with pytest.raises(Conflict, match="is not empty, it has been used"):
        await moved(found.settings(), fresh)


@pytest.mark.parametrize(
    ("to", "told"),
    [
        (Targets(), "Say where to"),
        (Targets(store="sqlite:///HOME/mediamill.db?readers=1"), "same place"),
        (Targets(blobs="file:///HOME/blobs/"), "same place"),
        (Targets(blobs="file:///HOME/blobs/deep"), "same place"),
        (Targets(blobs="file:///HOME"), "same place"),
        (Targets(results="file:///HOME/blobs"), "same place"),
        (Targets(blobs="file:///HOME/new", results="file:///HOME/new/results"), "same place"),
    ],
    ids=str,
)
def test_to_where_it_is(tmp_path, found, to, told):
    home = str(found.home).lstrip("/")
    given = [url.replace("HOME", home) for url in (to.store, to.blobs, to.results)]
    with pytest.raises(ConfigurationError, match=told):
        Places(found.settings(), Targets(*given))


async def test_to_what_is_not_empty(found, embedded, tmp_path):
    other = await open_store(embedded.store)
    await other.close()
    await moved(found.settings(), Targets(embedded.store))  # an empty schema is empty
    with pytest.raises(Conflict, match="is not empty, it has"):
        await moved(found.settings(), embedded)
    assert not [*(tmp_path / "new").rglob("*claim")]
    await moved(found.settings(), Targets(blobs=embedded.blobs))
    with pytest.raises(Conflict, match="is not empty, it has “"):
        await moved(found.settings(), Targets(blobs=embedded.blobs))


async def test_to_a_newer_schema(found, embedded, tmp_path):
    await (await open_store(embedded.store)).close()
    newer = apsw.Connection(str(tmp_path / "new" / "mill.db"))
    newer.execute("INSERT INTO schema_version VALUES (99, 'future', 0, 99)")
    newer.close()
    with pytest.raises(ConfigurationError, match=r"--to-store: .* version 99 .*newer mediamill"):
        await moved(found.settings(), embedded)


async def test_from_an_older_schema(found, embedded):
    connection = database(found.home)
    last = len(migrations("sqlite"))
    connection.execute("DELETE FROM schema_version WHERE version = ?", (last,))
    connection.close()
    with pytest.raises(ConfigurationError, match=f"version {last - 1}, this program {last}. Start"):
        await moved(found.settings(), embedded)


async def test_what_the_target_cannot_hold_is_named_before_anything_is_written(
    found, embedded, tmp_path
):
    connection = database(found.home)
    connection.execute("UPDATE emails SET user = ?", ("x" * 360_000,))
    many = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 25)"
    connection.execute(f"{many} INSERT INTO file_tags SELECT i || ?, 'f' FROM c", ("y" * 600,))
    connection.close()
    with pytest.raises(LimitExceeded) as caught:
        await moved(found.settings(), embedded)
    told = caught.value.message
    assert "emails ann@example.org: more than 350000 bytes" in told
    assert "file_tags 1yyy" in told
    assert "602 bytes; at most 500 can be indexed" in told
    assert "\n  and 8 more" in told
    assert not (tmp_path / "new").exists()


async def test_an_unfinished_target_is_for_its_own_move_only(
    found, embedded, tmp_path, monkeypatch
):
    async def broken(*_: object) -> None:
        raise OSError("the power is out")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "_put", broken)
        with pytest.raises(OSError, match="power"):
            await moved(found.settings(), embedded)
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STORE_URL: a move into this database"):
        await App.open(found.settings(store_url=embedded.store))
    with pytest.raises(ConfigurationError, match="MEDIAMILL_BLOBS_URL: a move into this place"):
        await App.open(found.settings(blobs_url=embedded.blobs))
    with pytest.raises(Conflict, match="between other places"):
        await moved(found.settings(), Targets(embedded.store))
    with pytest.raises(Conflict, match="is not empty"):
        await moved(found.settings(), Targets(f"{embedded.store}2", embedded.blobs))
    settings = found.settings(store_url=embedded.store)
    with pytest.raises(ConfigurationError, match="into the present store is not finished"):
        await moved(settings, Targets(f"sqlite:///{tmp_path}/third.db"))
    assert (await moved(found.settings(), embedded)).wrong == []
    async with await App.open(found.settings(store_url=embedded.store, blobs_url=embedded.blobs)):
        pass
