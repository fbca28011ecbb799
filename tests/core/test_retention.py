"""The rules of retention: what may be written, and when files are due."""

import pytest

from mediamill.core.clock import DAY, HOUR
from mediamill.core.errors import ConfigurationError
from mediamill.core.retention import HOLD_MS, Held, read_retention
from mediamill.core.settings import Settings

READ = {
    "": {"stream": 7 * DAY},
    "stream=7d": {"stream": 7 * DAY},
    "stream=30d; upload=90d": {"stream": 30 * DAY, "upload": 90 * DAY},
    " upload = 36h ;": {"stream": 7 * DAY, "upload": 36 * HOUR},
    "stream=none;import=1d": {"import": DAY},
    "project=180d": {"stream": 7 * DAY, "project": 180 * DAY},
}


@pytest.mark.parametrize("text", READ)
def test_rules(text):
    rules = read_retention(text)
    assert rules.ages == READ[text]
    assert read_retention(str(rules)) == rules
    for source, age in READ[text].items():
        assert rules.due(source, 1000) == 1000 + age
    assert rules.due("result", 1000) is None


def test_the_default_is_a_week_for_the_stream():
    assert read_retention(Settings(home="/nowhere").retention).ages == {"stream": 7 * DAY}


WRONG = {
    "stream": "no rule",
    "streams=7d": "no rule",
    "result=7d": "results go with the files they were made of",
    "stream=7": "stream=7 is no time",
    "stream=0d": "no time",
    "stream=-1d": "no time",
    "stream=1w": "no time",
    "stream=40000d": "no time",
    "stream=٧d": "no time",
    "stream=7d,upload=1d": "no time",
    "stream=7d;stream=8d": "said twice",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_rule_is_told(text):
    with pytest.raises(ConfigurationError, match=r"^MEDIAMILL_RETENTION: ") as caught:
        read_retention(text)
    assert WRONG[text] in caught.value.message
    assert "write rules such as stream=7d; upload=720h" in caught.value.message


def test_a_rule_that_takes_more_waits_until_workers_agree_for_a_day():
    held = Held("30d").asked("7d", 1)
    assert held == Held("30d", "7d", 1)
    assert held.in_force == 1 + HOLD_MS
    assert held.asked("7d", HOLD_MS) == held
    assert held.asked("7d", 1 + HOLD_MS) == Held("7d")
    assert held.asked("30d", 2) == Held("30d")  # a worker has the old one: all begins again
    assert held.asked("24h", 2) == Held("30d", "24h", 2)
    assert held.asked("90d", 2) == Held("90d")
    assert held.asked("none", 2) == Held("none")


def test_projects_keep_no_longer_than_they_may():
    rules = read_retention("stream=7d; project=30d")
    came, joined = 100 * DAY, 120 * DAY
    for due, bounded in ((joined, joined), (joined + 90 * DAY, came + 30 * DAY),
                         (None, came + 30 * DAY)):  # fmt: skip
        assert rules.bounded(due, came + 7 * DAY, came) == bounded
    assert rules.bounded(None, came + 60 * DAY, came) == came + 60 * DAY
    assert rules.bounded(None, None, came) is None
    assert read_retention("stream=7d").bounded(None, came, came) is None


def test_files_that_were_kept_for_ever_are_for_a_day_more():
    assert Held("none").asked("9d", 5) == Held("none", "9d", 5)
    assert Held("none").asked("none", 5) == Held("none")
