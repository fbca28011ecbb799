"""Projects that are made of something: copies, the sample, archives."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal, Right
from mediamill.core.errors import InvalidInput
from mediamill.core.ids import new_id
from mediamill.engine.gathering.members import check_patterns
from mediamill.services.access import Access
from mediamill.services.files.service import FileService
from mediamill.services.projects.service import ProjectService
from mediamill.services.projects.tasks import TaskService
from mediamill.store.repositories.datasets import ProjectTask, plan_of
from mediamill.store.repositories.jobs import INLINE_BYTES, Job
from mediamill.store.repositories.projects import Project

ZIP = "application/zip"
SAMPLE = "Shapes (sample)"


@dataclass
class CopyService:
    """Has projects filled in the background."""

    access: Access
    projects: ProjectService
    files: FileService
    tasks: TaskService
    blobs: Blobs

    async def copy(
        self, principal: Principal, project_id: str, name: str, files: int | None, seed: int
    ) -> ProjectTask:
        """Begin to copy a project that the caller may see into a new one of theirs.

        It has the same settings; where the source holds more than these allow there is room for it.
        """
        source = await self.access.load(principal, Project, project_id)
        total = min(files or source.files, source.files)
        most = {} if source.most is None else {"max_files": max(source.most, total)}
        settings = {**source.settings, **most}
        fresh = await self.projects.create(principal, name, source.description, settings)
        request = {"source": source.id, "files": files, "seed": seed}
        return await self.tasks.begin(
            principal, fresh, "copy", request, task_id=new_id("task"), total=total
        )

    async def sample(self, principal: Principal, name: str = SAMPLE) -> ProjectTask:
        """Begin to make a project of small pictures with classes and boxes."""
        fresh = await self.projects.create(
            principal, name, "Small pictures with classes and boxes, to try everything on."
        )
        return await self.tasks.begin(principal, fresh, "sample", {})

    async def bring(
        self,
        principal: Principal,
        project_id: str,
        file: str | None,
        job: str | None,
        folders: str,
        members: Sequence[str] = (),
    ) -> ProjectTask:
        """Begin to make the members of an archive, or of those that a job made, files of a project.

        `members` are patterns for those that are wanted; none for all. Raises `InvalidInput` for
        neither or both, for what is no zip, and for patterns that are too many.
        """
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        if (file is None) == (job is None):
            raise InvalidInput.at("file", "Give a file or a job.")
        check_patterns(members)
        if file is not None:
            archive = await self.files.ready(principal, file)
            if archive.media_type != ZIP:
                raise InvalidInput.at("file", f"{archive.name} is no zip archive.")
        elif job is not None:
            made = await self.access.load(principal, Job, job)
            if not made.state.terminal:
                raise InvalidInput.at("job", f"The job is {made.state}: wait until it has ended.")
        task_id, request = new_id("task"), {"file": file, "job": job, "folders": folders}
        names = await self._noted(project.id, task_id, members)
        return await self.tasks.begin(
            principal, project, "import", {**request, **names}, task_id=task_id
        )

    async def _noted(self, project: str, task: str, members: Sequence[str]) -> dict[str, Any]:
        """Return what a task's row says of names: many of them lie in its plan."""
        data = msgspec.json.encode(members)
        if len(data) <= INLINE_BYTES:
            return {"members": list(members)}
        await self.blobs.put(plan_of(project, task), data)
        return {"members_planned": len(members)}
