"""Erasures: accounts that are being deleted, and what is kept of that when they are gone.

    waiting ──▶ running ──▶ done
       └──▶ undone

While it waits the account is shut and everything is there still. Once done, the row names nobody:
it is the receipt, which says how much of what there was.
"""

from enum import StrEnum
from typing import Any

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Delete, Page, Store

SHELF = "erasures"


class ErasureState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    UNDONE = "undone"


class Erasure(Record, frozen=True, kw_only=True):
    """The deletion of one account; times in milliseconds."""

    table = "erasures"
    key = Key("id")
    indexes = (Index("erasure_all", partition=("shelf",), sort=("id",)),)

    id: str
    shelf: str = SHELF
    """The same for all, so that they can be listed."""
    user: str | None
    """Whose account; None once it is done, or was undone."""
    state: ErasureState = ErasureState.WAITING
    by: str
    """`user`, `administrator` or `operator`: who asked for it."""
    barred: bool = False
    """Whether the account was shut before, and stays so if this is taken back."""
    asked: int
    due: int
    """Until when it can be taken back."""
    ended: int | None = None
    counts: dict[str, int] = {}
    """How many rows of each table there were when it began."""
    bytes: int = 0
    """How much the user kept then."""


class Former(Record, frozen=True, kw_only=True):
    """That something was shared with a user once: what they did there may still name them."""

    table = "former_shares"
    key = Key("user", "record")
    indexes = (Index("former_of", partition=("record",), sort=("user",)),)

    user: str
    record: str
    """Id of a project or a template."""


class Erasures:
    """Reads of erasures."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, erasure_id: str) -> Erasure | None:
        return await self.store.get(Erasure, erasure_id)

    async def all(self, after: str | None, limit: int) -> Page[Erasure]:
        """List all, the last first."""
        index = Erasure.index("erasure_all")
        return await self.store.query(
            Erasure, index, SHELF, after=after, limit=limit, descending=True
        )


async def forget_former(store: Store, record: str) -> None:
    """Remove what says with whom a record was shared once, as the record goes."""
    index = Former.index("former_of")
    while rows := (await store.query(Former, index, record)).rows:
        await store.transact(*(Delete(Former, row.key_values()) for row in rows))


def group_of(erasure_id: str) -> str:
    """Return the group of the one unit of an erasure."""
    return f"erase:{erasure_id}"


def about(erasure: Erasure) -> dict[str, Any]:
    """Return what the log says of one."""
    return {"erasure": erasure.id, "by": erasure.by, "rows": sum(erasure.counts.values())}
