"""R18, its first half: killed while the schema is brought up to date; it opens right afterwards.

On SQLite and PostgreSQL the process is killed at any time, on DynamoDB, where a step is a request,
behind each of them. The soak kills 100 times on each of the former, in about three minutes.
"""

import asyncio
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import apsw
import psycopg
import pytest

from mediamill.store.dynamodb import opening, table
from mediamill.store.opening import open_store
from mediamill.store.port import Put
from mediamill.store.repositories.users import User
from mediamill.store.sql.migrate import Migration, migrations
from mediamill.store.sql.sqlite.connection import connect, migrate_next
from mediamill.store.sql.statements import SQLITE
from tests.support.places import Place

ROOT = Path(__file__).parents[2]
STEPS = 6
ROWS = 5_000

MIGRATE_POSTGRES = """
import asyncio, sys
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.postgres.login import Login
from mediamill.store.sql.postgres.migrating import migrate_next
from tests.faults.test_killed_migrations import heavy

async def migrate(url):
    connection = await Login(Address.of(url)).connect()
    print("begun", flush=True)
    while await migrate_next(connection, heavy()):
        print("one", flush=True)

asyncio.run(migrate(sys.argv[1]))
"""

MIGRATE = """
import sys
from pathlib import Path
from mediamill.store.sql.sqlite import connection as module
from mediamill.store.sql.sqlite.connection import connect, migrate_next
from tests.faults.test_killed_migrations import heavy
if sys.argv[2] == "apart":  # planted: the steps are not in the transaction of their version
    note = module._apply
    def apart(connection, migration):
        connection.execute("COMMIT")
        connection.execute(migration.sql)
        connection.execute("BEGIN IMMEDIATE")
        note(connection, migration.__class__(migration.version, migration.name, ""))
    module._apply = apart
connection = connect(Path(sys.argv[1]), 30)
print("begun", flush=True)
while migrate_next(connection, 30, heavy()):
    print("one", flush=True)
"""


def heavy() -> tuple[Migration, ...]:
    """Make migrations that each change a table in several steps, which take a while together."""
    first = "CREATE TABLE tallies (n INTEGER, made BIGINT);"
    found = [Migration(1, "first", first)]
    for number in range(2, STEPS + 2):
        rows = f"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {ROWS})"
        sql = (
            f"ALTER TABLE tallies ADD COLUMN added_{number} BIGINT;"
            f"{rows} INSERT INTO tallies (n, made) SELECT i, {number} FROM c;"
            f"UPDATE tallies SET added_{number} = n;"
            f"CREATE INDEX tallies_{number} ON tallies (added_{number}, n);"
        )
        found.append(Migration(number, f"step_{number}", sql))
    return tuple(found)


def killed(path: Path | str, seconds: float, how: str = "together") -> bool:
    """Migrate in a process that is killed after a while; False when it was done before that."""
    program = MIGRATE if isinstance(path, Path) else MIGRATE_POSTGRES
    command = [sys.executable, "-c", program, str(path), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
        child.stdout.readline()
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
    return child.returncode == -signal.SIGKILL


def is_whole(path: Path) -> int:
    """Check that a file stands exactly behind some migration; return which."""
    connection = apsw.Connection(str(path))
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        applied = [row[0] for row in connection.execute("SELECT version FROM schema_version")]
        assert applied == list(range(1, len(applied) + 1))
        rows = connection.execute("SELECT made, count(*) FROM tallies GROUP BY made").fetchall()
        assert rows == [(number, ROWS) for number in applied[1:]]
        columns = [row[1] for row in connection.execute("PRAGMA table_info(tallies)")]
        assert columns == ["n", "made", *(f"added_{number}" for number in applied[1:])]
        indexes = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")
        assert {row[0] for row in indexes} >= {f"tallies_{number}" for number in applied[1:]}
        return len(applied)
    finally:
        connection.close()


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.soak)])
@pytest.mark.timeout(1800)
def test_killed_while_migrating(tmp_path, kills):
    chance, stood = random.Random(18), set()
    while kills:
        path = tmp_path / f"{kills}.db"
        connection = connect(path, 30)
        assert migrate_next(connection, 30, heavy())
        connection.close()
        before = 1
        for _ in range(2):  # killed again where it goes on
            kills -= killed(path, chance.random() * 0.15)
            now = is_whole(path)
            assert now >= before
            before = now
            stood.add(now)
        assert not killed(path, 60)
        assert is_whole(path) == STEPS + 1
        path.unlink()
        kills = max(kills, 0)
    assert stood - {STEPS + 1}


