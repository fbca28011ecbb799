"""Claims on every store: in several steps, and on PostgreSQL also in one; R6 by processes."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from tests.contracts.claims_contract import ClaimsContract, add, everything
from tests.support.places import Servers

from mediamill.store.claims import Claims
from mediamill.store.memory import MemoryStore
from mediamill.store.opening import open_store
from mediamill.store.port import Store
from mediamill.store.repositories.units import Units
from mediamill.store.sql.postgres import claiming

ROOT = Path(__file__).parents[2]


class InSteps:
    """A store that hides that it could claim at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name == "claim":
            raise AttributeError(name)
        return getattr(self._store, name)


class TestMemory(ClaimsContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class TestSqlite(ClaimsContract):
    @pytest_asyncio.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        store = await open_store(f"sqlite:///{tmp_path}/test.db")
        yield store
        await store.close()


@pytest.fixture(scope="module")
def database(servers: Servers) -> str:
    return servers.postgres.database("claims")


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest_asyncio.fixture
async def postgres(database: str, connection: psycopg.Connection) -> AsyncIterator[Store]:
    store = await open_store(database)
    connection.execute("DELETE FROM units")
    connection.execute("DELETE FROM lanes")
    yield store
    await store.close()


class TestPostgres(ClaimsContract):
    @pytest.fixture
    def store(self, postgres: Store) -> Store:
        assert isinstance(postgres, Claims)
        return postgres


class TestPostgresInSteps(ClaimsContract):
    @pytest.fixture
    def store(self, postgres: Store) -> InSteps:
        assert not isinstance(InSteps(postgres), Claims)
        return InSteps(postgres)


# -- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "planted"),
    [
        ("FOR UPDATE SKIP LOCKED", ""),
        ('ORDER BY "active", "vtime", "owner"', 'ORDER BY "active", "owner"'),
        ('"vtime" + taken."cost"', '"vtime"'),
        ('"fence" + 1', '"fence"'),
        ('"lost" + ("state" = \'leased\')::int', '"lost"'),
        ('AND "due" <= (SELECT ms FROM clock)', ""),
        ('ORDER BY "queue", "due", "group", "seq"', 'ORDER BY "queue", "due" DESC, "seq"'),
    ],
)
async def test_planted_faults_are_noticed(
    postgres: Store,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    ours: str,
    planted: str,
):
    assert ours in claiming._CLAIM
    monkeypatch.setattr(claiming, "_CLAIM", claiming._CLAIM.replace(ours, planted))
    suite, noticed = ClaimsContract(), False
    for check in [name for name in dir(suite) if name.startswith("test_")]:
        connection.execute("DELETE FROM units")
        connection.execute("DELETE FROM lanes")
        try:
            await getattr(suite, check)(postgres)
        except AssertionError:
            noticed = True
            break
    assert noticed


# -- processes ----------------------------------------------------------------------------------

CLAIMS = """
import asyncio, json, sys
from mediamill.engine.scheduler import Scheduler
from mediamill.store.opening import open_store

async def main():
    store = await open_store(sys.argv[1])
    mine, scheduler = [], Scheduler(store, 3_600_000)
    while (unit := await scheduler.claim_next(["bulk"], sys.argv[2])) is not None:
        mine.append(unit.name)
    await store.close()
    print(json.dumps(mine))
asyncio.run(main())
"""


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command, pipe = [sys.executable, "-c", CLAIMS, *arguments], subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, cwd=ROOT)


@pytest.mark.parametrize(
    ("processes", "each"), [(3, 100), pytest.param(8, 1000, marks=pytest.mark.soak)]
)
@pytest.mark.timeout(900)
async def test_processes_claim_each_unit_once(
    postgres: Store, database: str, processes: int, each: int
):
    for owner in range(4):
        await add(postgres, f"owner-{owner}", processes * each // 4)
    workers = [start(database, f"worker-{n}") for n in range(processes)]
    claimed: list[str] = []
    for worker in workers:
        told, wrong = await asyncio.to_thread(worker.communicate, timeout=600)
        assert worker.returncode == 0, wrong
        claimed += json.loads(told)
    assert Counter(Counter(claimed).values()) == {1: processes * each}
    for owner in range(4):
        units = [u async for u in Units(postgres).walk_group(f"bulk-owner-{owner}")]
        assert {(unit.state, unit.fence, unit.lost) for unit in units} == {("leased", 1, 0)}
    assert await everything(postgres) == []
