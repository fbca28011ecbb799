"""Uploads over several requests: what has come so far, in parts, and who may append.

    receiving ──▶ checking ──▶ ready
        │             └──────▶ rejected
        └──▶ ended (deleted or expired; its rows are going)

One request at a time holds an upload: it raises `fence` and keeps `until` ahead of the store's time
while bytes come. Every write of a holder is guarded by its fence, so one that was silent until
another took over changes nothing more. A part is a durable blob; `offset` counts what parts hold.

A direct upload goes from its sender to the bucket, past this service, to `arriving`: nothing of it
is counted until its sender says that it is complete. It is held only for that.
"""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Any

from mediamill.core.records import Key, Record
from mediamill.store.port import (
    MAX_ACTIONS,
    Absent,
    Action,
    Delete,
    Equals,
    Put,
    Store,
    Update,
    key_index,
)
from mediamill.store.repositories.units import Unit, Units, lane_of
from mediamill.store.repositories.usage import Usages

INCOMING = "incoming"


class UploadState(StrEnum):
    RECEIVING = "receiving"
    CHECKING = "checking"
    READY = "ready"
    REJECTED = "rejected"
    ENDED = "ended"


class Upload(Record, frozen=True, kw_only=True):
    """A file that arrives over several requests; sizes in bytes, times in milliseconds."""

    table = "uploads"
    key = Key("id")

    id: str
    owner: str
    name: str
    size: int | None = None
    """None until the sender knows."""
    offset: int = 0
    """Bytes that are durable."""
    charged: int = 0
    """Bytes of it that its owner's `Usage` counts: its size, or what has come while that is not
    known; none once it is a file, or at its end."""
    metadata: str = ""
    """`Upload-Metadata` as it was sent."""
    tags: tuple[str, ...] = ()
    project: str = ""
    sha256: str | None = None
    """What the bytes must hash to, if that was said; lower-case hexadecimal."""
    state: UploadState = UploadState.RECEIVING
    fence: int = 0
    until: int = 0
    """Until when the last holder is alone, in the store's time."""
    file: str = ""
    """Id of the file that it has become; of a direct upload also while that is checked."""
    code: str = ""
    """Why it was rejected, or is in no project: an error's code, and its message in `error`."""
    error: str = ""
    part_size: int = 0
    """Bytes of each part but the last of a direct upload; 0 for one that comes through here."""
    multipart: str = ""
    """Id of a direct upload in parts at the bucket; empty for one that is a single request."""
    created: int
    expires: int

    @property
    def hidden(self) -> bool:
        """Whether it is answered as absent."""
        return self.state is UploadState.ENDED

    @property
    def direct(self) -> bool:
        """Whether its bytes go to the bucket, past this service."""
        return self.part_size > 0

    @property
    def arriving(self) -> str:
        """Blob that the requests of a direct upload write; not to be believed before a copy."""
        return arriving(self.id)

    @property
    def complete(self) -> bool:
        return self.offset == self.size

    def log_context(self) -> dict[str, Any]:
        return {"upload": self.id, "owner": self.owner}


def arriving(upload_id: str) -> str:
    """Return where the bytes of a direct upload arrive."""
    return f"{INCOMING}/{upload_id}"


class UploadPart(Record, frozen=True, kw_only=True):
    """Bytes `start … start + size` of an upload, in a blob of their own."""

    table = "upload_parts"
    key = Key("upload", "start")

    upload: str
    start: int
    size: int
    blob: str


class UploadRows:
    """Reads and guarded writes of uploads."""

    def __init__(self, store: Store, usages: Usages) -> None:
        self.store, self.units, self.usages = store, Units(store), usages

    async def get(self, upload_id: str) -> Upload | None:
        return await self.store.get(Upload, upload_id)

    async def begin(self, upload: Upload, expiry: Unit) -> None:
        """Insert an upload, with the unit that removes it in the end; raises `QuotaExceeded`."""
        charge = await self.usages.charge(upload.owner, upload.charged)
        actions: tuple[Action, ...] = (Put(upload, when=(Absent(),)), *charge)
        async with self.usages.refusing(upload.owner, actions):
            await self.units.insert([expiry], *actions)

    async def take(self, upload: Upload, until: int) -> Upload:
        """Become the holder; raises `ConditionFailed` when it changed since it was read."""
        taken = upload.evolve(fence=upload.fence + 1, until=until)
        same = tuple(
            Equals(name, getattr(upload, name)) for name in ("fence", "until", "offset", "state")
        )
        changes = {"fence": taken.fence, "until": until}
        await self.store.transact(Update(Upload, (upload.id,), set=changes, when=same))
        return taken

    def guarded(self, upload: Upload, **changes: Any) -> Update:
        """Make the update that holds only while nobody else took the upload."""
        still = (Equals("fence", upload.fence), Equals("state", upload.state))
        return Update(Upload, (upload.id,), set=changes, when=still)

    async def write(
        self, upload: Upload, *others: Action, unit: Unit | None = None, **changes: Any
    ) -> Upload:
        """Change an upload that is held, and insert a unit; raises `ConditionFailed` if it is not.

        The actions are one transaction, which charges its owner for what `charged` grows. Raises
        `QuotaExceeded` when there is no room for that.
        """
        more = changes.get("charged", upload.charged) - upload.charged
        charge = await self.usages.charge(upload.owner, more)
        actions = (self.guarded(upload, **changes), *others, *charge)
        async with self.usages.refusing(upload.owner, actions):
            if unit is None:
                await self.store.transact(*actions)
            else:
                inserted = Put(unit, when=(Absent(),))
                await self.units.commit(*actions, inserted, wake=lane_of(unit))
        return upload.evolve(**changes)

    async def end(self, upload: Upload) -> Upload:
        """Take an upload from everybody's hands for good; raises `ConditionFailed`."""
        over = {"state": UploadState.ENDED, "fence": upload.fence + 1, "until": 0, "charged": 0}
        return await self.write(upload, unit=None, **over)

    @staticmethod
    def insert(parts: Sequence[UploadPart]) -> list[Action]:
        """Make the actions that record parts."""
        return [Put(part, when=(Absent(),)) for part in parts]

    async def parts(self, upload_id: str) -> AsyncIterator[UploadPart]:
        """Visit the parts of an upload, in order."""
        after: str | None = None
        while True:
            index = key_index(UploadPart)
            page = await self.store.query(UploadPart, index, upload_id, after=after)
            for part in page.rows:
                yield part
            after = page.after
            if after is None:
                return

    async def forget_parts(self, parts: Sequence[UploadPart]) -> None:
        """Remove the rows of parts."""
        for first in range(0, len(parts), MAX_ACTIONS):
            some = parts[first : first + MAX_ACTIONS]
            await self.store.transact(*(Delete(UploadPart, part.key_values()) for part in some))
