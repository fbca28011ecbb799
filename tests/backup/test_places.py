"""Backups of PostgreSQL and buckets, into a bucket; and those that a worker makes by itself."""

import asyncio
import json
import shutil

import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo

from mediamill.app import App
from mediamill.backup.taking import Taking
from mediamill.backup.vault import Vault
from mediamill.blobs.opening import open_blobs
from mediamill.core.backups import noted_backup
from mediamill.core.errors import StorageFull, Unavailable
from mediamill.core.urls import shown
from mediamill.handlers import back_up
from mediamill.handlers.back_up import KIND
from mediamill.moving.places import Targets
from mediamill.store.opening import open_store
from mediamill.store.port import Delete, Put
from mediamill.store.repositories.files import File
from mediamill.store.repositories.users import User
from mediamill.store.sql.postgres import copying
from mediamill.store.sql.postgres.address import Address
from tests.faults.rows import everything
from tests.moving.conftest import elsewhere, moved
from tests.support.places import Place
from tests.support.serving import working

__all__ = ["elsewhere"]
pytestmark = pytest.mark.embedded("it chooses its places")


@pytest.mark.timeout(300)
async def test_postgresql_and_buckets_come_back(
    found, elsewhere, servers, say, monkeypatch, tmp_path
):
    first, second, third = [elsewhere(Place("postgresql", "s3")) for _ in range(3)]
    await moved(found.settings(), Targets(store=first.store, blobs=first.blobs))
    place, empty = third.blobs, servers.postgres.database("restored")

    async def given(store: str, blobs: str, *arguments: object) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            patch.setenv("MEDIAMILL_STORE_URL", store)
            patch.setenv("MEDIAMILL_BLOBS_URL", blobs)
            return await asyncio.to_thread(say, *arguments)

    before = everything(first.store)
    code, out, err = await given(first.store, first.blobs, "backup", place, "--json")
    assert code == 0, err
    assert json.loads(out)["store"] == "postgresql"
    restore = ("restore", place, "--home", tmp_path / "new")
    for store, blobs in ((first.store, second.blobs), (empty, first.blobs)):
        code, _, err = await given(store, blobs, *restore)
        assert (code, "not empty" in err) == (2, True), err
    code, _, err = await given(empty, second.blobs, *restore)
    assert code == 0, err
    assert everything(empty) == before
    assert await listed(second.blobs) == await listed(first.blobs)


async def listed(url: str) -> list[tuple[str, int]]:
    blobs = await open_blobs(url)
    try:
        return [(info.key, info.size) async for info in blobs.list("")]
    finally:
        await blobs.close()


async def test_what_pg_dump_says_is_passed_on(elsewhere, tmp_path, monkeypatch):
    url = elsewhere(Place("postgresql")).store
    secret = "a:strange\\one"
    asked = {"host": "127.0.0.1", "dbname": "x", "password": secret, "sslpassword": "the key's"}
    said, within = copying._private(make_conninfo(**asked), tmp_path)
    assert not any(word in said for word in (secret, "the key's", "strange"))
    assert (tmp_path / "pass").read_text() == "*:*:*:*:a\\:strange\\\\one\n"
    assert within == ["env", f"PGSERVICEFILE={tmp_path}/services"]
    assert (tmp_path / "services").read_text() == "[mediamill]\nsslpassword=the key's\n"
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("pass", "services")} == {0o600}
    told = shown("postgresql://mill@h/x?password=one&sslmode=require&sslpassword=two")
    assert told == "postgresql://mill@h/x?password=***&sslmode=require&sslpassword=***"
    whole = make_conninfo(**asked, service="theirs")
    assert copying._private(whole, tmp_path)[1] == []
    with monkeypatch.context() as patch:  # libpq takes both
        patch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
        given = make_conninfo(Address.of(url).conninfo, service="mediamill")
        async with await AsyncConnection.connect(given) as connection:
            assert (await connection.execute("SELECT 1")).statusmessage == "SELECT 1"
    with pytest.raises(Unavailable, match=r"pg_restore: .*no such"):
        await copying.restored(url, tmp_path / "no such")


