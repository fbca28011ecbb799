"""Usage: how many bytes each owner keeps here, and the quota that they may not exceed.

Every row that keeps bytes says in `charged` how many its owner is charged for: a file, an upload
whose bytes come over several requests, a job for its results. Whoever changes such a field counts
the difference in here, in the same transaction; so whatever dies, an owner's usage is the sum of
the `charged` of the owner's rows, and what the quota has room for is taken once.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NoReturn

from mediamill.core.errors import ConditionFailed, QuotaExceeded
from mediamill.core.records import Key, Record
from mediamill.store.port import Absent, Action, AtMost, Put, Store, Update


class Usage(Record, frozen=True, kw_only=True):
    """What one owner keeps, in bytes."""

    table = "usage"
    key = Key("owner")

    owner: str
    bytes: int = 0
    """Files, those in the trash too, uploads that are under way, results of jobs, versions of
    datasets, and annotations of the owner's projects."""
    results: int = 0
    """How much of it is results of jobs."""


class Usages:
    """Reads of usage, and the action that charges an owner.

    `quota` is the most bytes that one owner may keep; None is no limit.
    """

    def __init__(self, store: Store, quota: int | None = None) -> None:
        self.store, self.quota = store, quota

    async def get(self, owner: str) -> Usage:
        """Return what an owner keeps."""
        return await self.store.get(Usage, owner) or Usage(owner=owner)

    async def room(self, owner: str) -> int | None:
        """Return how many more bytes an owner may keep, at least 0; None when that is no matter."""
        if self.quota is None:
            return None
        return max(0, self.quota - (await self.get(owner)).bytes)

    async def require(self, owner: str, more: int) -> None:
        """Raise `QuotaExceeded` when there is no room for so many more bytes now."""
        room = await self.room(owner)
        if room is not None and more > room:
            await self.refuse(owner, more)

    async def charge(self, owner: str, more: int) -> tuple[Update, ...]:
        """Make the action that counts bytes in, or out when negative; none for 0.

        Its transaction, written within `refusing`, fails when that would exceed the quota.
        """
        when = () if self.quota is None or more <= 0 else (AtMost("bytes", self.quota - more),)
        return await self._counting(owner, {"bytes": more}, when) if more else ()

    async def charge_results(self, owner: str, more: int) -> tuple[Update, ...]:
        """Make the action that counts results in, or out; they are there, whatever the quota."""
        return await self._counting(owner, {"bytes": more, "results": more}) if more else ()

    async def _counting(
        self, owner: str, counts: dict[str, int | float], when: tuple[AtMost, ...] = ()
    ) -> tuple[Update, ...]:
        if await self.store.get(Usage, owner) is None:
            await self._begin(owner)
        return (Update(Usage, (owner,), add=counts, when=when),)

    async def _begin(self, owner: str) -> None:
        try:
            await self.store.transact(Put(Usage(owner=owner), when=(Absent(),)))
        except ConditionFailed:
            return  # another was first

    @asynccontextmanager
    async def refusing(
        self, owner: str, more: int, actions: Sequence[Action]
    ) -> AsyncIterator[None]:
        """Let the block write a transaction that begins with these actions, which charge an owner.

        Raises `QuotaExceeded` when it failed for that; other failures are left as they are.
        """
        try:
            yield
        except ConditionFailed as error:
            action = actions[error.action] if error.action < len(actions) else None
            if isinstance(action, Update) and action.kind is Usage:
                await self.refuse(owner, more)
            raise

    async def refuse(self, owner: str, more: int) -> NoReturn:
        """Raise `QuotaExceeded` with what is used and what to do."""
        used, quota = (await self.get(owner)).bytes, self.quota or 0
        raise QuotaExceeded(
            f"This needs {more:,} bytes, and you keep {used:,} of at most {quota:,} already: "
            "delete files and jobs, empty the trash, or ask for more.",
            used_bytes=used,
            quota_bytes=quota,
        )
