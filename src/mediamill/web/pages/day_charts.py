"""Charts of days, drawn by the server: bars as SVG, with an axis whose lines are round numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mediamill.services.figures import LONGEST, Group
from mediamill.web.pages.rendering import money_text, size_text, t

HEIGHT, LEAST = 180.0, 2.0
"""Of the chart, and of the bar of a day on which there was anything, in pixels."""
WIDEST = 8.0
"""Percent of the width that a bar has at most."""
LINES, TICKS = 5, 7
"""Of the axis, and days that are named below, at most."""
GAPS = (1, 2, 3, 7, 14, 28, 56, 91, 182)
"""How many days lie between those that are named."""
ROUND = (1.0, 2.0, 5.0, 10.0)
ROUND_SECONDS = (
    1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 18_000, 36_000, 72_000,
    144_000,
)  # fmt: skip
"""How far lines of an axis are apart: these, times a power of ten; of times these."""
MINUTE, HOUR = 60, 3600


def whole_text(value: float) -> str:
    """Write a number of things: 1,200."""
    return f"{value:,.0f}"


def size_scale(size: float) -> str:
    """Write a round number of bytes: 15 GB."""
    return size_text(size).replace(".0 ", " ")


def _money(micro: float) -> str:
    return money_text(round(micro))


def part_text(part: float) -> str:
    """Write a part as percent, with so many digits that only all is 100 % and only nothing 0 %."""
    for digits in range(1, 12):
        text = f"{100 * part:.{digits}f}"
        if part in (0, 1) or float(text) not in (0.0, 100.0):
            break
    return f"{text} %"


def took_text(seconds: float) -> str:
    """Write how long something took, with its unit: 420 ms, 21.3 s, 5 min 20 s, 2 h 10 min."""
    if math.isinf(seconds):
        return t("analytics.longer", value=took_text(LONGEST))
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < MINUTE - 0.05:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    large, small, each = ("h", "min", MINUTE) if seconds >= HOUR - 0.5 else ("min", "s", 1)
    left, right = divmod(round(seconds / each), 60)
    return f"{left} {large} {right} {small}" if right else f"{left} {large}"


def about_text(seconds: float | None) -> str:
    """Write how long something took that is estimated, with two digits: ≈ 640 ms."""
    if seconds is None or math.isinf(seconds):
        return "–" if seconds is None else took_text(seconds)
    rounded = float(f"{seconds:.2g}")
    return t("analytics.about_so", value=took_text(rounded))


@dataclass(frozen=True)
class Measure:
    """What is drawn of a day, and how it is told."""

    of: Callable[[Group], float]
    told: Callable[[float], str]
    scale: Callable[[float], str]
    """How lines of the axis are told."""
    most: float = math.inf
    """What is more is drawn as that."""
    times: bool = False


MEASURES = {
    "count": Measure(lambda group: group.sums["count"], whole_text, whole_text),
    "bytes": Measure(lambda group: group.sums["bytes"], size_text, size_scale),
    "result_bytes": Measure(lambda group: group.sums["result_bytes"], size_text, size_scale),
    "seconds": Measure(
        lambda group: group.quantile(0.95) or 0.0, about_text, took_text, LONGEST, times=True
    ),
    "cost": Measure(lambda group: group.sums["cost"], _money, _money),
}


@dataclass(frozen=True)
class Bar:
    """A day's place in the chart; the part that failed stands on the foot."""

    day: str
    value: float
    told: str
    group: Group
    x: float
    """Percent of the chart's width; the others are pixels."""
    y: float
    height: float
    bad: float = 0.0


@dataclass(frozen=True)
class Tick:
    """A day that is named below."""

    x: float
    text: str
    minor: bool
    """Whether it is left out where there is little room."""


@dataclass(frozen=True)
class Chart:
    """The days that were asked for; those without anything have no bar."""

    bars: Sequence[Bar]
    room: float
    """Percent of the width that a day has."""
    wide: float
    """Percent that its bar has."""
    most: Bar
    lines: Sequence[float]
    """How high the axis' lines are, the highest first; the last is the foot."""
    scale: Sequence[str]
    """What they stand for."""
    ticks: Sequence[Tick]
    bad: bool
    """Whether anything failed on any day, and is drawn."""
    height: float = HEIGHT


def charted(
    first: str, last: str, groups: Sequence[Group], measure: Measure, *, stacked: bool
) -> Chart | None:
    """Place the days; None where there was nothing."""
    if not groups:
        return None
    start = date.fromisoformat(first)
    count = (date.fromisoformat(last) - start).days + 1
    room = 100 / count
    values = [min(measure.of(group), measure.most) for group in groups]
    each, lines = _lines(max(values), times=measure.times)
    pixels, bars = HEIGHT / (each * lines), list[Bar]()
    for group, value in zip(groups, values, strict=True):
        tall = max(value * pixels, LEAST) if value else 0.0
        bad = max(tall * group.bad / group.sums["count"], LEAST) if stacked and group.bad else 0.0
        x = (date.fromisoformat(group.names["day"]) - start) // timedelta(1) * room
        bars.append(
            Bar(
                group.names["day"], value, measure.told(measure.of(group)), group, round(x, 3),
                round(HEIGHT - tall, 1), round(tall, 1), round(bad, 1),
            )
        )  # fmt: skip
    steps = range(lines, -1, -1)
    return Chart(
        bars,
        room=round(room, 3),
        wide=round(min(0.8 * room, WIDEST), 3),
        most=max(bars, key=lambda bar: bar.value),
        lines=[round(HEIGHT - n * HEIGHT / lines, 1) for n in steps],
        scale=[measure.scale(n * each) for n in steps],
        ticks=_ticks(start, count),
        bad=any(bar.bad for bar in bars),
    )


def _lines(most: float, *, times: bool) -> tuple[float, int]:
    """Return how far lines are apart, and how many there are above the foot."""
    if times and most > LINES:
        each = next(float(one) for one in ROUND_SECONDS if one * LINES >= most)
    else:
        power = 10.0 ** math.floor(math.log10(most / LINES)) if most else 1.0
        each = next(one * power for one in ROUND if one * power * LINES >= most * (1 - 1e-9))
        each = each if times else max(each, 1.0)
    return each, max(1, math.ceil(most / each - 1e-9))


def _ticks(start: date, count: int) -> list[Tick]:
    """Name some days, equally far apart, from the first on."""
    gap = next((one for one in GAPS if one * TICKS >= count), GAPS[-1])
    days = [start + timedelta(n) for n in range(0, count, gap)]
    return [
        Tick(round(100 * (n * gap + 0.5) / count, 3), f"{day:%b} {day.day}", bool(n % 2))
        for n, day in enumerate(days)
    ]
