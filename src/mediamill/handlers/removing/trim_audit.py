"""`trim_audit`: remove from the audit trail what is older than it is kept."""

from dataclasses import dataclass
from typing import ClassVar

from mediamill.core.clock import DAY, HOUR
from mediamill.core.ids import encode
from mediamill.engine.lease import Lease
from mediamill.store.repositories.audit import Audit

EVERY_MS = HOUR


@dataclass
class TrimAudit:
    """Looks once an hour."""

    recurs: ClassVar = True

    audit: Audit
    days: int

    async def run(self, lease: Lease) -> None:
        await self.trim(await self.audit.store.now())
        await lease.release(EVERY_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Look again in an hour."""
        await lease.release(EVERY_MS, str(error))

    async def trim(self, now: int) -> int:
        """Remove what is too old at a time (ms); return how many acts."""
        removed, until = 0, f"audit_{encode(max(0, now - self.days * DAY) << 80)}"
        while acts := await self.audit.older(until):
            await self.audit.forget(acts)
            removed += len(acts)
        return removed
