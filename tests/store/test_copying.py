"""Copies of a SQLite file that is written to: one moment of it, however long the copy takes."""

import asyncio
import shutil

import apsw
import pytest

from mediamill.core.errors import BrokenMedia, StorageFull
from mediamill.store.opening import open_store
from mediamill.store.port import Put
from mediamill.store.repositories.users import User
from mediamill.store.sql.sqlite import copying

ROWS = 200


async def test_what_is_written_meanwhile_neither_delays_nor_enters_a_copy(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/mediamill.db"
    store = await open_store(url)
    for start in range(0, ROWS, 50):
        await store.transact(*(Put(user(n)) for n in range(start, start + 50)))
    steps = [0]

    async def written_meanwhile(act, *arguments):
        steps[0] += 1
        if steps[0] <= 500:  # were it begun anew each time, it would end only then
            await store.transact(Put(user(ROWS + steps[0])))
        return act(*arguments)

    monkeypatch.setattr(copying, "PAGES", 5)
    monkeypatch.setattr(copying, "to_end", written_meanwhile)
    (tmp_path / "copy").mkdir()
    async with copying.copied(url, tmp_path / "copy", 0) as copy:
        assert 10 < steps[0] < 500
        found = await copy.rows.walk(User)
        assert [row.id for row in found] == [user(n).id for n in range(ROWS)]
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["mediamill.db"]
    await store.close()


def user(number: int) -> User:
    return User(id=f"user_{number:06}", email=f"{number}@example.org", created=number)


async def test_a_copy_leaves_room_for_the_service(tmp_path):
    url = f"sqlite:///{tmp_path}/mediamill.db"
    await (await open_store(url)).close()
    (tmp_path / "copy").mkdir()
    spare = shutil.disk_usage(tmp_path).free - 1
    with pytest.raises(StorageFull, match="has no room for a copy of the rows"):
        async with copying.copied(url, tmp_path / "copy", spare):
            raise AssertionError
    assert list((tmp_path / "copy").iterdir()) == [], "before a byte is written"


async def test_a_copy_that_is_damaged_is_not_put_back(tmp_path):
    url, copy = f"sqlite:///{tmp_path}/new/mediamill.db", tmp_path / "copy.db"
    await (await open_store(f"sqlite:///{copy}")).close()
    data = bytearray(copy.read_bytes())
    for page in range(4, len(data) // 4096):
        data[page * 4096 : page * 4096 + 8] = b"damaged!"
    copy.write_bytes(data)
    with pytest.raises(BrokenMedia):
        await copying.restored(url, copy)
    assert await copying.born(url) is None


async def test_when_a_database_was_made_goes_with_its_copies(tmp_path):
    url = f"sqlite:///{tmp_path}/mediamill.db"
    assert await copying.born(url) is None
    await (await open_store(url)).close()
    (tmp_path / "copy").mkdir()
    async with copying.copied(url, tmp_path / "copy", 0) as copy:
        assert 0 < copy.born == await copying.born(url)
    (tmp_path / "other").touch()
    assert await copying.born(f"sqlite:///{tmp_path}/other") == 0


async def test_who_is_told_to_stop_waits_for_no_check(tmp_path):
    connection = apsw.Connection(str(tmp_path / "any.db"))
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def endless(on: apsw.Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        counting = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c)"
        on.execute(f"{counting} SELECT count(*) FROM c").fetchall()

    checking = asyncio.create_task(copying._interruptibly(endless, connection))
    await begun.wait()
    checking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checking
    connection.close()
