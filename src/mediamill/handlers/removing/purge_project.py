"""`purge_project`: remove what belongs to a deleted project, its membership rows, then itself.

Jobs accepted before the deletion may still be listing it: it waits for them. From its first step on
the project cannot be brought back; the unit of a deletion that was undone does nothing.
"""

from dataclasses import dataclass

import structlog

from mediamill.core.errors import ConditionFailed
from mediamill.engine.lease import Lease
from mediamill.handlers.datasets.forget import Forgetting
from mediamill.handlers.removing.purge import LOOK_AGAIN_MS, in_use
from mediamill.store.port import MAX_ACTIONS, Delete, Equals, Store, Update
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.jobs import Jobs
from mediamill.store.repositories.keeping import Keeping
from mediamill.store.repositories.projects import Project, ProjectFile, Projects

log = structlog.get_logger(__name__)


@dataclass
class PurgeProject:
    """Removes what is left of a deleted project; its files stay."""

    store: Store
    projects: Projects
    jobs: Jobs
    forgetting: Forgetting | None = None
    """What takes its versions, tasks and shares away; None where there are none."""
    annotations: Annotations | None = None

    async def run(self, lease: Lease) -> None:
        project = await self.projects.get(lease.unit.payload["project"])
        if project is None or project.deleted is None or project.deleted != self._deletion(lease):
            await lease.vanish()
            return
        if left := await in_use(lease, self.jobs, project.owner, project.deleted):
            await lease.release(left)
            return
        if self.forgetting is not None and await self.forgetting.busy(project.id):
            await lease.release(LOOK_AGAIN_MS // 30)
            return
        still = Equals("deleted", project.deleted)
        try:
            await lease.write(Update(Project, (project.id,), set={"listed": None}, when=(still,)))
        except ConditionFailed:  # brought back at this moment
            await lease.release()
            return
        if self.forgetting is not None:
            await self.forgetting.project(project.id)
        if self.annotations is not None:
            await self.annotations.forget_project(project.id)
        keeping = Keeping(self.store)
        while rows := (await self.projects.members(project.id, limit=MAX_ACTIONS)).rows:
            await keeping.leaving(project, rows)
            await self.store.transact(*(Delete(ProjectFile, row.key_values()) for row in rows))
        await lease.vanish(Delete(Project, (project.id,)))
        log.info("project purged", action="project_purged", **project.log_context())

    def _deletion(self, lease: Lease) -> int:
        """Return the time of the deletion that a unit belongs to (ms)."""
        deleted: int = lease.unit.payload["deleted"]
        return deleted

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: rows that should be gone must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))
