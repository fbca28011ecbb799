"""What was spent day by day, as a chart of a month."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.store.repositories.spending import SpentDay

WIDTH, HEIGHT, LEAST = 310.0, 90.0, 1.5
"""Of the chart, and of the bar of a day on which anything was paid, in its own units."""


@dataclass(frozen=True)
class Bar:
    """A day's place in the chart."""

    row: SpentDay
    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Chart:
    """A month's days; those without calls have no bar."""

    first: str
    last: str
    step: float
    bars: Sequence[Bar]
    most: SpentDay
    """The dearest day."""
    width: float = WIDTH
    height: float = HEIGHT


def charted(month: str, days: Sequence[SpentDay]) -> Chart | None:
    """Place the days of a month; None where no model was asked."""
    if not days:
        return None
    count = monthrange(int(month[:4]), int(month[5:]))[1]
    step, most = WIDTH / count, max(days, key=lambda row: row.cost)
    bars = []
    for row in days:
        tall = (HEIGHT - 4) * row.cost / most.cost if most.cost else 0.0
        tall = max(tall, LEAST) if row.cost else 0.0
        place = (int(row.day[8:]) - 1) * step
        bars.append(Bar(row, round(place + 0.5, 2), round(HEIGHT - tall, 2), round(tall, 2)))
    return Chart(f"{month}-01", f"{month}-{count}", round(step - 1, 2), bars, most)
