"""`mediamill` that freezes itself before it commits a result, and notes what its writes changed.

`python -m tests.faults.freezing FOLDER worker --home …`: while `FOLDER/freeze` is there, the next
transaction that writes a result removes it and stops the process (SIGSTOP) first. `FOLDER/writes`
has a line for each write of a claimant: the unit's group, and `written` or `refused`.
"""

import os
import signal
import sys
from pathlib import Path

from mediamill.cli import main
from mediamill.core.errors import ConditionFailed
from mediamill.store.port import Delete, Put, Update
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.units import Unit
from mediamill.store.sql.sqlite.store import SqliteStore


def arm(folder: Path) -> None:
    real = SqliteStore.transact
    freeze, writes = folder / "freeze", folder / "writes"

    def note(group: str, outcome: str) -> None:
        with writes.open("a") as file:
            file.write(f"{group} {outcome}\n")

    async def transact(self, *actions):
        settles = any(isinstance(a, Put) and isinstance(a.record, Result) for a in actions)
        if settles and freeze.exists():
            freeze.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)
        guarded = actions and isinstance(actions[0], Update | Delete) and actions[0].kind is Unit
        group = actions[0].key[0] if guarded else ""
        try:
            await real(self, *actions)
        except ConditionFailed:
            if guarded:
                note(group, "refused")
            raise
        if guarded:
            note(group, "written")

    SqliteStore.transact = transact


if __name__ == "__main__":
    arm(Path(sys.argv.pop(1)))
    main()
