"""`mediamill analytics`: the export, a question about its files, the view of them."""

import asyncio
import json
import time
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import msgspec
from click.testing import CliRunner

from mediamill.analytics.exporting import STATE, State
from mediamill.cli import analytics as commands
from mediamill.cli.root import root
from mediamill.cli.service.checks import Level
from mediamill.cli.service.exporting import analytics
from mediamill.core.clock import HOUR, rfc3339
from mediamill.core.settings import Settings
from mediamill.store.sql.sqlite.store import SqliteStore
from tests.analytics.conftest import TODAY, count, done


async def run(*arguments):
    """Call a command beside the test's own loop."""
    return await asyncio.to_thread(CliRunner().invoke, root, ("analytics", *arguments))


async def test_no_installation_is_made_for_an_export(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path))
    monkeypatch.setenv("MEDIAMILL_STORE_URL", f"sqlite:///{tmp_path}/mediamill.db")
    refused = await run("export", "--url", str(tmp_path / "out"))
    assert "there is no" in str(refused.exception)
    assert not (tmp_path / "mediamill.db").exists()


def test_rows_are_told_apart_whatever_stands_in_names(monkeypatch):
    lines = [json.dumps({"model": name}, ensure_ascii=False) for name in ("a\u2028b", "c\x85d")]

    @contextmanager
    def connected(*_):
        sent = httpx.Response(200, content="\n".join([*lines, ""]).encode())
        yield SimpleNamespace(send=lambda *_, **__: sent)

    monkeypatch.setattr(commands, "connect", connected)
    rows = commands._fetched(None, None, None, None)
    assert [row["model"] for row in rows] == ["a\u2028b", "c\x85d"]


def test_doctor_says_whether_figures_can_be_written_and_when_they_were(tmp_path):
    def told(place) -> tuple[Level, str]:
        (check,) = analytics(Settings(home=tmp_path, analytics_url=str(place)))
        return check.level, check.text

    assert [*analytics(Settings(home=tmp_path))] == []
    place = tmp_path / "out"
    level, text = told(place)
    assert (level, "none were yet" in text) == (Level.NOTE, True)
    now = time.time_ns() // 1_000_000
    for ago, wanted in ((HOUR, Level.OK), (27 * HOUR, Level.PROBLEM)):
        state = State(exported=now - ago)
        (place / STATE).write_bytes(msgspec.json.encode(state))
        level, text = told(place)
        assert (level, rfc3339(state.exported) in text) == (wanted, True)
    (tmp_path / "file").touch()
    level, text = told(tmp_path / "file" / "out")
    assert (level, "cannot be written" in text) == (Level.PROBLEM, True)


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
