"""Forward-only migrations: `migrations/<dialect>/NNNN_name.sql`, applied in order, each whole.

The table `schema_version` has a row for each one applied. Two adjacent versions of the program work
on one database while it is upgraded, so a migration expands: it only adds what an older program
need not know, and its line `-- compatible: N` says that programs which know version N may go on. A
program that knows less than what the applied migrations ask for is refused: it would write rows
that the newer one cannot trust. So is one that would misread what is added: `-- refuses:` says how.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mediamill.store.versions import require_compatible

VERSION_TABLE = """CREATE TABLE IF NOT EXISTS schema_version (
    version BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    applied BIGINT NOT NULL,
    compatible BIGINT
)"""

VERSION = "SELECT COALESCE(MAX(version), 0), COALESCE(MAX(compatible), 0) FROM schema_version"

BORN = "SELECT COALESCE(MIN(applied), 0) FROM schema_version"
"""When a database was made (ms): its copies tell the same, and hardly any other one."""

_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_COMPATIBLE = re.compile(r"^-- compatible: (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Migration:
    """One numbered script."""

    version: int
    name: str
    sql: str

    @property
    def compatible(self) -> int:
        """The least version that a program must know to work on the database afterwards."""
        said = _COMPATIBLE.search(self.sql)
        return int(said[1]) if said else self.version


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


def pending(known: tuple[Migration, ...], version: int, compatible: int) -> tuple[Migration, ...]:
    """List what a database at `version` still needs; refuses one that asks for a newer program."""
    require_compatible(len(known), version, compatible)
    return known[version:]
