"""What is done twice for rows of an earlier version: at once, and a day later."""

from mediamill.core.clock import DAY
from mediamill.engine.lease import Lease
from mediamill.store.port import Absent, Put
from mediamill.store.repositories.units import Unit, lane_of


async def once_more(lease: Lease) -> None:
    """Finish a unit; the first one has it done a day later again.

    A program of the earlier version may have been at work still, and an index may have lacked rows.
    """
    unit = lease.unit
    if unit.seq:
        await lease.finish()
        return
    now = await lease.units.store.now()
    again = Unit.chore(
        unit.kind, unit.group, 1, unit.owner, cost=unit.cost, now=now, due=now + DAY
    )  # fmt: skip
    await lease.finish(Put(again, when=(Absent(),)), wake=lane_of(again))
