"""`mediamill analytics`: SQL about figures, whose rows are all that it reaches; and the export."""

import asyncio
import json
from datetime import date

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from mediamill.analytics import asking
from mediamill.analytics.definitions import athena, duckdb, glue
from mediamill.analytics.exporting import STATE, TABLE, Exporter
from mediamill.analytics.places import Folder, open_place
from mediamill.analytics.table import COLUMNS, days
from mediamill.cli.root import root
from mediamill.core.clock import FixedClock
from mediamill.core.errors import ConfigurationError, InvalidInput, StorageFull
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import About, Fact, Figures, took
from mediamill.store.sql.sqlite.store import SqliteStore

NOW = 1_795_000_000_000
TODAY = day_of(NOW)


def done(day: str, status: str = "succeeded") -> Fact:
    return Fact(
        about=About.ITEMS, day=day, status=status, operation="resize", source="upload",
        media_type="image/jpeg", counts={"count": 1, "bytes": 7, **took(400)},
    )  # fmt: skip


async def count(store, *facts: Fact) -> None:
    await store.transact(*await Figures(store).counting(None, facts))


@pytest.fixture
async def store():
    made = MemoryStore(FixedClock(NOW))
    made.contenders = 3
    await count(made, done(TODAY), done(TODAY, "failed"))
    await count(made, done(TODAY))
    await count(made, done("2026-09-30"), done("2026-02-01"))
    return made


async def rows_of(store):
    return [row async for day in days(store, "2026-01-01", "2027-01-01") for row in day.rows]


# -- SQL ------------------------------------------------------------------------------------------


async def test_a_select_is_answered(store):
    table = asking.of_rows(await rows_of(store))
    answered = asking.ask(
        "SELECT day, status, sum(count) AS n FROM figures GROUP BY ALL ORDER BY ALL", table
    )
    assert answered.columns == ["day", "status", "n"]
    today = date.fromisoformat(TODAY)
    assert answered.rows == [
        (date(2026, 2, 1), "succeeded", 1), (date(2026, 9, 30), "succeeded", 1),
        (today, "failed", 1), (today, "succeeded", 2),
    ]  # fmt: skip
    assert asking.ask("SELECT count(*) FROM figures", asking.of_rows([])).rows == [(0,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_parquet('https://example.org/a.parquet')",
        "COPY figures TO '/tmp/figures.csv'",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "DELETE FROM figures",
        "CREATE TABLE more AS SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT nothing FROM figures",
        "SELECT * FROM table",
        "",
    ],
)
async def test_what_reaches_beyond_figures_is_refused(query):
    with pytest.raises(InvalidInput):
        asking.ask(query, asking.of_rows([]))


# -- export ---------------------------------------------------------------------------------------


async def test_only_days_that_changed_are_written_and_together_they_are_all(store, tmp_path):
    exporter = Exporter(store, Folder(tmp_path))
    assert await exporter.run() == 3
    assert await exporter.run() == 0
    files = {path.parent.name: path for path in (tmp_path / TABLE).glob("*/figures.parquet")}
    assert {*files} == {"day=2026-02-01", "day=2026-09-30", f"day={TODAY}"}
    assert pq.ParquetFile(files[f"day={TODAY}"]).schema_arrow.names == [c.name for c in COLUMNS]
    before = {name: path.stat().st_mtime_ns for name, path in files.items()}
    await count(store, done(TODAY))
    assert await exporter.run() == 1
    changed = {name for name, path in files.items() if path.stat().st_mtime_ns != before[name]}
    assert changed == {f"day={TODAY}"}
    table = asking.of_folder(tmp_path)
    query, whole = "SELECT * FROM figures ORDER BY ALL", asking.of_rows(await rows_of(store))
    assert asking.ask(query, table).rows == asking.ask(query, whole).rows


async def test_folding_changes_nothing_that_is_exported(store, tmp_path):
    exporter = Exporter(store, Folder(tmp_path))
    await exporter.run()
    before = await rows_of(store)
    assert await Figures(store).fold("2026-01-01", "2027-01-01") >= 0
    assert await rows_of(store) == before
    assert await exporter.run() == 0


async def test_an_export_that_breaks_off_is_made_up_for(store, tmp_path):
    """What was written before is written again: the state is last."""
    place = Folder(tmp_path)

    class Breaking(Folder):
        async def write(self, name, data):
            if name == STATE:
                raise StorageFull("no room")
            await super().write(name, data)

    exporter = Exporter(store, Breaking(tmp_path))
    with pytest.raises(StorageFull):
        await exporter.run()
    assert await place.read(STATE) is None
    assert await Exporter(store, place).run() == 3
    late = Exporter(store, place)
    await count(store, done("2026-02-01"))
    assert await late.run() == 0, "so far back it is looked only when all is written"
    assert await late.run(everything=True) == 3


def test_what_is_no_place_is_told():
    for url in ("folder", "http://example.org/x", "file://host/folder", "gopher://x/y"):
        with pytest.raises(ConfigurationError, match="MEDIAMILL_ANALYTICS_URL"):
            open_place(url)


# -- definitions ----------------------------------------------------------------------------------


async def test_the_view_of_duckdb_reads_what_was_written(store, tmp_path):
    import duckdb as database

    await Exporter(store, Folder(tmp_path)).run()
    with database.connect(":memory:") as connection:
        connection.execute(duckdb(str(tmp_path)))
        found = connection.execute("SELECT day, sum(count) FROM figures GROUP BY day ORDER BY day")
        assert [(day.isoformat(), n) for day, n in found.fetchall()] == [
            ("2026-02-01", 1), ("2026-09-30", 1), (TODAY, 3),
        ]  # fmt: skip


def test_athena_and_glue_name_every_column_and_find_days_by_themselves():
    url = "s3://stats/mill"
    statement, table = athena(url), json.loads(glue(url))
    columns = [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
    assert columns == [column.name for column in COLUMNS]
    assert all(f"  `{name}` " in statement for name in columns)
    template = "s3://stats/mill/figures-v1/day=${day}/"
    assert table["Parameters"]["storage.location.template"] == template
    assert template in statement
    assert "day" not in columns, "a partition is no column of the files"


# -- commands -------------------------------------------------------------------------------------


async def run(*arguments):
    """Call a command beside the test's own loop."""
    return await asyncio.to_thread(CliRunner().invoke, root, ("analytics", *arguments))


async def test_the_export_and_a_question_about_its_files(tmp_path, monkeypatch):
    home, folder = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    monkeypatch.setenv("MEDIAMILL_HOME", str(home))
    monkeypatch.setenv("MEDIAMILL_STORE_URL", f"sqlite:///{home}/mediamill.db")
    monkeypatch.setenv("MEDIAMILL_ANALYTICS_URL", str(folder))
    store = await SqliteStore.open(home / "mediamill.db")
    await count(store, done(TODAY), done(TODAY))
    await store.close()
    exported = await run("export")
    assert exported.output == "1 day is written.\n", exported.output
    query = "SELECT day, sum(count) AS n FROM figures GROUP BY day"
    asked = await run(query, "--files", str(folder), "--json")
    assert json.loads(asked.output) == {"day": TODAY, "n": 2}
    assert (await run(query, "--files", str(folder), "--csv")).output == f"day,n\n{TODAY},2\n"
    refused = await run("DROP TABLE figures", "--files", str(folder))
    assert "one SELECT" in str(refused.exception)
    view = await run("schema", "duckdb")
    assert f"{folder}/figures-v1/" in view.output
    assert "reads buckets" in str((await run("schema", "athena")).exception)
