"""Allowances: what one user may have and do, where that is other than the settings say.

An installation's limits are in its settings. An administrator gives a user others, each by itself;
what is not given stays the installation's.
"""

from enum import StrEnum

import msgspec

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Key, Record
from mediamill.store.port import Absent, Delete, Equals, Put, Store


class Quota(StrEnum):
    """What is limited for each user."""

    BYTES = "bytes"
    """Bytes kept: files, those in the trash too, uploads that are under way, results."""
    FILES = "files"
    """Files kept, those in the trash too."""
    JOBS = "jobs"
    """Jobs that have not ended, at a time."""
    ITEMS = "items"
    """Items that jobs run in a month (UTC)."""
    REQUESTS = "requests"
    """Requests in a minute."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The most of everything that is limited; None is no limit."""

    bytes: int | None = None
    files: int | None = None
    jobs: int | None = None
    items: int | None = None
    requests: int | None = None

    def of(self, quota: Quota) -> int | None:
        """Return one of them."""
        most: int | None = getattr(self, quota)
        return most


UNLIMITED = Limits()


class Allowance(Record, frozen=True, kw_only=True):
    """Limits of one user, other than the installation's: None is as there, 0 is no limit."""

    table = "allowances"
    key = Key("owner")

    owner: str
    bytes: int | None = None
    files: int | None = None
    jobs: int | None = None
    items: int | None = None
    requests: int | None = None
    changed: int
    """When an administrator set it (ms)."""
    revision: int = 0

    def over(self, common: Limits) -> Limits:
        """Return the limits that hold for the user, where these hold for all."""
        own = {quota.value: getattr(self, quota) for quota in Quota}
        return msgspec.structs.replace(
            common, **{name: most or None for name, most in own.items() if most is not None}
        )


class Allowances:
    """Reads and writes of allowances; `common` holds for whoever has none."""

    def __init__(self, store: Store, common: Limits = UNLIMITED) -> None:
        self.store, self.common = store, common

    async def get(self, owner: str) -> Allowance | None:
        return await self.store.get(Allowance, owner)

    async def limits(self, owner: str) -> Limits:
        """Return the limits that hold for a user now."""
        own = await self.get(owner)
        return self.common if own is None else own.over(self.common)

    async def give(self, owner: str, now: int, **limits: int | None) -> Allowance:
        """Change some limits of a user at a time (ms); those not named stay as they are."""
        while True:
            before = await self.get(owner)
            row = before or Allowance(owner=owner, changed=now)
            row = row.evolve(**limits, changed=now, revision=row.revision + 1)
            same = Absent() if before is None else Equals("revision", before.revision)
            try:
                await self.store.transact(Put(row, when=(same,)))
            except ConditionFailed:
                continue  # another administrator was faster
            return row

    async def reset(self, owner: str) -> None:
        """Let the installation's limits hold for a user again."""
        await self.store.transact(Delete(Allowance, (owner,)))
