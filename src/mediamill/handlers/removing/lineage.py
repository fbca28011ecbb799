"""`lineage`: tell results of earlier versions which file they were made of.

Twice: at once, and a day later, for what workers of the earlier version made during the upgrade.

Where a store can be walked all results are looked at, from a checkpoint on, in the order of their
jobs: what a result was made of was looked at before it. Others say so instead
(docs/how-to/retention.md).
"""

from contextlib import suppress
from dataclasses import dataclass

from mediamill.core.clock import MINUTE
from mediamill.core.errors import ConditionFailed
from mediamill.engine.lease import Lease
from mediamill.handlers.upgrading.twice import once_more
from mediamill.store.port import Equals, Store, Update, Walks
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import Result

KIND = "lineage"
PAGE = 500


@dataclass
class Lineage:
    """Fills `Result.root` where an earlier version left it empty."""

    store: Store

    async def run(self, lease: Lease) -> None:
        if isinstance(self.store, Walks):
            lookup, after = FileLookup(self.store), lease.unit.payload.get("after")
            while rows := await self.store.walk(Result, after and tuple(after), PAGE):
                for row in rows:
                    if row.root is None and row.input and not row.expired:
                        await self._fill(row, await lookup.root(row.input))
                after = rows[-1].key_values()
                await lease.write(payload={**lease.unit.payload, "after": after})
        await once_more(lease)

    async def _fill(self, row: Result, root: str | None) -> None:
        if root is not None:
            same = (Equals("root", None), Equals("input", row.input))
            with suppress(ConditionFailed):  # it is gone, or newer
                change = Update(Result, row.key_values(), set={"root": root}, when=same)
                await self.store.transact(change)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Go on later."""
        await lease.release(MINUTE, str(error))
