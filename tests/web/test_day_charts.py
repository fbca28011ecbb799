"""Charts of days: round lines, places, and words that do not round up."""

import math

import pytest

from mediamill.services.figures import Group
from mediamill.store.repositories.figures import About, Figure
from mediamill.web.pages.day_charts import (
    HEIGHT,
    MEASURES,
    Measure,
    charted,
    part_text,
    took_text,
    whole_text,
)


def day(name: str, good: int, bad: int = 0) -> Group:
    group = Group({"day": name})
    blank = Figure(month="", id="", day=name, about=About.ITEMS)
    for status, count in (("succeeded", good), ("failed", bad)):
        group.add(blank.evolve(status=status, count=count))
    return group


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "0.0 %"), (1, "100.0 %"), (0.5, "50.0 %"), (0.9996, "99.96 %"), (0.0004, "0.04 %"),
        (1 - 1e-9, "99.9999999 %"),
    ],
)  # fmt: skip
def test_only_all_is_a_hundred_percent(part, text):
    assert part_text(part) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.42, "420 ms"), (1, "1 s"), (21.34, "21.3 s"), (59.96, "1 min"),
        (320, "5 min 20 s"), (3599.6, "1 h"), (7800, "2 h 10 min"),
        (math.inf, "more than 27 h 47 min"),
    ],
)  # fmt: skip
def test_times_have_units(seconds, text):
    assert took_text(seconds) == text


@pytest.mark.parametrize(
    ("most", "times", "scale"),
    [
        (1, False, ["1", "0"]), (12, False, ["15", "10", "5", "0"]),
        (3_400, False, ["4,000", "3,000", "2,000", "1,000", "0"]),
        (2, True, ["2 s", "1.5 s", "1 s", "500 ms", "0 s"]),
        (100, True, ["1 min 40 s", "1 min 20 s", "1 min", "40 s", "20 s", "0 s"]),
        (7_000, True, ["2 h", "1 h 30 min", "1 h", "30 min", "0 s"]),
    ],
)  # fmt: skip
def test_lines_of_the_axis_are_round(most, times, scale):
    told = took_text if times else whole_text
    measure = Measure(lambda group: group.sums["count"], told, told, times=times)
    chart = charted("2026-02-01", "2026-02-10", [day("2026-02-03", most)], measure, stacked=False)
    assert list(chart.scale) == scale
    assert (chart.lines[0], chart.lines[-1]) == (0, HEIGHT)


def test_days_stand_in_their_places_and_what_failed_on_the_foot():
    groups = [day("2026-02-01", 10), day("2026-02-04", 15, 5)]
    chart = charted("2026-02-01", "2026-02-10", groups, MEASURES["count"], stacked=True)
    first, second = chart.bars
    assert (first.x, second.x, chart.room) == (0, 30, 10)
    assert (second.height, second.bad, second.y) == (HEIGHT, HEIGHT / 4, 0)
    assert first.height == HEIGHT / 2
    assert (chart.bad, chart.most) == (True, second)
    assert [tick.text for tick in chart.ticks] == ["Feb 1", "Feb 3", "Feb 5", "Feb 7", "Feb 9"]
    assert charted("2026-02-01", "2026-02-10", [], MEASURES["count"], stacked=True) is None
