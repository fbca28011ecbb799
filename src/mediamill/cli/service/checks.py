"""A finding of `mediamill doctor`."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Worth knowing; the service works."""
    PROBLEM = "problem"


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    level: Level
    text: str
