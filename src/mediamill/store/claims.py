"""Claiming in one step: what a store may do its own best way; `engine/scheduler.py` does the same.

Both give the same answers; one suite checks both (`tests/contracts/claims_contract.py`).
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from mediamill.store.repositories.units import Unit


@runtime_checkable
class Claims(Protocol):
    """A store that picks, leases and charges a unit at once, by its own time."""

    async def claim(self, klasses: Sequence[str], holder: str, lease_ms: int) -> Unit | None:
        """Claim a due unit of the first class that has one; None when nothing is due.

        Of the class's active lanes the one with the least virtual time that has due work is served,
        then its owner's: the unit due first. The unit is leased to `holder` for `lease_ms` with a
        higher fence, `lost` counts up where a lease ran out, `started` is set once, and the lane's
        virtual time grows by the unit's cost. What another claim has in hand is passed over. Raises
        `Unavailable`; the unit may then be leased, and is claimed again when that has run out.
        """
