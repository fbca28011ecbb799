"""The unit that will remove a file, and the change that names it."""

from typing import Any

from mediamill.store.port import Equals, Update
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit


def change(file: File, **fields: Any) -> Update:
    """Make the update that holds only while the file is as it was read."""
    return Update(
        File,
        (file.id,),
        set=fields,
        add={"revision": 1},
        when=(Equals("revision", file.revision),),
    )


def dooming(file: File, due: int) -> dict[str, Any]:
    """Return the fields of a `change` that hands a file to its purge unit, due at a time (ms)."""
    return {"doomed": file.revision + 1, "purge_at": due}


def purge_unit(file: File, now: int, due: int) -> Unit:
    """Make the unit that `dooming` names."""
    group, seq = f"purge:{file.id}", file.revision + 1
    return Unit.chore(
        "purge_file", group, seq, file.owner, cost=0.05, now=now, due=due, file=file.id
    )
