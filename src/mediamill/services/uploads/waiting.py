"""Tell which of what has arrived waits for a worker, because functions could not take it."""

from dataclasses import dataclass

from mediamill.store.repositories.files import File
from mediamill.store.repositories.lanes import queue_name
from mediamill.store.repositories.units import LONG, Unit, Units
from mediamill.store.repositories.uploads import Upload, UploadState

SEEN = 1000
"""So many of an owner's newest units that wait are looked through for a file."""


@dataclass
class Waiting:
    """Looks at the units that check what has arrived (`engine/bounds.py`)."""

    units: Units

    async def upload(self, upload: Upload) -> bool:
        """Tell whether an upload is to be made a file by a worker."""
        if upload.state is not UploadState.CHECKING:
            return False
        unit = await self.units.get(f"upload:{upload.id}", 1)
        return unit is not None and unit.for_workers

    async def file(self, file: File) -> bool:
        """Tell whether a file that is not whole yet is to be checked, or fetched, by a worker."""
        if not file.passing:
            return False
        queue, index = queue_name(LONG, file.owner), Unit.index("unit_due")
        page = await self.units.store.query(Unit, index, queue, limit=SEEN, descending=True)
        return any(unit.for_workers and unit.payload.get("file") == file.id for unit in page.rows)
