"""What was answered to requests that carry an `Idempotency-Key`, for a day.

    (absent) ──reserve──▶ running ──complete──▶ done
                            │  ▲                 └──▶ removed by housekeeping
                            │  └──take over (attempt + 1)
                            └──forget: the request was refused and made nothing

The row is there before the work begins and names the ids that the work will use, so whoever
repeats the request after a crash finds what it had made.
"""

import hashlib
from enum import StrEnum

from mediamill.blobs.port import Blobs
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Absent, Delete, Equals, Put, Store, Update

EXPIRING = "idempotency"


class KeyState(StrEnum):
    RUNNING = "running"
    DONE = "done"


class KeyedRequest(Record, frozen=True, kw_only=True):
    """One user's request under one key, and its answer once there is one."""

    table = "idempotency"
    key = Key("owner", "name")
    indexes = (
        Index(
            "idempotency_expiry", partition=("shelf",), sort=("expires", "owner", "name"), shards=8
        ),
    )

    owner: str
    name: str
    """The key as the client sent it."""
    shelf: str = EXPIRING
    """The same for all, so that housekeeping can list them by age."""
    fingerprint: str
    """SHA-256 of what the request asks for, as far as it is known before its body is read."""
    first: str
    """Number of the first reserved id, in decimal."""
    state: KeyState = KeyState.RUNNING
    attempt: int = 1
    holder: str
    """The process that works on it: `{host}/{process}/{start}`."""
    until: int
    """When its lease runs out (ms)."""
    status: int = 0
    headers: dict[str, str] = {}
    body: bytes | None = None
    blob: str | None = None
    """Where a larger body is."""
    digests: tuple[str, ...] | None = None
    """SHA-256 of each file that a streamed body brought."""
    created: int
    expires: int


class KeyedRequests:
    """Reads and guarded writes of them."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, owner: str, name: str) -> KeyedRequest | None:
        return await self.store.get(KeyedRequest, owner, name)

    async def reserve(self, row: KeyedRequest, instead_of: KeyedRequest | None = None) -> None:
        """Write a first or further attempt; raises `ConditionFailed` when somebody was faster."""
        guard = held(instead_of) if instead_of else (Absent(),)
        await self.store.transact(Put(row, when=guard))

    async def change(self, row: KeyedRequest, **changes: object) -> None:
        """Change the row of an attempt; raises `ConditionFailed` once another has it."""
        key = row.key_values()
        await self.store.transact(Update(KeyedRequest, key, set=changes, when=held(row)))

    async def forget(self, row: KeyedRequest) -> None:
        """Remove the row of an attempt; raises `ConditionFailed` once another has it."""
        await self.store.transact(Delete(KeyedRequest, row.key_values(), when=held(row)))

    async def expired(self, now: int, limit: int = 100) -> tuple[KeyedRequest, ...]:
        """List rows whose day is over, oldest first."""
        index = KeyedRequest.index("idempotency_expiry")
        page = await self.store.query(KeyedRequest, index, EXPIRING, at_most=now, limit=limit)
        return page.rows


def held(row: KeyedRequest) -> tuple[Equals, ...]:
    """Return the guard of an attempt: nobody has completed it or taken it over."""
    return tuple(Equals(name, getattr(row, name)) for name in ("state", "attempt", "first"))


def blobs_of(row: KeyedRequest) -> str:
    """Return what the keys of a row's blobs begin with; the number of the attempt follows."""
    name = hashlib.sha256(f"{row.owner} {row.name}".encode()).hexdigest()
    return f"idempotency/{name}-{row.first}-"


async def remove_blobs(blobs: Blobs, row: KeyedRequest) -> None:
    """Remove what the attempts of a row have left; the row itself stays."""
    async for blob in blobs.list(blobs_of(row)):
        await blobs.delete(blob.key)