def is_whole_there(url: str) -> int:
    """Check the same of a database of PostgreSQL."""
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('schema_version')").fetchone() == (None,):
            return 0
        found = connection.execute("SELECT version FROM schema_version ORDER BY version").fetchall()
        applied = [row[0] for row in found]
        assert applied == list(range(1, len(applied) + 1))
        query = "SELECT made, count(*) FROM tallies GROUP BY made ORDER BY made"
        assert connection.execute(query).fetchall() == [(number, ROWS) for number in applied[1:]]
        named = "SELECT column_name FROM information_schema.columns WHERE table_name = 'tallies'"
        columns = {row[0] for row in connection.execute(named)}
        assert columns == {"n", "made", *(f"added_{number}" for number in applied[1:])}
        named = "SELECT indexname FROM pg_indexes WHERE tablename = 'tallies'"
        indexes = {row[0] for row in connection.execute(named)}
        assert indexes == {f"tallies_{number}" for number in applied[1:]}
        return len(applied)


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.soak)])
@pytest.mark.timeout(1800)
@pytest.mark.embedded("it names its own place")
def test_killed_while_migrating_postgresql(servers, kills):
    chance, stood = random.Random(18), set()
    while kills > 0:
        url, before = servers.postgres.database(f"killed_{kills}"), 0
        for _ in range(3):  # killed again where it goes on
            kills -= killed(url, chance.random() * 0.25)
            now = is_whole_there(url)
            assert now >= before
            before = now
            stood.add(now)
        assert not killed(url, 60)  # the killed one's session may hold the lock for a moment
        assert is_whole_there(url) == STEPS + 1
    assert stood - {STEPS + 1}


class Cut:
    """A client of DynamoDB that is gone behind so many requests, as if its process was killed.

    It keeps the tags of a new table, which DynamoDB Local does not.
    """

    def __init__(self, client, requests: int = 0, tags: tuple = ()) -> None:
        self.client, self.left, self.exceptions = client, requests, client.exceptions
        self.asked, self.tags = list[str](), tags

    def __getattr__(self, name: str):
        async def asked(**arguments):
            self.asked.append(name)
            self.tags = arguments.get("Tags", self.tags)
            try:
                if name == "list_tags_of_resource":
                    return {"Tags": self.tags}
                return await getattr(self.client, name)(**arguments)
            finally:
                self.left -= 1
                if not self.left:
                    raise asyncio.CancelledError

        return asked


@pytest.mark.embedded("it names its own place")
async def test_killed_while_a_table_is_made_or_brought_up(servers, monkeypatch):
    """Behind each request of a program that comes to no table, then to one of a former version."""
    environment = servers.environment(Place("dynamodb"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    url = environment["MEDIAMILL_STORE_URL"]
    name, options = opening._read(url)
    newest, cut = table.VERSION, 0

    def be(version: int) -> None:
        monkeypatch.setattr(table, "VERSION", version)
        monkeypatch.setattr(table, "COMPATIBLE", version)

    async with opening._client(options) as client:
        while True:
            cut += 1
            be(newest - 1)
            first = Cut(client, cut)
            with suppress(asyncio.CancelledError):
                await table.prepare(first, f"{name}-{cut}", protected=False)
            second = Cut(client, tags=first.tags)
            await table.prepare(second, f"{name}-{cut}", protected=False)
            assert "update_continuous_backups" in first.asked + second.asked
            be(newest)
            with suppress(asyncio.CancelledError):
                await table.prepare(Cut(client, cut), f"{name}-{cut}", protected=False)
            await table.prepare(client, f"{name}-{cut}", protected=False)
            mark = (await client.get_item(TableName=f"{name}-{cut}", Key=table.MARK))["Item"]
            assert mark["version"] == {"N": str(newest)}
            assert mark["unused"] == {"BOOL": True}
            if first.left > 0:
                break
    assert cut > 6, "it was cut behind every request"
    store = await open_store(url.replace(name, f"{name}-3"))
    await store.transact(Put(User(id="user_1", email="a@example.org", created=5)))
    assert (await store.get(User, "user_1")).email == "a@example.org"
    await store.close()


@pytest.mark.soak
def test_a_migration_in_pieces_is_noticed(tmp_path):
    """A planted fault of R18."""
    chance, broken = random.Random(18), 0
    for n in range(10):
        path = tmp_path / f"{n}.db"
        connection = connect(path, 30)
        assert migrate_next(connection, 30, heavy())
        connection.close()
        assert killed(path, chance.random() * 0.1, "apart")
        try:
            is_whole(path)
        except AssertionError:
            broken += 1
    assert broken


async def test_a_service_begun_on_an_older_schema_keeps_its_rows(tmp_path):
    """Two processes open the file of an older program at once; one migrates."""
    path = tmp_path / "mediamill.db"
    connection = connect(path, 30)
    known = migrations(SQLITE.name)
    assert migrate_next(connection, 30, known[:1])
    old = ("user_1", "a@example.org", "Ann", "", "user", 0, 5)
    connection.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?)", old)
    connection.close()
    stores = await asyncio.gather(*(open_store(f"sqlite:///{path}") for _ in range(3)))
    for store in stores:
        assert (await store.get(User, "user_1")).name == "Ann"
        await store.close()
    connection = apsw.Connection(str(path))
    applied = connection.execute("SELECT version FROM schema_version").fetchall()
    connection.close()
    assert applied == [(number,) for number in range(1, len(known) + 1)]
