"""What is noted of the hourly export: a field of its unit, which every process of one store reads.

The place itself says it too (`exporting.State`), to whoever has only that.
"""

from typing import Any

from mediamill.core.clock import HOUR
from mediamill.store.port import Store
from mediamill.store.repositories.units import Unit

KIND = "export_figures"
LATE_MS = 26 * HOUR
"""After so long without an export that came to its end something is wrong."""


def noted(payload: dict[str, Any], began: int) -> dict[str, Any]:
    """Return the payload of the export's unit with when the last one began that is whole (ms)."""
    return {**payload, "exported": began}


async def last_export(store: Store, *, wanted: bool = False) -> int | None:
    """Return up to when every figure is in the export (ms), as far as workers make it.

    None where none is known; 0 where one is `wanted` all the same.
    """
    unit = await store.get(Unit, KIND, 0)
    exported = unit.payload.get("exported") if unit is not None else None
    return int(exported) if exported is not None else 0 if wanted else None
