"""Exports of everything that is kept about somebody: one a user, for a while."""

from enum import StrEnum

from mediamill.core.records import Key, Record
from mediamill.store.port import Store

PREFIX = "takeout"
"""Begins the keys of what an export is made of, where it does not lie there already."""


class ExportState(StrEnum):
    WAITING = "waiting"
    READY = "ready"
    FAILED = "failed"


class Export(Record, frozen=True, kw_only=True):
    """What a user asked for last; times in milliseconds, sizes in bytes."""

    table = "exports"
    key = Key("owner")

    owner: str
    id: str
    state: ExportState = ExportState.WAITING
    asked: int
    made: int | None = None
    expires: int | None = None
    """Until when it can be fetched."""
    layout: str = ""
    """The blob that lists its members (`media/archive/layout.py`)."""
    size: int = 0
    etag: str = ""
    members: int = 0
    error: str = ""

    @property
    def root(self) -> str:
        """What the keys of all its own blobs begin with."""
        return f"{PREFIX}/{self.owner}/{self.id}"


class Exports:
    """Reads of exports."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, owner: str) -> Export | None:
        return await self.store.get(Export, owner)
