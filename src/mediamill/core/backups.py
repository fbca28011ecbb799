"""What is known here of the last backup: `backup.json` in the home of whoever made it.

Metrics and `mediamill doctor` read it; the snapshots themselves are where the backup went.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mediamill.core.clock import DAY, HOUR, MINUTE
from mediamill.core.errors import ConfigurationError

FILE = "backup.json"
RESTORING = "restoring.json"
"""The mark of a restore into a home that is not finished (`backup/restoring.py`)."""
UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}


class LastBackup(msgspec.Struct, frozen=True, kw_only=True):
    """The last snapshot that was made; what it added to the place was read back."""

    snapshot: str
    begun: int
    """Everything that was acknowledged before is in it (ms)."""
    ended: int
    size: int
    """Bytes of all that it names."""
    fresh: int
    """Bytes that it added to the place."""
    place: str
    """The URL that it went to, without passwords."""
    counts: dict[str, int] = {}
    """How many objects were `missing`, `damaged` or `cold`."""

    @property
    def lost(self) -> int:
        """How many objects the installation has lost, by the time of the backup."""
        return self.counts.get("missing", 0) + self.counts.get("damaged", 0)


def refuse_unrestored(home: Path) -> None:
    """Raise `ConfigurationError` while a restore into a home is under way or was left."""
    if (home / RESTORING).exists():
        raise ConfigurationError(
            f"MEDIAMILL_HOME: a restore into {home} is not finished. Wait for `mediamill restore` "
            "to end, or give the same command again: it goes on where it was.",
            setting="MEDIAMILL_HOME",
        )


def every_ms(text: str) -> int:
    """Return what `30m`, `6h` or `1d` is in milliseconds."""
    return int(text[:-1]) * UNITS[text[-1]]


def note_backup(home: Path, last: LastBackup) -> None:
    """Write down, whole or not at all, that a backup was made."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = home / f".{FILE}-{os.getpid()}"
    fresh.write_bytes(msgspec.json.encode(last))
    fresh.replace(home / FILE)


def noted_backup(home: Path) -> LastBackup | None:
    """Return what was noted last; None where nothing was, or it cannot be read."""
    try:
        return msgspec.json.decode((home / FILE).read_bytes(), type=LastBackup)
    except (OSError, msgspec.DecodeError):
        return None


def last_backup(home: Path, *, wanted: bool = False) -> int | None:
    """Return up to when everything is in the last backup (ms).

    None where none is known; 0 where one is `wanted` all the same.
    """
    noted = noted_backup(home)
    return noted.begun if noted is not None else 0 if wanted else None


UNIT = "back_up"
"""The kind of the unit that makes backups, and notes there what it found."""


def broken_objects(payload: Mapping[str, Any]) -> int:
    """Return how many objects its last look found broken, or could not read."""
    looked: Mapping[str, Any] = payload.get("looked", {})
    return len(looked.get("broken", ())) + len(looked.get("unread", ()))