async def test_a_dump_is_of_the_moment_that_its_rows_are_read_at(
    elsewhere, servers, tmp_path, monkeypatch
):
    """What is written between has its bytes looked for by nobody."""
    url, empty = elsewhere(Place("postgresql")).store, servers.postgres.database("later")
    store, running = await open_store(url), copying._run
    await store.transact(Put(User(id="user_a", email="a@example.org", created=1)))

    async def later(*told):
        await store.transact(Put(User(id="user_b", email="b@example.org", created=2)))
        await running(*told)

    with monkeypatch.context() as patch:
        patch.setattr(copying, "_run", later)
        async with copying.copied(url, tmp_path, 0) as copy:
            seen = [row.id for row in await copy.rows.walk(User)]
    await copying.restored(empty, copy.path)
    await store.close()
    restored = await open_store(empty)
    assert [row.id for row in await restored.walk(User)] == seen == ["user_a"]
    await restored.close()


async def test_a_dump_is_put_back_whole_or_not_at_all(elsewhere, servers, tmp_path):
    url, empty = elsewhere(Place("postgresql")).store, servers.postgres.database("torn")
    await (await open_store(url)).close()
    with pytest.raises(StorageFull, match="no room"):
        async with copying.copied(url, tmp_path, 1 << 60):
            raise AssertionError
    async with copying.copied(url, tmp_path, 0) as copy:
        assert 0 < copy.born == await copying.born(url)
        data = copy.path.read_bytes()
        copy.path.write_bytes(data[:-40])  # it ends in the last table's rows
    with pytest.raises(Unavailable, match="pg_restore"):
        await copying.restored(empty, copy.path)
    assert await copying.born(empty) is None, "nothing of it is there"


@pytest.mark.timeout(120)
async def test_a_worker_makes_them_by_itself(found, tmp_path, monkeypatch):
    monkeypatch.setattr(back_up, "MINUTE", 0)
    place = tmp_path / "backups"
    settings = found.settings(backup_url=str(place), poll_seconds=0.05)
    async with await App.open(settings) as app, working(app):
        while not await _noted(app):
            await asyncio.sleep(0.05)
        unit = await app.repositories.units.get(KIND, 0)
        assert (unit.klass, unit.kind, unit.owner) == ("transfer", KIND, "system")
        due = unit.due - await app.store.now()
        assert 0 < due <= 30 * 60_000
    async with Vault.open(str(place)) as vault:
        assert await vault.names() == [noted_backup(found.home).snapshot]


async def _noted(app: App) -> bool:
    unit = await app.repositories.units.get(KIND, 0)
    return noted_backup(app.settings.home) is not None and unit.state == "ready"


async def test_what_is_deleted_meanwhile_is_not_missing(found, tmp_path, monkeypatch):
    """Bytes that go, with their row, after the copy of the rows were deleted for good."""
    settings = found.settings()
    async with await App.open(settings) as app, Vault.open(str(tmp_path / "b")) as vault:
        taking = Taking(settings, app.store, app.parts.blob_stores())
        listed, listings = type(app.blobs).list, iter([False, True])
        (file,) = [one for one in await _files(app) if one.name == "1.png"]

        async def deleting(blobs, prefix, after=""):
            if blobs is app.blobs and next(listings):
                await app.blobs.delete(file.blob)
                await app.store.transact(Delete(type(file), (file.id,)))
            async for info in listed(blobs, prefix, after):
                yield info

        monkeypatch.setattr(type(app.blobs), "list", deleting)
        snapshot = await taking.take(vault, "b")
        assert snapshot.missing == []
    shutil.rmtree(tmp_path / "b")


async def _files(app: App) -> list:
    return list(await app.store.walk(File))
