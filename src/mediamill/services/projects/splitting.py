"""Ask for a split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mediamill.core.access import Principal, Right
from mediamill.core.errors import InvalidInput
from mediamill.handlers.datasets.checked import Checks
from mediamill.services.access import Access
from mediamill.services.projects.tasks import TaskService
from mediamill.store.repositories.datasets import ProjectTask
from mediamill.store.repositories.projects import SPLITS, Project

GROUPINGS = ("video", "name", "near-duplicates")


@dataclass
class SplitService:
    """Has projects split in the background."""

    access: Access
    tasks: TaskService
    checks: Checks

    async def begin(
        self,
        principal: Principal,
        project_id: str,
        ratios: Mapping[str, float],
        *,
        seed: int = 0,
        stratify: bool = True,
        group_by: Sequence[str] = ("video",),
        keep: bool = True,
    ) -> ProjectTask:
        """Begin to place the members of a project; with `keep` who is in a split stays there.

        Raises `InvalidInput` when no ratio is above 0, and `Conflict` when near-duplicates are to
        stay together that no health check over all splits has looked for.
        """
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        wanted = {split: float(ratios.get(split, 0.0)) for split in SPLITS}
        if min(wanted.values()) < 0 or sum(wanted.values()) <= 0:
            raise InvalidInput.at("train", "Give each split a share of 0 or more, one above 0.")
        if "near-duplicates" in group_by:
            await self.checks.comparing(project, principal.user)
        request = {
            "ratios": wanted,
            "seed": seed,
            "stratify": stratify,
            "group_by": [each for each in GROUPINGS if each in group_by],
            "keep": keep,
        }
        return await self.tasks.begin(principal, project, "split", request, total=project.files)
