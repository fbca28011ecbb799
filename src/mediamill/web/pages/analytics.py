"""The page on which analysts see what was done: totals, days, what stands out, and CSV."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from mediamill.analytics.exporting import FIRST_DAY
from mediamill.core.errors import InvalidInput
from mediamill.services.figures import Group, Question
from mediamill.store.repositories.figures import About
from mediamill.web.pages.day_charts import (
    MEASURES,
    about_text,
    charted,
    part_text,
    took_text,
    whole_text,
)
from mediamill.web.pages.rendering import money_text, page, size_text, t
from mediamill.web.security import Caller, Mill

router = APIRouter(include_in_schema=False)

MOST_ROWS = 100
"""Rows of the table; the CSV has them all."""
PERIODS = (7, 30, 90, 365)
FILTERS = ("media_type", "source", "customer", "operation", "status", "provider", "model")
BY = ("status", "operation", "media_type", "source", "customer", "provider", "model")

DRAWN = {
    About.FILES: ("count", "bytes"),
    About.REMOVED: ("count", "bytes"),
    About.ITEMS: ("count", "bytes", "result_bytes", "seconds"),
    About.JOBS: ("count", "seconds"),
    About.CALLS: ("count", "seconds", "cost"),
}
"""What can be drawn of such things."""

Text = Annotated[str, Query(max_length=500)]


@dataclass(frozen=True)
class Card:
    """A number, what it is of, and what is said below it."""

    name: str
    value: str
    beside: str = ""
    bad: bool = False


@dataclass(frozen=True)
class Column:
    """A column of the table; one in which nothing is told of any row is left out."""

    name: str
    of: Callable[[Group], float | None]
    told: Callable[[Any], str]

    def cell(self, group: Group) -> str:
        """Return what it says of a row."""
        value = self.of(group)
        return "–" if value is None else self.told(value)


@dataclass(frozen=True)
class Period:
    """Some days up to today, as a link."""

    days: int
    link: str
    here: bool


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
    provider: Text = "",
    model: Text = "",
) -> Response:
    """Show what was done, as it is asked for."""
    given = {
        "media_type": media_type, "source": source, "customer": customer, "operation": operation,
        "status": status, "provider": provider, "model": model,
    }  # fmt: skip
    where = {name: value for name, value in given.items() if value}
    by, measure = by if by in BY else BY[0], measure if measure in DRAWN[about] else "count"
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
            choices={}, chart=None, groups=(), periods=(),
        )  # fmt: skip
    look = await mill.figures.look(caller, Question(about, *days, (by,), where))
    groups, total = look.told.groups, look.told.total
    chosen = [("about", about.value), *where.items()]
    when = [("from", days[0]), ("to", days[1])]
    drawn = [*chosen, ("by", by), ("measure", measure)]
    return page(
        "analytics.html",
        **asked,
        first=days[0],
        last=days[1],
        wrong={},
        choices=look.choices,
        groups=groups[:MOST_ROWS],
        more=max(0, len(groups) - MOST_ROWS),
        columns=[
            one for one in columns(about, by) if any(one.of(group) for group in groups[:MOST_ROWS])
        ],
        chart=charted(*days, look.days.groups, MEASURES[measure], stacked=measure == "count"),
        rows_query=urlencode([*chosen, *when, ("by", by)]),
        days_query=urlencode([*chosen, *when, ("by", "day")]),
        days=urlencode(when),
        cards=cards(about, total, (_day(days[1]) - _day(days[0])).days + 1),
        periods=periods(drawn, days, await mill.figures.today()),
        plain=urlencode([("about", about.value), ("by", by), ("measure", measure), *when]),
        filtered=bool(where),
    )


def periods(
    chosen: Sequence[tuple[str, str]], shown: tuple[str, str], today: str
) -> Sequence[Period]:
    """Return some usual numbers of days up to today, as links."""
    found = []
    for days in PERIODS:
        first = max((_day(today) - timedelta(days - 1)).isoformat(), FIRST_DAY)
        link = urlencode([*chosen, ("from", first), ("to", today)])
        found.append(Period(days, f"/analytics?{link}", (first, today) == shown))
    return found


def cards(about: About, total: Group, days: int) -> Sequence[Card]:
    """Return what the totals say, of what there is of such things."""
    sums = total.sums
    count = sums["count"]
    found = [
        Card(
            t("analytics.things", which=about.value), whole_text(count),
            t("analytics.a_day", value=_about(count / days)),
        )
    ]  # fmt: skip
    if total.success is not None:
        said = t("analytics.failed", count=total.bad) if total.bad else t("analytics.none_failed")
        found.append(Card(t("analytics.success"), part_text(total.success), said, bool(total.bad)))
    if sums["items"]:
        found.append(Card(t("analytics.of_items"), whole_text(sums["items"])))
    if sums["bytes"]:
        each = t("analytics.each", value=size_text(sums["bytes"] / count))
        found.append(Card(t("analytics.bytes", which=about.value), size_text(sums["bytes"]), each))
    if sums["results"]:
        size = size_text(sums["result_bytes"])
        found.append(Card(t("analytics.results"), whole_text(sums["results"]), size))
    if about is About.CALLS:
        each = t("analytics.each", value=money_text(round(sums["cost"] / count)))
        found.append(Card(t("words.cost"), money_text(sums["cost"]), each))
        into, out = whole_text(sums["input_tokens"]), whole_text(sums["output_tokens"])
        found.append(Card(t("analytics.tokens"), into, t("analytics.tokens_out", value=out)))
    if total.mean is not None:
        mean = t("analytics.mean", value=took_text(total.mean))
        found.append(Card(t("analytics.median"), about_text(total.quantile(0.5)), mean))
        timed = t("analytics.timed", count=sums["timed"])
        found.append(Card(t("analytics.slowest"), about_text(total.quantile(0.95)), timed))
    return found


def columns(about: About, by: str) -> Sequence[Column]:
    """Return what the table may say of rows; one outcome went well or wrong altogether."""

    def summed(name: str) -> Callable[[Group], float]:
        return lambda group: group.sums[name]

    well = (
        Column(t("analytics.success"), lambda group: group.success, part_text),
        Column(t("words.failed"), lambda group: group.bad, whole_text),
    )
    return (
        Column(t("analytics.things", which=about.value), summed("count"), whole_text),
        *(() if by == "status" else well),
        Column(t("analytics.of_items"), summed("items"), whole_text),
        Column(t("analytics.bytes", which=about.value), summed("bytes"), size_text),
        Column(t("analytics.results"), summed("results"), whole_text),
        Column(t("analytics.result_bytes"), summed("result_bytes"), size_text),
        Column(t("analytics.median"), lambda group: group.quantile(0.5), about_text),
        Column(t("analytics.slowest"), lambda group: group.quantile(0.95), about_text),
        Column(t("words.cost"), summed("cost"), money_text),
    )


def _about(value: float) -> str:
    return f"{value:,.1f}" if value < 10 and value % 1 else whole_text(value)


def _day(text: str) -> date:
    return date.fromisoformat(text)
