"""The latest health check of a project, for whoever may see the project."""

from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.core.errors import NotFound
from mediamill.handlers.datasets.checked import Check, Checks
from mediamill.services.access import Access
from mediamill.store.repositories.projects import Project


@dataclass
class CheckService:
    """Finds health checks for callers."""

    access: Access
    checks: Checks

    async def latest(self, principal: Principal, project_id: str) -> Check:
        """Return the newest finished check by the project's owner or the caller.

        Its files are its owner's: others read the numbers here. Raises `NotFound`.
        """
        project = await self.access.load(principal, Project, project_id)
        check = await self.checks.latest(project, principal.user)
        if check is None:
            message = "Nobody has checked this project yet: run `health-check` over it."
            raise NotFound(message)
        return check
