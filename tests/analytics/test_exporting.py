"""Figures as Parquet: what has changed is written, and all of it together is all there is."""

import os
import random
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from mediamill.analytics import asking
from mediamill.analytics.exporting import DAYS_AT_ONCE, STATE, TABLE, Exporter, read_state
from mediamill.analytics.places import Folder, open_place
from mediamill.analytics.table import COLUMNS
from mediamill.core.clock import DAY, HOUR, FixedClock
from mediamill.core.errors import ConfigurationError, StorageFull
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import Figures
from tests.analytics.conftest import NOW, TODAY, count, done, rows_of
from tests.support.buckets import KEYS, bucket_server


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


async def test_folding_changes_nothing_that_is_exported(store, tmp_path, monkeypatch):
    for slot in range(2):
        monkeypatch.setattr(random, "randrange", lambda _, slot=slot: slot)
        await count(store, done("2026-09-30"))
    exporter = Exporter(store, Folder(tmp_path))
    await exporter.run()
    before = await rows_of(store)
    assert await Figures(store).fold("2026-01-01", "2027-01-01") > 0
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


async def test_days_that_a_killed_or_late_export_left_out_are_made_up_for(store, tmp_path):
    """The state is written half-way too; and a look goes back to where the last one ended."""
    await count(
        store, *(done(f"2026-0{month}-{day:02}") for month in (3, 4) for day in range(1, 29))
    )

    class Killed(Folder):
        async def write(self, name, data):
            if await self.read(STATE) is not None:
                raise KilledError
            await super().write(name, data)

    place = Folder(tmp_path)
    with pytest.raises(KilledError):
        await Exporter(store, Killed(tmp_path)).run()
    assert len([*tmp_path.glob(f"{TABLE}/*/*")]) == DAYS_AT_ONCE
    exporter = Exporter(store, place)
    assert await exporter.run() == 56 + 3 - DAYS_AT_ONCE
    assert await exporter.run() == 0
    await count(store, done(TODAY))
    later = NOW + 100 * DAY
    store._clock = FixedClock(later)
    assert await exporter.run() == 1, "nothing was exported for three months"
    late = day_of(later)
    assert msgspec.json.decode(await place.read(STATE))["looked"] == late


async def test_the_place_says_up_to_when_all_is_in_it(store, tmp_path):
    place = Folder(tmp_path)
    exporter = Exporter(store, place)
    await exporter.run()
    store._clock = FixedClock(NOW + HOUR)
    assert await exporter.run() == 0
    assert (await read_state(place)).exported == NOW + HOUR, "nothing to write: all is there"


async def test_what_a_killed_export_left_is_removed_some_hours_later(tmp_path, monkeypatch):
    place = Folder(tmp_path)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KilledError))
    with pytest.raises(KilledError):
        await place.write("a/b", b"x")
    monkeypatch.undo()
    await place.write("a/b", b"y")
    (left,) = tmp_path.glob(".writing/*")
    (folder := tmp_path / ".writing" / "somebody's").mkdir()
    for one in (left, folder):
        os.utime(one, (1, 1))
    await place.write("a/c", b"z")
    assert folder.is_dir()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["b", "c"]


class KilledError(BaseException):
    """The process is gone."""


def test_what_is_no_place_is_told():
    for url in ("folder", "http://example.org/x", "file://host/folder", "gopher://x/y"):
        with pytest.raises(ConfigurationError, match="MEDIAMILL_ANALYTICS_URL"):
            open_place(url)


async def test_a_bucket_gets_the_same_files(store, tmp_path, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with bucket_server("ministack", tmp_path) as server:
        client = server.client()
        client.create_bucket(Bucket="stats")
        exporter = Exporter(store, open_place(server.url("stats/mill")))
        assert await exporter.run() == 3
        assert await exporter.run() == 0
        key = f"mill/{TABLE}/day={TODAY}/figures.parquet"
        body = client.get_object(Bucket="stats", Key=key)["Body"].read()
    await Exporter(store, Folder(tmp_path / "out")).run()
    file = tmp_path / "out" / TABLE / f"day={TODAY}" / "figures.parquet"
    assert body == file.read_bytes()
