"""`mediamill` that kills itself at a point which a test has put into a file; nothing else differs.

`python -m tests.faults.dying_api FILE api --home …`: the file names a kind of record, what is
written of it, and `before` or `after` the transaction; it is removed as the process dies.
"""

import os
import signal
import sys
from pathlib import Path

from mediamill.cli import main
from mediamill.store.port import Put, Update
from mediamill.store.sql.sqlite.store import SqliteStore

POINTS = {
    "before the row": ("idempotency", Put, "before"),
    "reserved": ("idempotency", Put, "after"),
    "bytes stored": ("files", Put, "before"),
    "file committed": ("files", Put, "after"),
    "job committed": ("jobs", Put, "after"),
    "answer kept": ("idempotency", Update, "after"),
}


def touches(actions, table, verb):
    kinds = [(type(a.record) if isinstance(a, Put) else a.kind, type(a)) for a in actions]
    return any(kind.table == table and made is verb for kind, made in kinds)


def arm(file: Path) -> None:
    real = SqliteStore.transact

    def die(when, actions):
        if file.exists():
            table, verb, moment = POINTS[file.read_text()]
            if moment == when and touches(actions, table, verb):
                file.unlink()
                os.kill(os.getpid(), signal.SIGKILL)

    async def transact(self, *actions):
        die("before", actions)
        await real(self, *actions)
        die("after", actions)

    SqliteStore.transact = transact


if __name__ == "__main__":
    arm(Path(sys.argv.pop(1)))
    main()
