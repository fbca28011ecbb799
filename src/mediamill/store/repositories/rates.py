"""Rates: how many requests came in a window of time, counted by all servers of an installation.

A window is a minute by the store's time. One row a subject says which window it is in and how much
of it is taken; a server takes a share ahead, so not every request is a write. Rows of windows that
are long over go by themselves (`handlers/removing/forget_rates.py`).
"""

from collections.abc import Sequence

from mediamill.core.clock import MINUTE
from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import MAX_ACTIONS, Absent, AtMost, Delete, Equals, Put, Store, Update

SHELF = "rates"
WINDOW = MINUTE


class Window(Record, frozen=True, kw_only=True):
    """How much one subject has taken of a window."""

    table = "rates"
    key = Key("subject")
    indexes = (Index("rate_all", partition=("shelf",), sort=("window", "subject"), shards=8),)

    subject: str
    """What is limited, and a hash of whose it is (`services/quotas/rates.py`): it tells nobody."""
    shelf: str = SHELF
    """The same for all, so that they can be listed."""
    window: int
    """Number of the window: its begin (ms) divided by its length."""
    taken: int = 0


class Rates:
    """Shares of windows; reads, and the one guarded write."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def taken(self, subject: str, window: int) -> int:
        """Return how much of a window is taken."""
        row = await self.store.get(Window, subject)
        return row.taken if row is not None and row.window == window else 0

    async def take(self, subject: str, window: int, share: int, most: int) -> tuple[int, int]:
        """Take up to a share of a window that holds so much at most.

        Return what was taken, 0 when there is nothing left, and how much is taken by then in all.
        """
        while True:
            row = await self.store.get(Window, subject)
            begun = row is not None and row.window >= window
            before = row.taken if row is not None and begun else 0
            got = min(share, most - before)
            if got <= 0:
                return 0, before
            try:
                if row is None:
                    fresh = Window(subject=subject, window=window, taken=got)
                    await self.store.transact(Put(fresh, when=(Absent(),)))
                else:
                    await self.store.transact(_taking(row, window, got, most, begun=begun))
            except ConditionFailed:
                continue  # another server was faster: look again
            return got, before + got

    async def older(self, than: int, limit: int = MAX_ACTIONS) -> Sequence[Window]:
        """List rows of windows up to one."""
        index = Window.index("rate_all")
        return (await self.store.query(Window, index, SHELF, at_most=than, limit=limit)).rows

    async def forget(self, rows: Sequence[Window]) -> None:
        """Remove rows, at most as many as a transaction takes; none if one is in use again."""
        still = [(row, (Equals("window", row.window),)) for row in rows]
        await self.store.transact(*(Delete(Window, (row.subject,), when) for row, when in still))


def _taking(row: Window, window: int, got: int, most: int, *, begun: bool) -> Update:
    """Make the write that takes more of the row's window, or begins the next one."""
    same = Equals("window", row.window)
    if begun:
        room = AtMost("taken", most - got)
        return Update(Window, (row.subject,), add={"taken": got}, when=(same, room))
    return Update(Window, (row.subject,), set={"window": window, "taken": got}, when=(same,))
