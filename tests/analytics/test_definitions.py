"""The table as other programs define it."""

import json

from mediamill.analytics.definitions import athena, duckdb, glue
from mediamill.analytics.exporting import Exporter
from mediamill.analytics.places import Folder
from mediamill.analytics.table import COLUMNS
from tests.analytics.conftest import TODAY


async def test_the_view_of_duckdb_reads_what_was_written(store, tmp_path):
    import duckdb as database

    folder = tmp_path / "my stats"
    folder.mkdir()
    await Exporter(store, Folder(folder)).run()
    with database.connect(":memory:") as connection:
        connection.execute(duckdb(folder.as_uri()))
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
