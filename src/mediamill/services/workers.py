"""Workers as those who run the service see them: listed, drained, let work again."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.errors import NotFound
from mediamill.services.roles import require_admin
from mediamill.store.repositories.workers import WorkerRow, Workers


@dataclass(frozen=True)
class Seen:
    """A worker, and whether it has vanished."""

    row: WorkerRow
    lost: bool


@dataclass(frozen=True)
class WorkerService:
    """What happens takes effect when a worker says the next time what it does: within seconds."""

    workers: Workers

    # -- for administrators -------------------------------------------------------------------

    async def list(self, principal: Principal) -> Sequence[Seen]:
        """List workers, oldest first; raises `Forbidden`."""
        require_admin(principal)
        return await self.all()

    async def drain(self, principal: Principal, worker_id: str) -> Seen:
        """Have a worker take no more; raises `Forbidden`, `NotFound`, and `Conflict`."""
        require_admin(principal)
        return await self.want(worker_id, drain=True)

    async def undrain(self, principal: Principal, worker_id: str) -> Seen:
        """Have a worker take units again; raises `Forbidden`, `NotFound`, and `Conflict`."""
        require_admin(principal)
        return await self.want(worker_id, drain=False)

    # -- for who works at the machine ---------------------------------------------------------

    async def all(self) -> Sequence[Seen]:
        """List workers, oldest first, and those of the last day that ended or were lost."""
        now = await self.workers.store.now()
        return [Seen(row, row.lost(now)) for row in await self.workers.known(now)]

    async def named(self, who: str) -> Sequence[Seen]:
        """Return the worker with an id or a name, or those of a host; raises `NotFound`.

        Of a host only those that are there: what ended or was lost needs nothing done.
        """
        every = await self.all()
        found = [one for one in every if who in (one.row.id, one.row.name)]
        here = [one for one in every if one.row.host == who and not (one.lost or one.row.over)]
        if not (found or here):
            raise NotFound(f"There is no worker {who}: see `mediamill admin workers list`.")
        return found or here

    async def want(self, worker_id: str, *, drain: bool) -> Seen:
        """Have a worker take no more, or some again; raises `NotFound`, and `Conflict`."""
        row = await self.workers.want(worker_id, drain=drain)
        note("worker_drained" if drain else "worker_undrained", worker_id)
        return Seen(row, row.lost(await self.workers.store.now()))
