"""`count_files`: count the files that earlier versions took in among their owners'.

Twice: at once, and a day later, for what servers of the earlier version took in during the upgrade.
Each file is counted in the transaction that notes that it is, and one whose removal has begun never
is; so whatever dies, an owner's number is that of the rows that say they count.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from mediamill.core.clock import MINUTE
from mediamill.core.errors import ConditionFailed
from mediamill.core.retention import SOURCES
from mediamill.engine.lease import Lease
from mediamill.handlers.upgrading.twice import once_more
from mediamill.store.port import Equals, Store, Update
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.usage import Usages

PAGE = 200


@dataclass
class CountFiles:
    """Looks at all files by the way they came, from a checkpoint on."""

    store: Store

    async def run(self, lease: Lease) -> None:
        payload = lease.unit.payload
        done = int(payload.get("done", 0))
        for place, source in enumerate(SOURCES[done:], done):
            after: str | None = lease.unit.payload.get("after")
            while True:
                page = await self.store.query(
                    File, File.index("file_aging"), source, after=after, limit=PAGE
                )
                await self.count(page.rows)
                after = page.after
                if after is None:
                    break
                await lease.write(payload={**payload, "done": place, "after": after})
            await lease.write(payload={**payload, "done": place + 1, "after": None})
        await once_more(lease)

    async def count(self, files: Sequence[File]) -> None:
        """Count those files that are not yet, and that will stay."""
        usages = Usages(self.store)
        for file in files:
            if file.metered or file.counted is not None or file.state is FileState.REJECTED:
                continue
            same = tuple(Equals(n, getattr(file, n)) for n in ("metered", "counted", "state"))
            noting = Update(File, (file.id,), set={"metered": True}, when=same)
            with suppress(ConditionFailed):  # it is going, or comes in just now: another look
                await self.store.transact(noting, *await usages.count_old(file.owner))

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Go on later."""
        await lease.release(MINUTE, str(error))
