"""SQLite files that are made with all tables at once: migrated once a process, and copied then.

All migrations take sixty milliseconds of processor time, six times the rest of what opens the
application, in every test that has a store. Whoever opens a copy finds nothing left to apply. Only
files that are not there yet are copies: tests of migrations begin with one of an earlier version,
or run a fresh process.
"""

import os
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from mediamill.core.records import Record
from mediamill.store.sql.sqlite.connection import prepare


@cache
def template() -> bytes:
    """Return the content of a file to which all migrations were applied."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        prepare(path, 60, ())
        return path.read_bytes()


def prepared(path: Path, timeout: float, kinds: Iterable[type[Record]]) -> None:
    """Do what `prepare` does; stands for it in `mediamill.store.sql.sqlite.store`."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(template())
        with suppress(FileExistsError):  # somebody else was faster
            os.link(aside, path)
        aside.unlink()
    prepare(path, timeout, kinds)
