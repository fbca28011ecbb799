"""`forget_invitations`: remove invitations that are long over, and the addresses in them."""

from dataclasses import dataclass
from typing import ClassVar

from mediamill.core.clock import DAY, HOUR
from mediamill.core.ids import encode
from mediamill.engine.lease import Lease
from mediamill.store.repositories.invitations import Invitations

EVERY_MS = HOUR
KEPT_MS = 30 * DAY
"""How long an invitation is listed from when it was made, which is longer than it is good."""


@dataclass
class ForgetInvitations:
    """Looks once an hour."""

    recurs: ClassVar = True

    invitations: Invitations

    async def run(self, lease: Lease) -> None:
        await self.forget(await self.invitations.store.now())
        await lease.release(EVERY_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Look again in an hour."""
        await lease.release(EVERY_MS, str(error))

    async def forget(self, now: int) -> int:
        """Remove what is too old at a time (ms), accepted or not; return how many."""
        removed, until = 0, f"invite_{encode(max(0, now - KEPT_MS) << 80)}"
        while old := await self.invitations.older(until):
            await self.invitations.forget(old)
            removed += len(old)
        return removed
