"""Two adjacent versions on one store: what migrations may do, who is refused, what is unknown."""

import re

import apsw
import pytest
from tests.faults.rows import database

from mediamill.app import App
from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings
from mediamill.store.codec import layout_of
from mediamill.store.opening import open_store
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.jobs import Counts, Job, JobState
from mediamill.store.repositories.projects import Project, joining, member
from mediamill.store.repositories.units import Unit, UnitState
from mediamill.store.repositories.users import Role, User
from mediamill.store.sql import migrate
from mediamill.store.sql.migrate import Migration, migrations, pending
from mediamill.store.sql.sqlite import connection as module
from mediamill.store.sql.sqlite.connection import migrate_next

# -- what a migration may do ------------------------------------------------------------------

RELEASED = {"sqlite": 8, "postgres": 1}
"""The last migration from before the rule; it is never changed."""
EXPANDS = re.compile(
    r"CREATE TABLE |CREATE INDEX |"
    r"ALTER TABLE \S+ ADD COLUMN (?!.*\bNOT NULL\b(?!.*\bDEFAULT\b))(?!.*\bREFERENCES\b)",
    re.IGNORECASE,
)
REFUSES = re.compile(r"^-- refuses: \w", re.MULTILINE)
"""Says what an older program would do wrong, though nothing is taken away from it."""
CONTRACTS = re.compile(r"DROP (TABLE|INDEX) |ALTER TABLE \S+ DROP COLUMN ", re.IGNORECASE)


def statements(sql: str) -> list[str]:
    """Divide a script into its statements, each in one line."""
    text = re.sub(r"--.*$", "", sql, flags=re.MULTILINE)
    return [" ".join(part.split()) for part in text.split(";") if part.strip()]


def fills(statement: str, told: list[str]) -> bool:
    """Tell whether a statement changes only columns that the same migration adds to the table."""
    changed = re.match(r"UPDATE (\S+) SET (.*?)(?: WHERE |$)", statement, re.IGNORECASE)
    if not changed:
        return False
    adds = rf"ALTER TABLE {re.escape(changed[1])} ADD COLUMN (\S+)"
    added = {match[1] for one in told if (match := re.match(adds, one, re.IGNORECASE))}
    names = re.findall(r"(?:^|, )(\S+) = ", changed[2])
    return bool(names) and {*names} <= added


def violations(known: tuple[Migration, ...], released: int) -> list[str]:
    """List what would stop, or mislead, an older program that is still at work."""
    broken, least = [], released
    for migration in known[released:]:
        label = f"{migration.version:04}_{migration.name}"
        told = statements(migration.sql)
        expands = all(EXPANDS.match(one) or fills(one, told) for one in told)
        contracts = all(map(CONTRACTS.match, told))
        if "-- compatible:" not in migration.sql:
            broken.append(f"{label} does not say which programs may go on")
        elif expands and migration.compatible > least and not REFUSES.search(migration.sql):
            broken.append(f"{label} only adds: programs that know {least} may go on")
        elif contracts and not least < migration.compatible < migration.version:
            broken.append(f"{label} takes away what programs that know {least} may still use")
        elif not (expands or contracts):
            broken.append(f"{label} does more than add, or more than take away")
        least = max(least, migration.compatible)
    return broken


@pytest.mark.parametrize("dialect", RELEASED)
def test_migrations_expand(dialect):
    assert violations(migrations(dialect), RELEASED[dialect]) == []


PLANTED = {
    "does not say": "CREATE TABLE more (id TEXT)",
    "only adds": "-- compatible: 9\nCREATE TABLE more (id TEXT)",
    "more than add": "-- compatible: 8\nALTER TABLE files ADD COLUMN mood TEXT NOT NULL",
    "more than add, or": "-- compatible: 8\nALTER TABLE files RENAME COLUMN size TO bytes",
    "does more": "-- compatible: 8\nALTER TABLE jobs ADD COLUMN x TEXT; DROP INDEX job_listed",
    "than add": "-- compatible: 8\nUPDATE files SET size = 0",
    "than add, or": "-- compatible: 8\nALTER TABLE files ADD COLUMN mood TEXT; "
    "UPDATE files SET mood = name, size = 0",
    "takes away": "-- compatible: 8\nDROP TABLE tokens",
    "may still use": "-- compatible: 9\nALTER TABLE files DROP COLUMN name",
}


