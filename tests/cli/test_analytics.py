"""`mediamill analytics`: the export, a question about its files, the view of them."""

import asyncio
import json

from click.testing import CliRunner

from mediamill.cli.root import root
from mediamill.store.sql.sqlite.store import SqliteStore
from tests.analytics.conftest import TODAY, count, done


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
