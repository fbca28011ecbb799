"""SQLite's own promises, on top of the contract: opening, sharing, errors, closing."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
import pytest_asyncio
from tests.contracts.store_contract import DUE, KINDS, StoreContract, Thing, orders, put, thing
from tests.support.holding import longest_hold, undisturbed

from mediamill.core.clock import FixedClock
from mediamill.core.errors import ConfigurationError, StorageFull, Unavailable
from mediamill.core.mounts import network_type
from mediamill.store.calls import listing_of
from mediamill.store.opening import open_store
from mediamill.store.port import Absent, Equals, Page, Put, Update, key_index
from mediamill.store.sql.sqlite.connection import connect
from mediamill.store.sql.sqlite.store import READERS, SqliteStore
from mediamill.store.sql.statements import SQLITE, statements_of


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(f"sqlite:///{tmp_path}/deep/store.db", extra_kinds=KINDS)
    yield store
    await store.close()


class TestSqlite(StoreContract):
    @pytest_asyncio.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        store = await SqliteStore.open(tmp_path / "store.db", KINDS)
        yield store
        await store.close()


# -- opening ----------------------------------------------------------------------------------


async def test_the_settings_of_the_file(store: SqliteStore):
    connection = store._writer._connection
    for pragma, value in {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 0}.items():
        assert connection.execute(f"PRAGMA {pragma}").fetchall() == [(value,)]
    for name in (connection.filename, connection.filename_wal):
        assert os.stat(name).st_mode & 0o077 == 0


async def test_its_caches_are_bounded(store: SqliteStore):
    def kilobytes(connection: apsw.Connection) -> int:
        return -connection.execute("PRAGMA cache_size").fetchall()[0][0]

    reading = await store._readers.read(kilobytes)
    assert kilobytes(store._writer._connection) + READERS * reading <= 24_000


@pytest.mark.parametrize("descending", [False, True])
async def test_a_late_page_costs_what_the_first_did(store: SqliteStore, descending: bool):
    """SQLite's steps are counted: a page must not walk what lies before its cursor."""
    await put(store, *(thing(n, due=0) for n in range(1000)))
    steps: list[int] = []
    after: str | None = None
    while True:
        page = await counted(store, steps, after, descending)
        if (after := page.after) is None:
            break
    assert len(steps) == 10
    assert max(steps[1:-1]) <= 1.1 * min(steps[1:-1])
    assert steps[1] <= 2 * steps[0]


async def counted(
    store: SqliteStore, steps: list[int], after: str | None, descending: bool
) -> Page[Thing]:
    """List a page of a hundred; add the steps that it took."""
    listing = listing_of(
        Thing, DUE, ("o",), at_least=0, at_most=0, after=after, limit=100, descending=descending
    )
    statement = statements_of(Thing, SQLITE).query(listing)

    def read(connection: apsw.Connection) -> Page[Thing]:
        steps.append(0)

        def step() -> bool:
            steps[-1] += 1
            return False

        connection.set_progress_handler(step, 1)
        try:
            return listing.page(connection.execute(statement.sql, statement.values).fetchall())
        finally:
            connection.set_progress_handler(None)

    return await store._readers.read(read)


def test_the_version_of_sqlite_has_the_fix_of_wal_recovery():
    assert tuple(int(part) for part in SqliteStore.version.split(".")) >= (3, 51, 3)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://host/db",
        "nonsense",
        "",
        "sqlite://relative.db",
        "sqlite:",
        "sqlite:///",
        "sqlite:////tmp/x.db?colour=red",
        "sqlite:////tmp/x.db?readers=0",
        "sqlite:////tmp/x.db?readers=many",
        "sqlite:////tmp/x.db?timeout=-1",
        "sqlite:////proc/nowhere/x.db",
        "sqlite:////etc/passwd/x.db",
    ],
)
async def test_a_bad_url_names_the_setting(url: str):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STORE_URL"):
        await open_store(url)


async def test_another_file_format_is_refused(tmp_path: Path):
    path = tmp_path / "store.db"
    path.write_bytes(b"something else entirely " * 500)
    with pytest.raises(ConfigurationError, match="not an SQLite database"):
        await SqliteStore.open(path)


async def test_parameters_and_clock(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/a%20b.db?readers=1&timeout=2.5"
    store = await open_store(url, clock=FixedClock(5))
    assert await store.now() == 5
    assert (tmp_path / "a b.db").exists()
    await store.close()


MOUNTS = """
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:40 / /data rw - nfs4 server:/export rw
31 30 254:1 / /data/local rw - xfs /dev/vdb rw
32 22 0:41 / /share\\040one rw shared:7 - cifs //host/share rw
33 22 0:42 / /home/me/remote rw - fuse.sshfs host: rw
34 22 0:43 / /over rw - nfs server:/x rw
35 22 254:2 / /over rw - ext4 /dev/vdc rw
""".strip()


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/var/lib/x.db", None),
        ("/data/x.db", "nfs4"),
        ("/database/x.db", None),
        ("/data/local/x.db", None),
        ("/share one/deep/x.db", "cifs"),
        ("/home/me/remote/x.db", "fuse.sshfs"),
        ("/over/x.db", None),
    ],
)
def test_network_file_systems_are_recognised(path: str, found: str | None):
    assert network_type(Path(path), MOUNTS) == found


