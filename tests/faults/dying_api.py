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
from tests.faults.opened import each_store

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
    def die(when, actions):
        if file.exists():
            table, verb, moment = POINTS[file.read_text()]
            if moment == when and touches(actions, table, verb):
                file.unlink()
                os.kill(os.getpid(), signal.SIGKILL)

    def change(store):
        real = store.transact

        async def transact(*actions):
            die("before", actions)
            await real(*actions)
            die("after", actions)

        store.transact = transact

    each_store(change)


if __name__ == "__main__":
    arm(Path(sys.argv.pop(1)))
    main()
