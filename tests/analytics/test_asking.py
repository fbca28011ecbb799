"""SQL about figures, whose rows are all that it reaches."""

from datetime import date

import pyarrow.parquet as pq
import pytest

from mediamill.analytics import asking
from mediamill.analytics.exporting import TABLE, Exporter
from mediamill.analytics.places import Folder
from mediamill.core.errors import InvalidInput
from tests.analytics.conftest import TODAY, rows_of


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
        'SELECT * FROM "table"',
        "",
    ],
)
async def test_what_reaches_beyond_figures_is_refused(query):
    with pytest.raises(InvalidInput):
        asking.ask(query, asking.of_rows([]))


async def test_a_query_beyond_the_memory_is_refused_and_leaves_no_file(tmp_path, monkeypatch):
    less = [one.replace(asking.MEMORY, "40MB") for one in asking._SHUT]
    monkeypatch.setattr(asking, "_SHUT", less)
    monkeypatch.chdir(tmp_path)
    numbered = "SELECT row_number() OVER (ORDER BY hash(range)) AS r FROM range(2000000)"
    query = f"SELECT max(r) FROM ({numbered})"
    with pytest.raises(InvalidInput, match=r"[Mm]emory"):
        asking.ask(query, asking.of_rows([]))
    assert not [*tmp_path.iterdir()]


async def test_days_that_were_exported_before_a_column_was_are_read(store, tmp_path):
    await Exporter(store, Folder(tmp_path)).run()
    for file in tmp_path.glob(f"{TABLE}/*02-01/*"):
        pq.write_table(pq.ParquetFile(file).read().drop_columns(["cost_microdollars"]), file)
    query = "SELECT count(*), count(cost_microdollars) FROM figures"
    (row,) = asking.ask(query, asking.of_folder(tmp_path)).rows
    assert row[0] == row[1] + 1
