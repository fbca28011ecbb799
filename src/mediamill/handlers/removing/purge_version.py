"""`purge_version`: remove what an archive was before members were deleted from it."""

from dataclasses import dataclass

import structlog

from mediamill.blobs.port import Blobs
from mediamill.engine.lease import Lease
from mediamill.handlers.removing.purge import LOOK_AGAIN_MS, in_use
from mediamill.store.port import Delete, Store
from mediamill.store.repositories.jobs import Jobs
from mediamill.store.repositories.versions import Version

log = structlog.get_logger(__name__)


@dataclass
class PurgeVersion:
    """Removes a version, once the jobs accepted before the change have ended."""

    store: Store
    jobs: Jobs
    blobs: Blobs

    async def run(self, lease: Lease) -> None:
        payload = lease.unit.payload
        version = await self.store.get(Version, payload["file"], payload["until"])
        if version is None:
            await lease.vanish()
            return
        if left := await in_use(lease, self.jobs, version.owner, version.until):
            await lease.release(left)
            return
        await self.blobs.delete(version.blob)
        await lease.vanish(Delete(Version, version.key_values()))
        log.info("version purged", action="version_purged", file=version.file, size=version.size)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: bytes that should be gone must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))
