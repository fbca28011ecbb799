"""Figures of three days, one of them today."""

import pytest

from mediamill.analytics.table import days
from mediamill.core.clock import FixedClock
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import About, Fact, Figures, took

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
