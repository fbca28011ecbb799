"""Figures of six weeks for the picture of Analytics: nobody's, drawn, the same each time."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from mediamill.store.repositories.figures import About, Fact, Figures, took
from mediamill.store.sql.sqlite.store import SqliteStore

DAYS, AT_ONCE, DRAWN = 45, 20, 20
KINDS = (
    ("resize", "image/jpeg", 2_400_000, 0.4, 900), ("resize+flip", "image/png", 900_000, 0.6, 260),
    ("extract-frames", "video/mp4", 88_000_000, 21.0, 60),
    ("caption", "image/jpeg", 2_400_000, 2.4, 140), ("convert", "image/heic", 1_800_000, 0.9, 120),
)  # fmt: skip
"""Operations: their inputs' type and bytes, seconds of one, and items of a day."""


def plant(home: Path) -> None:
    """Count them in a home that no service has open."""
    home.mkdir(parents=True, exist_ok=True)
    asyncio.run(_plant(home / "mediamill.db"))


async def _plant(database: Path) -> None:
    store = await SqliteStore.open(database)
    figures, facts = Figures(store), [*_facts(datetime.now(UTC).date())]
    for start in range(0, len(facts), AT_ONCE):
        await store.transact(*await figures.counting(None, facts[start : start + AT_ONCE]))
    await store.close()


def _facts(today: date) -> Iterator[Fact]:
    draw = random.Random(7)  # noqa: S311 - a picture, no secret
    for back in range(DAYS, -1, -1):
        day = today - timedelta(back)
        busy = (0.35 if day.weekday() > 4 else 1.0) * (2 - back / DAYS)
        for operation, media_type, size, seconds, usual in KINDS:
            count = round(usual * busy * draw.uniform(0.7, 1.3))
            failed = round(count * draw.choice((0.0, 0.005, 0.02)))
            for status, some in (("succeeded", count - failed), ("failed", failed)):
                times = Counter[str]()
                for _ in range(DRAWN):
                    each = took(round(1000 * seconds * draw.lognormvariate(0, 0.6)))
                    times.update({name: n * some // DRAWN for name, n in each.items()})
                made = some if status == "succeeded" else 0
                sizes = {"bytes": size * some, "results": made, "result_bytes": size // 6 * made}
                yield Fact(
                    about=About.ITEMS, day=day.isoformat(), status=status, operation=operation,
                    source="upload", media_type=media_type,
                    counts={"count": some, **sizes, **times},
                )  # fmt: skip