async def test_a_network_file_system_is_refused_with_the_remedy(tmp_path: Path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / {tmp_path} rw - nfs4 server:/ rw\n")
    monkeypatch.setattr("mediamill.core.mounts.MOUNTS", mounts)
    with pytest.raises(ConfigurationError, match=r"nfs4.*local disk.*postgresql"):
        await open_store(f"sqlite:///{tmp_path}/x.db")
    assert not (tmp_path / "x.db").exists()


# -- writing ----------------------------------------------------------------------------------


async def test_concurrent_transactions_share_commits(store: SqliteStore):
    connection = store._writer._connection
    commits: list[str] = []
    connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: commits.append(event["sql"]))
    await asyncio.gather(*(store.transact(Put(thing(n, due=n))) for n in range(200)))
    assert 1 <= commits.count("COMMIT") < 50
    assert commits.count("COMMIT") == commits.count("BEGIN IMMEDIATE")
    assert await orders(store, DUE, "o") == list(range(200))


async def test_another_writer_makes_one_wait_then_unavailable(tmp_path: Path):
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, KINDS, timeout=60)
    await put(store, thing(1))
    other = connect(path, 1)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.transact(Put(thing(2))))
    await asyncio.sleep(0.2)
    assert await store.get(Thing, "g", 1) == thing(1)  # reads do not wait
    other.execute("ROLLBACK")
    await waiting
    hasty = await SqliteStore.open(path, KINDS, timeout=0.5)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(Unavailable, match="busy"):
        await hasty.transact(Put(thing(3)))
    assert time.monotonic() - started > 0.4
    other.execute("ROLLBACK")
    other.close()
    await store.transact(Put(thing(4)))
    assert await orders(store, key_index(Thing), "g") == [1, 2, 4]
    await hasty.close()
    await store.close()


async def test_a_full_disk_fails_all_and_passes(store: SqliteStore):
    await put(store, thing(0))
    connection = store._writer._connection
    pages = connection.execute("PRAGMA page_count").fetchall()[0][0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    big = bytes(300_000)
    outcomes = await asyncio.gather(
        *(store.transact(Put(thing(n, blob=big)), Put(thing(n, "h"))) for n in range(1, 4)),
        return_exceptions=True,
    )
    assert all(isinstance(each, StorageFull) for each in outcomes)
    assert await orders(store, key_index(Thing), "g") == [0]
    assert await orders(store, key_index(Thing), "h") == []
    connection.execute("PRAGMA max_page_count = 1000000")
    await store.transact(Put(thing(1, blob=big)))
    assert await orders(store, key_index(Thing), "g") == [0, 1]


async def test_the_loop_is_not_blocked_by_a_waiting_writer(tmp_path: Path):
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, KINDS, timeout=5)
    other = connect(path, 1)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.transact(Put(thing(2))))
    worst, _ = await longest_hold(asyncio.sleep(0.25), undisturbed)
    assert worst < 2, "a writer waits five seconds"
    other.execute("ROLLBACK")
    other.close()
    await waiting
    await store.close()


async def test_a_missing_table_is_an_error_of_ours(tmp_path: Path):
    store = await SqliteStore.open(tmp_path / "store.db")
    for call in (store.transact(Put(thing())), store.get(Thing, "g", 0)):
        with pytest.raises(Exception, match="no such table") as caught:
            await call
        assert caught.value.code == "internal"
    await store.close()


# -- closing ----------------------------------------------------------------------------------


async def test_close_checkpoints_and_ends_its_threads(tmp_path: Path):
    before = threading.active_count()
    store = await SqliteStore.open(tmp_path / "store.db", KINDS)
    await put(store, thing(1))
    await store.close()
    names = {thread.name for thread in threading.enumerate()}
    assert not {name for name in names if name.startswith("store-")}
    assert threading.active_count() <= before + 1  # the executor's own
    assert sorted(os.listdir(tmp_path)) == ["store.db", "store.db-clock"]


async def test_close_does_not_wait_for_readers_elsewhere(tmp_path: Path):
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, KINDS)
    await put(store, thing(1))
    other = connect(path, 1)
    other.execute("BEGIN")
    other.execute("SELECT * FROM contract_things").fetchall()
    await put(store, thing(2))
    await asyncio.wait_for(store.close(), 60)
    other.close()


FORGETS = """
import asyncio, sys
from tests.contracts.store_contract import KINDS, put, thing
from mediamill.store.sql.sqlite.store import SqliteStore
async def main():
    store = await SqliteStore.open(sys.argv[1], KINDS)
    await put(store, thing(1))
asyncio.run(main())
"""


async def test_a_program_that_forgets_to_close_still_ends(tmp_path: Path):
    path = tmp_path / "store.db"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FORGETS, str(path)]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=20, cwd=root)
    store = await SqliteStore.open(path, KINDS)
    assert await store.get(Thing, "g", 1) == thing(1)
    await store.close()


async def test_a_guarded_insert_of_two_processes_succeeds_once(tmp_path: Path):
    path = tmp_path / "store.db"
    one, two = await SqliteStore.open(path, KINDS), await SqliteStore.open(path, KINDS)
    for n in range(50):
        tries = [each.transact(Put(thing(n), when=(Absent(),))) for each in (one, two)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert outcomes.count(None) == 1
        claim = Update(Thing, ("g", n), add={"count": 1}, when=(Equals("count", 0),))
        tries = [each.transact(claim) for each in (two, one)]
        assert (await asyncio.gather(*tries, return_exceptions=True)).count(None) == 1
    await one.close()
    await two.close()
