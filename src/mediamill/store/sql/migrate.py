"""Forward-only migrations: `migrations/<dialect>/NNNN_name.sql`, applied in order, each whole.

The table `schema_version` has a row for each one applied. A database that knows a later version
than this program is refused: an older program would write rows that the newer one cannot trust.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mediamill.core.errors import ConfigurationError

VERSION_TABLE = """CREATE TABLE IF NOT EXISTS schema_version (
    version BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    applied BIGINT NOT NULL
)"""

VERSION = "SELECT COALESCE(MAX(version), 0) FROM schema_version"

_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")


@dataclass(frozen=True)
class Migration:
    """One numbered script."""

    version: int
    name: str
    sql: str


@cache
def migrations(dialect: str) -> tuple[Migration, ...]:
    """Read the shipped migrations of a dialect, in order; numbers are 1, 2, 3 … without gaps."""
    folder = files("mediamill.store.sql") / "migrations" / dialect
    named = [(entry, _NAME.match(entry.name)) for entry in folder.iterdir()]
    found = [Migration(int(m[1]), m[2], entry.read_text("utf-8")) for entry, m in named if m]
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise RuntimeError(f"migrations of {dialect} are not numbered 0001, 0002, 0003 …")
    return tuple(found)


def pending(known: tuple[Migration, ...], version: int) -> tuple[Migration, ...]:
    """List what a database at `version` still needs; refuses one that is ahead of this program."""
    if version > len(known):
        raise ConfigurationError(
            f"MEDIAMILL_STORE_URL: the database has schema version {version}, and this program "
            f"knows versions up to {len(known)}. Install the newer mediamill that wrote it, or "
            "restore the backup made before its upgrade.",
            setting="MEDIAMILL_STORE_URL",
        )
    return known[version:]
