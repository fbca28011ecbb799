"""How long what came in is kept, by the way it came: `stream=7d; upload=90d; import=none`.

A file's age counts from its `created`. When it is due is never stored: it follows from the rules in
force, so changing them holds for what is there already. Results have no rule of their own; they go
with the file that they were made of.

A project may say something else of its files, in days from when each joined it: `30d`, `none`, or
nothing, which is what the installation says (`store/repositories/keeping.py`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mediamill.core.clock import DAY, HOUR
from mediamill.core.errors import ConfigurationError

SETTING = "MEDIAMILL_RETENTION"
SOURCES = ("stream", "upload", "import")
"""The ways by which files come in."""
PROJECT = "project"
"""Beside them the most that projects keep, where they keep longer."""
RULED = (*SOURCES, PROJECT)
DEFAULT: Mapping[str, int] = {"stream": 7 * DAY}
"""What holds of ways that the setting does not name (ms); the others are kept for ever."""
UNITS = {"h": HOUR, "d": DAY}
MOST = 36_500 * DAY
MOST_DAYS = MOST // DAY
NEVER, AS_INSTALLED = "none", ""
"""What a project says whose files are kept for ever, and one that says nothing."""
KeepDays = int | Literal["none", "installation"]
"""What a project says, as the API writes it: days, for ever, or what the installation says."""
HOLD_MS = DAY
"""How long workers have to agree before a rule is in force that takes more than the last."""

_AGE = re.compile(r"([0-9]{1,6})([hd])")


@dataclass(frozen=True)
class Retention:
    """The rules in force: how long files of each source are kept (ms), and by projects at most."""

    ages: Mapping[str, int]

    def age(self, source: str) -> int | None:
        """Return how long files of a source are kept (ms); None for ever."""
        return self.ages.get(source)

    def due(self, source: str, created: int) -> int | None:
        """Return when a file has to go (ms); None for never."""
        age = self.ages.get(source)
        return None if age is None else created + age

    def bounded(self, due: int | None, base: int | None, created: int) -> int | None:
        """Return when a file goes (ms) that projects keep until `due`; None for never.

        They keep none longer than they may, unless `base`, by the way it came, does.
        """
        most = self.due(PROJECT, created)
        if most is None or base is None:
            return due
        return max(base, most) if due is None else min(due, max(base, most))

    def __str__(self) -> str:
        told = [each for each in RULED if each in SOURCES or each in self.ages]
        return "; ".join(f"{source}={self.told(source)}" for source in told)

    def told(self, source: str) -> str:
        """Write the rule of a source as the setting does."""
        age = self.ages.get(source)
        if age is None:
            return "none"
        return f"{age // HOUR}h" if age % DAY else f"{age // DAY}d"


def read_retention(text: str) -> Retention:
    """Read the setting; raises `ConfigurationError` that says what to write."""
    said: dict[str, int | None] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        source, equals, age = (piece.strip() for piece in part.partition("="))
        if not equals or source not in RULED:
            raise _wrong(f"{part[:60]!r} is no rule", source)
        if source in said:
            raise _wrong(f"{source} is said twice", "")
        said[source] = _age(source, age)
    ages = {**DEFAULT, **said}
    return Retention({source: age for source, age in ages.items() if age is not None})


FOR_EVER = Retention({})


@dataclass(frozen=True)
class Held:
    """The rule of a source that is in force, and a shorter one that waits to be."""

    rule: str
    wanted: str | None = None
    since: int | None = None
    """Since when it is wanted (ms)."""

    @property
    def in_force(self) -> int | None:
        """When the shorter one will be in force (ms), if nothing comes between."""
        return None if self.since is None else self.since + HOLD_MS

    def asked(self, rule: str, now: int) -> "Held":
        """Return what is in force when a worker has a rule, by what was before.

        What keeps files longer is at once. What keeps them less long is when for a day no worker
        had another: then it is no slip, and not one of several workers whose settings differ.
        """
        age, mine = age_of(self.rule), age_of(rule)
        if mine is None or (age is not None and mine >= age):
            return Held(rule)
        if self.wanted != rule or self.since is None:
            return Held(self.rule, rule, now)
        return Held(rule) if now - self.since >= HOLD_MS else self


def latest(times: Iterable[int | None]) -> int | None:
    """Return the last of some times (ms), at least one; None, for never, where one of them is."""
    found = [*times]
    return None if None in found else max(time for time in found if time is not None)


def days_of(rule: str) -> KeepDays:
    """Return a project's rule as the API says it."""
    age = age_of(rule)
    return age // DAY if age else ("none" if rule == NEVER else "installation")


def rule_of(days: KeepDays) -> str:
    """Return a project's rule as it is kept, of what the API says."""
    if days == "installation":
        return AS_INSTALLED
    return NEVER if days == "none" else f"{days}d"


def age_of(rule: str) -> int | None:
    """Return how long a rule keeps files (ms), as `told` writes it; None for ever."""
    found = _AGE.fullmatch(rule)
    return int(found[1]) * UNITS[found[2]] if found else None


def _age(source: str, text: str) -> int | None:
    if text == "none":
        return None
    milliseconds = age_of(text) or 0
    if not 0 < milliseconds <= MOST:
        raise _wrong(f"{source}={text[:40]} is no time", "")
    return milliseconds


def _wrong(what: str, source: str) -> ConfigurationError:
    hint = "results go with the files they were made of; " if source == "result" else ""
    message = (
        f"{SETTING}: {what}: {hint}write rules such as stream=7d; upload=720h; import=none, for "
        f"{', '.join(RULED)}."
    )
    return ConfigurationError(message, setting=SETTING)
