"""The page on which analysts see what was done: totals, days, what stands out, and CSV."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from mediamill.core.errors import InvalidInput
from mediamill.services.figures import Group, Question
from mediamill.store.repositories.figures import About
from mediamill.web.pages.rendering import duration_text, money_text, page, size_text, t
from mediamill.web.security import Caller, Mill

router = APIRouter(include_in_schema=False)

WIDTH, HEIGHT, LEAST = 620.0, 120.0, 1.5
"""Of the chart, and of the bar of a day on which there was anything, in its own units."""
MOST_ROWS = 100
"""Rows of the table; the CSV has them all."""
FILTERS = ("media_type", "source", "customer", "operation", "status")
BY = ("status", "operation", "media_type", "source", "customer", "provider", "model")

Text = Annotated[str, Query(max_length=500)]


@dataclass(frozen=True)
class Measure:
    """What is drawn of a day, and how it is told."""

    of: Callable[[Group], float]
    told: Callable[[float], str]


def _whole(value: float) -> str:
    return f"{value:,.0f}"


MEASURES = {
    "count": Measure(lambda group: group.sums["count"], _whole),
    "bytes": Measure(lambda group: group.sums["bytes"], size_text),
    "result_bytes": Measure(lambda group: group.sums["result_bytes"], size_text),
    "seconds": Measure(lambda group: group.quantile(0.95) or 0.0, duration_text),
    "cost": Measure(lambda group: group.sums["cost"], lambda value: money_text(round(value))),
}


@dataclass(frozen=True)
class Bar:
    """A day's place in the chart; the part that failed stands on the foot."""

    day: str
    told: str
    group: Group
    x: float
    y: float
    height: float
    bad: float = 0.0


@dataclass(frozen=True)
class Chart:
    """The days that were asked for; those without anything have no bar."""

    bars: Sequence[Bar]
    step: float
    most: Bar
    width: float = WIDTH
    height: float = HEIGHT


@router.get("/analytics")
async def analytics_page(
    caller: Caller,
    mill: Mill,
    about: About = About.ITEMS,
    by: Text = "status",
    measure: Text = "count",
    first: Annotated[Text, Query(alias="from")] = "",
    last: Annotated[Text, Query(alias="to")] = "",
    media_type: Text = "",
    source: Text = "",
    customer: Text = "",
    operation: Text = "",
    status: Text = "",
) -> Response:
    """Show what was done, as it is asked for."""
    given = {
        "media_type": media_type, "source": source, "customer": customer, "operation": operation,
        "status": status,
    }  # fmt: skip
    where = {name: value for name, value in given.items() if value}
    by, measure = by if by in BY else BY[0], measure if measure in MEASURES else "count"
    asked: dict[str, Any] = {
        "user": await mill.accounts.profile(caller), "about": about.value,
        "abouts": [one.value for one in About], "by": by, "bys": BY, "measure": measure,
        "measures": tuple(MEASURES), "given": given, "filters": FILTERS,
    }  # fmt: skip
    try:
        days = await mill.figures.period(caller, first or None, last or None)
    except InvalidInput as wrong:
        said = {one["pointer"]: one["message"] for one in wrong.details["errors"]}
        return page(
            "analytics.html", wrong.status, **asked, first=first, last=last, wrong=said,
            choices={}, chart=None, groups=(),
        )  # fmt: skip
    told = await mill.figures.ask(caller, Question(about, *days, (by,), where))
    series = await mill.figures.ask(caller, Question(about, *days, ("day",), where))
    chosen = [("about", about.value), *where.items(), ("from", days[0]), ("to", days[1])]
    return page(
        "analytics.html",
        **asked,
        first=days[0],
        last=days[1],
        wrong={},
        choices=await mill.figures.choices(caller, about, *days),
        total=told.total,
        groups=told.groups[:MOST_ROWS],
        more=max(0, len(told.groups) - MOST_ROWS),
        chart=charted(*days, series.groups, MEASURES[measure], stacked=measure == "count"),
        rows_query=urlencode([*chosen, ("by", by)]),
        days_query=urlencode([*chosen, ("by", "day")]),
        days=urlencode(chosen[-2:]),
        facts=facts(about, told.total),
    )


def charted(
    first: str, last: str, groups: Sequence[Group], measure: Measure, *, stacked: bool
) -> Chart | None:
    """Place the days; None where there was nothing."""
    start = date.fromisoformat(first)
    count = (date.fromisoformat(last) - start).days + 1
    step, bars = WIDTH / count, list[Bar]()
    most = max((measure.of(group) for group in groups), default=0)
    for group in groups:
        value = measure.of(group)
        tall = max((HEIGHT - 4) * value / most, LEAST) if value else 0.0
        bad = tall * group.bad / group.sums["count"] if stacked and group.bad else 0.0
        x = (date.fromisoformat(group.names["day"]) - start) // timedelta(1) * step
        bars.append(
            Bar(
                group.names["day"], measure.told(value), group, round(x, 2),
                round(HEIGHT - tall, 2), round(tall, 2), round(bad, 2),
            )
        )  # fmt: skip
    if not bars:
        return None
    return Chart(bars, round(max(step - 1, step * 0.8), 2), min(bars, key=lambda bar: bar.y))


def facts(about: About, total: Group) -> list[tuple[str, str]]:
    """Return what the totals say, of what there is of such things."""
    said: list[tuple[str, Any, Callable[[Any], str]]] = [
        (t("analytics.count"), total.sums["count"], _whole),
        (t("analytics.success"), total.success, lambda part: f"{100 * part:.1f} %"),
        (t("analytics.bytes", which=about.value), total.sums["bytes"] or None, size_text),
        (t("analytics.results"), total.sums["results"] or None, _whole),
        (t("analytics.result_bytes"), total.sums["result_bytes"] or None, size_text),
        (t("analytics.median"), total.quantile(0.5), duration_text),
        (t("analytics.slowest"), total.quantile(0.95), duration_text),
        (t("words.cost"), total.sums["cost"] or None, money_text),
    ]
    return [(name, told(value)) for name, value, told in said if value is not None]