@pytest.mark.parametrize("told", PLANTED)
def test_a_migration_that_would_stop_older_programs_is_noticed(told):
    known = (*migrations("sqlite")[:8], Migration(9, "planted", PLANTED[told]))
    broken = violations(known, 8)
    assert len(broken) == 1
    assert told in broken[0]


def test_what_is_added_may_be_filled():
    added = "-- compatible: 8\nALTER TABLE a ADD COLUMN b TEXT; UPDATE a SET b = LOWER(c), b = 'x'"
    assert violations((*migrations("sqlite")[:8], Migration(9, "added", added)), 8) == []


def test_older_programs_may_be_refused_for_a_reason():
    sql = "-- compatible: 9\n-- refuses: they would take it for theirs\nCREATE TABLE a (b TEXT)"
    assert violations((*migrations("sqlite")[:8], Migration(9, "new", sql)), 8) == []


def test_what_nobody_uses_may_go_in_a_later_release():
    added = "-- compatible: 8\nALTER TABLE a ADD COLUMN b TEXT; CREATE INDEX c ON a (b)"
    taken = "-- compatible: 9\nDROP INDEX d; ALTER TABLE a DROP COLUMN e"
    known = (*migrations("sqlite")[:8], Migration(9, "add", added), Migration(10, "take", taken))
    assert violations(known, 8) == []


# -- who is refused ---------------------------------------------------------------------------


def newer(compatible: int) -> tuple[Migration, ...]:
    """Return the migrations of a version to come."""
    known = migrations("sqlite")
    sql = f"-- compatible: {compatible}\nALTER TABLE users ADD COLUMN mood TEXT"
    return (*known, Migration(len(known) + 1, "mood", sql))


async def upgraded(path, known: tuple[Migration, ...]) -> str:
    """Open a file with another version of the program; return its URL."""
    url = f"sqlite:///{path}"
    store = await open_store(url)
    await store.close()
    connection = apsw.Connection(str(path))
    while migrate_next(connection, 1, known):
        pass
    connection.close()
    return url


async def test_an_older_program_goes_on_after_a_migration_that_adds(tmp_path):
    url = await upgraded(tmp_path / "a.db", newer(len(migrations("sqlite"))))
    store = await open_store(url)
    await store.close()


async def test_an_older_program_is_refused_after_one_that_takes_away(tmp_path):
    last = len(migrations("sqlite"))
    url = await upgraded(tmp_path / "a.db", newer(last + 1))
    with pytest.raises(ConfigurationError) as caught:
        await open_store(url)
    told = caught.value.message
    assert f"schema version {last + 1} and asks for programs that know version {last + 1}" in told
    assert f"this one knows versions up to {last}. Install the newer mediamill" in told


async def test_a_program_at_work_says_that_it_is_refused(tmp_path):
    last = len(migrations("sqlite"))
    async with await App.open(Settings(home=tmp_path, slots=1, min_free_bytes=0)) as app:
        path = database(app.settings.store_url)
        await upgraded(path, newer(last))
        assert (await app.parts.examine())["store"] == "ok"
        await upgraded(path, (*newer(last), Migration(last + 2, "next", "CREATE TABLE a (b TEXT)")))
        said = (await app.parts.examine())["store"]
    assert f"asks for programs that know version {last + 2} or later" in said


@pytest.mark.parametrize("dialect", RELEASED)
def test_a_program_from_before_accounts_is_refused(dialect):
    """It would take links that are mailed for API tokens, and ask for no second factor."""
    known = migrations(dialect)
    last = max(migration.compatible for migration in known)
    assert known[last - 1].name == "accounts"
    with pytest.raises(ConfigurationError, match=f"know version {last} or later"):
        pending(known[: last - 1], len(known), last)
    assert pending(known[:last], len(known), last) == ()


