"""`mediamill` that freezes itself before it commits a result, and notes what its writes changed.

`python -m tests.faults.freezing FOLDER worker --home …`: while `FOLDER/freeze` is there, the next
transaction that writes a result removes it and stops the process (SIGSTOP) first; when it says
`middle`, only where PostgreSQL has the statements and waits for the word to commit them.
`FOLDER/writes` has a line for each write of a claimant: the unit's group, and `written`, `refused`
or, when the store was away, `broken`.
"""

import os
import signal
import sys
from pathlib import Path

import psycopg

from mediamill.cli import main
from mediamill.core.errors import ConditionFailed, Unavailable
from mediamill.store.port import Delete, Put, Update
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.units import Unit
from tests.faults.opened import each_store


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def stop_at_commit() -> None:
    """Stop once, with all locks of a transaction held."""
    real = psycopg.AsyncConnection.execute

    def execute(self, query, *values):
        if query == "COMMIT":
            psycopg.AsyncConnection.execute = real
            stop()
        return real(self, query, *values)

    psycopg.AsyncConnection.execute = execute


def arm(folder: Path) -> None:
    freeze, writes = folder / "freeze", folder / "writes"

    def note(group: str, outcome: str) -> None:
        with writes.open("a") as file:
            file.write(f"{group} {outcome}\n")

    def change(store):
        real = store.transact

        async def transact(*actions):
            settles = any(isinstance(a, Put) and isinstance(a.record, Result) for a in actions)
            if settles and freeze.exists():
                where = freeze.read_text()
                freeze.unlink()
                stop_at_commit() if where == "middle" else stop()
            guarded = (
                actions and isinstance(actions[0], Update | Delete) and actions[0].kind is Unit
            )
            group = actions[0].key[0] if guarded else ""
            try:
                await real(*actions)
            except (ConditionFailed, Unavailable) as error:
                if guarded:
                    note(group, "refused" if isinstance(error, ConditionFailed) else "broken")
                raise
            if guarded:
                note(group, "written")

        store.transact = transact

    each_store(change)


if __name__ == "__main__":
    arm(Path(sys.argv.pop(1)))
    main()
