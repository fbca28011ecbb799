"""The schema that the declared records need, as SQL.

`python -m mediamill.store.sql.schema [dialect]` prints the DDL of every declared record: exactly
what belongs in `migrations/<dialect>/0001_initial.sql` while that file is not released yet. After
a release, write the difference as the next numbered file; a test compares both ways.
"""

import sys
from collections.abc import Iterable

from mediamill.core.records import Record, type_map
from mediamill.store.sql.statements import POSTGRES, SQLITE, Dialect, statements_of

DIALECTS = {dialect.name: dialect for dialect in (POSTGRES, SQLITE)}


def declared_kinds() -> tuple[type[Record], ...]:
    """List the service's own record classes by table name; those of tests are left out."""
    import mediamill.store.schema  # noqa: F401 - imports every module that declares records

    own = (kind for kind in type_map.values() if kind.__module__.startswith("mediamill."))
    return tuple(sorted(own, key=lambda kind: kind.table))


def ddl(kinds: Iterable[type[Record]], dialect: Dialect, if_absent: bool = False) -> str:
    """Write the script that creates the tables and indexes of these kinds."""
    scripts = (";\n".join(statements_of(kind, dialect).ddl(if_absent)) + ";\n" for kind in kinds)
    return "\n".join(scripts)


def main(arguments: list[str]) -> None:
    """Print the DDL of all declared records in the dialect that the first argument names."""
    dialect = DIALECTS[arguments[0] if arguments else SQLITE.name]
    sys.stdout.write(ddl(declared_kinds(), dialect))


if __name__ == "__main__":
    main(sys.argv[1:])