async def test_what_an_older_release_noted_of_its_migrations_is_kept(tmp_path, monkeypatch):
    """Until 0008 nothing was said of older programs."""
    path, known = tmp_path / "a.db", migrations("sqlite")
    with monkeypatch.context() as patch:
        patch.setattr(module, "VERSION_TABLE", migrate.VERSION_TABLE.replace(
            ",\n    compatible BIGINT", ""))  # fmt: skip
        patch.setattr(module, "TOLD", "SELECT 1")
        patch.setattr(module, "VERSION", "SELECT COALESCE(MAX(version), 0), 0 FROM schema_version")
        patch.setattr(module, "_apply", _as_it_was)
        connection = apsw.Connection(str(path))
        while migrate_next(connection, 1, known[:8]):
            pass
    connection.close()
    store = await open_store(f"sqlite:///{path}")
    await store.close()
    connection = apsw.Connection(str(path))
    noted = connection.execute("SELECT version, compatible FROM schema_version").fetchall()
    connection.close()
    assert noted == [
        *((n, None) for n in range(1, 9)),
        *((m.version, m.compatible) for m in known[8:]),
    ]


def _as_it_was(connection: apsw.Connection, migration: Migration) -> None:
    connection.execute(migration.sql)
    applied = (migration.version, migration.name, 0)
    connection.execute("INSERT INTO schema_version VALUES (?, ?, ?)", applied)


# -- what is unknown --------------------------------------------------------------------------


def test_a_value_that_only_a_newer_program_knows_is_read_and_written_as_it_is():
    for kind, name in ((Unit, "state"), (Job, "state"), (File, "state"), (User, "role")):
        column = layout_of(kind).column(name)
        found = column.decode("frozen")
        assert column.encode(found) == found == "frozen"
        assert found not in list(type(found))
        assert isinstance(found, column.decode.cls)


def test_an_unknown_state_is_no_end_and_no_permission():
    states = {kind: layout_of(kind).column("state").decode("frozen") for kind in (Unit, Job, File)}
    assert states[Unit].open
    assert not states[Job].terminal
    assert {state for state in JobState if state.terminal} == {
        "succeeded", "partial", "failed", "cancelled", "expired",
    }  # fmt: skip
    assert {state for state in UnitState if state.open} == {"ready", "leased"}
    file = File(id="file_1", owner="u", name="a", media_type="x/y", size=1, sha256="", crc32=0,
                blob="b", created=1)  # fmt: skip
    assert file.evolve(state=FileState.READY).obstacle == ""
    assert "only a newer version knows" in file.evolve(state=states[File]).obstacle
    assert layout_of(User).column("role").decode("owner") is not Role.ADMIN


def test_a_field_within_a_field_that_only_a_newer_program_knows_is_passed_over():
    column = layout_of(Job).column("counts")
    assert column.decode('{"succeeded":1,"failed":0,"paused":3}') == Counts(succeeded=1)


def test_members_that_an_older_program_adds_are_counted_as_originals_in_no_split():
    """It counts `files` alone."""
    project = Project(id="proj_1", owner="u", name="a", created=1, files=5, original_train=2,
                      augmented_test=1)  # fmt: skip
    assert project.counts["original"] == {"": 2, "train": 2, "validation": 0, "test": 0}
    assert project.counts["augmented"] == {"": 0, "train": 0, "validation": 0, "test": 1}
    update = joining(project, [member("proj_1", "file_1", 1)])[-1]
    assert update.add == {"files": 1}


def test_a_field_that_an_older_program_did_not_write_has_its_default():
    layout = layout_of(User)
    row = [*layout.encode(User(id="user_1", email="a@b.c", created=5))]
    for name in ("name", "disabled", "role"):
        row[[column.name for column in layout.columns].index(name)] = None
    assert layout.decode(tuple(row)) == User(id="user_1", email="a@b.c", created=5)
