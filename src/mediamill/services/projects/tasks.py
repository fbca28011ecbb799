"""Tasks: begun, followed, and taken back."""

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal, Right
from mediamill.core.errors import Conflict, NotFound
from mediamill.core.ids import new_id
from mediamill.handlers.datasets.task import task_unit
from mediamill.services.access import Access
from mediamill.store.port import Absent, Action, Page, Put
from mediamill.store.repositories.datasets import Datasets, ProjectTask, TaskState
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.units import Units

log = structlog.get_logger(__name__)

UNDOABLE = ("move", "split", "annotations")
FIRST_LOOK, LOOK_SECONDS = 0.02, 0.25
"""How soon something that is waited for is looked at again: at first, and in the end."""


@dataclass
class Patience:
    """Waits between looks: short at first, for what is quick."""

    pause: float = FIRST_LOOK

    async def wait(self, left: float) -> None:
        """Wait for the next look, at most so many seconds."""
        await asyncio.sleep(min(self.pause, left))
        self.pause = min(LOOK_SECONDS, 1.5 * self.pause)


@dataclass
class TaskService:
    """What a caller may do with the tasks of a project."""

    access: Access
    datasets: Datasets
    units: Units
    bell: Doorbell

    async def begin(
        self,
        principal: Principal,
        project: Project,
        kind: str,
        request: dict[str, Any],
        *also: Action,
        undoes: str = "",
        task_id: str = "",
        total: int = 0,
    ) -> ProjectTask:
        """Write a task, together with other actions, and have it run."""
        task = ProjectTask(
            project=project.id,
            id=task_id or new_id("task"),
            kind=kind,
            user=principal.user,
            request=request,
            undoes=undoes,
            total=total,
            created=await self.units.store.now(),
        )
        unit = task_unit(task, project.owner, task.created)
        await self.units.insert([unit], Put(task, (Absent(),)), *also)
        log.info("task begun", action="task_begun", task=task.id, kind=kind, project=project.id)
        await self.bell.ring(f"work:{unit.klass}")
        return task

    async def list(
        self, principal: Principal, project_id: str, after: str | None, limit: int
    ) -> Page[ProjectTask]:
        """List the tasks of a project, newest first."""
        project = await self.access.load(principal, Project, project_id)
        return await self.datasets.tasks(project.id, after, limit)

    async def get(
        self, principal: Principal, project_id: str, task_id: str, seconds: float = 0
    ) -> ProjectTask:
        """Return a task, at its end if that comes within so many seconds; raises `NotFound`."""
        store, patience = self.units.store, Patience()
        until = await store.now() + seconds * 1000
        while True:
            project = await self.access.load(principal, Project, project_id)
            task = await self.datasets.task(project.id, task_id)
            if task is None:
                raise NotFound(f"There is no task {task_id}.")
            left = (until - await store.now()) / 1000
            if task.state.terminal or left <= 0:
                return task
            await patience.wait(left)

    async def undo(self, principal: Principal, project_id: str, task_id: str) -> ProjectTask:
        """Begin to take a task back: what somebody has moved or drawn since stays.

        Raises `Conflict` for a task that is no move, split or import of annotations, or has not
        ended.
        """
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        task = await self.get(principal, project_id, task_id)
        if task.kind not in UNDOABLE or task.state is not TaskState.SUCCEEDED:
            message = "Only moves, splits and imports of annotations that have ended can be undone."
            raise Conflict(message, state=task.state)
        request = {"drawn": task.kind == "annotations"}
        return await self.begin(principal, project, "undo", request, undoes=task.id)
