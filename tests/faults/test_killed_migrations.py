"""R18, its first half: killed while the schema is brought up to date; it opens right afterwards.

The soak kills 100 times, in about a minute.
"""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from mediamill.store.opening import open_store
from mediamill.store.repositories.users import User
from mediamill.store.sql.migrate import Migration, migrations
from mediamill.store.sql.sqlite.connection import connect, migrate_next
from mediamill.store.sql.statements import SQLITE

ROOT = Path(__file__).parents[2]
STEPS = 6
ROWS = 5_000

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


def killed(path: Path, seconds: float, how: str = "together") -> bool:
    """Migrate in a process that is killed after a while; False when it was done before that."""
    command = [sys.executable, "-c", MIGRATE, str(path), how]
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
