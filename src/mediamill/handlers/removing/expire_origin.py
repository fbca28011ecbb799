"""`expire_origin`: remove what was made of a file that its owner deleted long before it was due."""

from dataclasses import dataclass

import structlog

from mediamill.engine.lease import Lease
from mediamill.handlers.removing import trimming
from mediamill.handlers.removing.purge import LOOK_AGAIN_MS, Rooted, ready
from mediamill.handlers.removing.trimming import Trimming
from mediamill.store.port import Delete, Update
from mediamill.store.repositories.jobs import Jobs, Manifests
from mediamill.store.repositories.retention import Origin

log = structlog.get_logger(__name__)


@dataclass
class ExpireOrigin:
    """Has the jobs trimmed that hold something of it; the file itself was counted and is gone."""

    jobs: Jobs
    manifests: Manifests
    versions: Rooted | None = None

    def __post_init__(self) -> None:
        self.store = self.jobs.store
        self.trimming = Trimming(self.store, self.jobs, self.manifests)

    async def run(self, lease: Lease) -> None:
        origin = await self.store.get(Origin, lease.unit.payload["origin"])
        if origin is None or origin.expired is None:
            await lease.vanish()
            return
        if wait := await ready(lease, self.jobs, origin.owner, origin.expired):
            await lease.release(wait)
            return
        if origin.counted is None:
            now = await self.store.now()
            await lease.write(Update(Origin, (origin.id,), set={"counted": now}))
        if await self.trimming.wanted(origin.owner, origin.id, origin.created):
            await lease.release(trimming.LOOK_AGAIN_MS)
            return
        if self.versions is not None:
            await self.versions.root(origin.id)
        await lease.vanish(Delete(Origin, (origin.id,)))
        log.info("results expired", action="origin_expired", file=origin.id, owner=origin.owner)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: what should be gone must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))
