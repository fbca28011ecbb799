"""Figures on every store: many count at once, all of it counts, and is folded and exported."""

import asyncio
from datetime import date, timedelta

import pytest

from mediamill.analytics.exporting import TABLE
from mediamill.analytics.noting import last_export
from mediamill.app import App
from mediamill.core.clock import DAY
from mediamill.core.settings import Settings
from mediamill.store.port import Update, spread
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import About, Fact, Figure, Figures
from mediamill.store.repositories.units import Unit
from tests.handlers.conftest import Beside
from tests.support.places import EACH_STORE
from tests.support.recounting import figures

WRITERS, WRITES = 6, 5


@pytest.mark.places(*EACH_STORE)
async def test_many_count_at_once_and_nothing_is_lost_when_it_is_folded(tmp_path):
    settings = Settings(
        home=tmp_path / "home", min_free_bytes=0, poll_seconds=0.1,
        analytics_url=str(tmp_path / "out"),
    )  # fmt: skip
    async with await App.open(settings) as app:
        day = day_of(await app.store.now() - 10 * DAY)

        async def write() -> None:
            counting = Figures(app.store)
            for _ in range(WRITES):
                fact = Fact(about=About.FILES, day=day, status="received")
                await app.store.transact(*await counting.counting(None, [fact]))

        await asyncio.gather(*(write() for _ in range(WRITERS)))
        assert await last_export(app.store) is None
        assert await last_export(app.store, wanted=True) == 0
        before = await figures(app.store)
        assert [counts["count"] for counts in before.values()] == [WRITERS * WRITES]
        rows = await rows_of(app, day)
        assert 1 <= len(rows) <= spread(app.store)
        beside = Beside(app)
        await beside.resume()
        await due(app, "fold_figures")
        await due(app, "export_figures")
        async with asyncio.timeout(60):
            while (
                len(await rows_of(app, day)) > 1
                or not exported(tmp_path / "out", day)
                or not await last_export(app.store, wanted=True)
            ):
                await asyncio.sleep(0.05)
        await beside.pause()
        assert await figures(app.store) == before
        unit = await app.repositories.units.get("fold_figures", 0)
        assert unit is not None
        assert unit.payload["folded"] > day
        assert unit.payload["folded"] < (date.fromisoformat(day) + timedelta(10)).isoformat()


def exported(folder, day: str) -> bool:
    return (folder / TABLE / f"day={day}" / "figures.parquet").exists()


async def rows_of(app, day: str) -> list[Figure]:
    return [row async for row in Figures(app.store).walk(day, day)]


async def due(app, kind: str) -> None:
    """Have a unit done now that comes again and again."""
    await app.store.transact(Update(Unit, (kind, 0), set={"due": 1}))
