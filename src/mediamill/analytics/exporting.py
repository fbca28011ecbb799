"""Export figures as Parquet: a file for each day, rewritten when anything of the day was counted.

    figures-v1/day=2026-11-22/figures.parquet
    state/figures-v1.json        which days are written, up to which count, and when; written last

A day may change long after it is over: a file that began to come in then is ready now. What
changed is looked for from the month before the last look that ended; in all months where none did,
or where the state is missing, so who removes that has all written anew.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
import structlog

from mediamill.analytics.places import Place
from mediamill.analytics.table import NAME, VERSION, DayOfRows, days, parquet
from mediamill.core.clock import DAY
from mediamill.core.threads import to_end
from mediamill.store.port import Store
from mediamill.store.repositories.daily import day_of

log = structlog.get_logger(__name__)

TABLE = f"{NAME}-v{VERSION}"
STATE = f"state/{TABLE}.json"
FIRST_DAY = "2026-01-01"
"""Nothing was counted before it."""
DAYS_AT_ONCE = 50
"""Days that are written between two writes of the state."""


class State(msgspec.Struct, frozen=True):
    """What is written."""

    days: dict[str, int] = {}
    """By day, the count up to which its file has it (`DayOfRows.turn`)."""
    looked: str = ""
    """The day of the last look that came to its end; empty before the first."""
    exported: int = 0
    """When that began (ms): what was counted before is in the files."""


@dataclass
class Exporter:
    """Writes what has changed since the last time."""

    store: Store
    place: Place

    async def run(self, *, everything: bool = False) -> int:
        """Write the days that changed, or all of them; return how many."""
        now = await self.store.now()
        today, tomorrow = day_of(now), day_of(now + DAY)
        state = State() if everything else await read_state(self.place)
        known, looked, written = dict(state.days), state.looked, 0
        first = _month_before(min(looked, today)) if looked else FIRST_DAY
        async for one in days(self.store, first, tomorrow):
            if one.rows and known.get(one.day) != one.turn:
                await self._write(one)
                known[one.day] = one.turn
                written += 1
                if written % DAYS_AT_ONCE == 0:
                    await self._note(State(known, looked, state.exported))
        await self._note(State(known, today, now))
        if written:
            log.info("figures exported", action="figures_exported", days=written)
        return written

    async def _write(self, one: DayOfRows) -> None:
        data = await to_end(parquet, one.rows)
        await self.place.write(f"{TABLE}/day={one.day}/{NAME}.parquet", data)

    async def _note(self, state: State) -> None:
        await self.place.write(STATE, msgspec.json.encode(state))


async def read_state(place: Place) -> State:
    """Return what is said to be written at a place; nothing where nothing is."""
    kept = await place.read(STATE)
    return msgspec.json.decode(kept, type=State) if kept else State()


def _month_before(day: str) -> str:
    """Return the first day of the month before a day's."""
    first = date.fromisoformat(day).replace(day=1)
    return (first - timedelta(1)).replace(day=1).isoformat()
