"""`project_task`: do what a task asks for, and write into its row what came of it.

A task may be cut at any moment and is then begun again: each kind finds what it has done already.
The tasks of a project run one after another, in the order in which they were asked for: the project
names the one whose turn it is, until that has ended or waits for something else.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from mediamill.core.errors import ConditionFailed, MediamillError, NotFound, QuotaExceeded
from mediamill.engine.lease import Lease
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.datasets import Datasets, ProjectTask, TaskState, noting
from mediamill.store.repositories.projects import Project, Projects
from mediamill.store.repositories.units import Unit

log = structlog.get_logger(__name__)

KIND = "project_task"
SHOWN_SECONDS = 0.5
TURN_MS = 200
"""How soon a task asks again whether it is its turn."""


@dataclass
class Work:
    """A task in somebody's hands."""

    lease: Lease
    project: Project
    task: ProjectTask
    _shown: float = field(default_factory=time.monotonic)

    @property
    def attempts(self) -> int:
        """How often it was tried before."""
        return self.lease.unit.attempts

    async def show(self, done: int, total: int) -> None:
        """Write progress, now and then."""
        now = time.monotonic()
        if now - self._shown >= SHOWN_SECONDS:
            self._shown = now
            await self.lease.write(noting(self.task, done=done, total=total))

    async def wait(self, milliseconds: int) -> None:
        """Give the unit back for a while, and its turn to other tasks of the project."""
        await self.lease.write(self.turn(self.task.id, None))
        await self.lease.release(milliseconds)

    def turn(self, holder: str | None, to: str | None) -> Update:
        """Make the action that passes the project's turn on, as long as `holder` has it."""
        guards = (Equals("working", holder), Equals("deleted", None))
        return Update(Project, (self.project.id,), set={"working": to}, when=guards)


class Kind(Protocol):
    """Does the tasks of one kind."""

    async def run(self, work: Work) -> dict[str, Any] | None:
        """Return what came of it, None when the unit was given back to be gone on with later."""

    async def give_up(self, work: Work, error: MediamillError) -> None:
        """Note elsewhere that it failed."""


class Plain:
    """A kind of task that has nothing to note elsewhere."""

    async def give_up(self, work: Work, error: MediamillError) -> None:
        return


@dataclass
class TaskHandler:
    """Runs tasks by kind."""

    projects: Projects
    datasets: Datasets
    kinds: Mapping[str, Kind]

    async def run(self, lease: Lease) -> None:
        work = await self._work(lease)
        if work is None:
            await lease.vanish()
            return
        if work.project.hidden:
            raise NotFound(f"There is no project {work.project.id} any more: it was deleted.")
        if not await self._turn(work):
            await lease.release(TURN_MS)
            return
        try:
            outcome = await self.kinds[work.task.kind].run(work)
        except QuotaExceeded as error:  # only its owner can make room
            await self.give_up(lease, error)
            return
        if outcome is not None:
            total = int(outcome.pop("total", work.task.total))
            await self._end(
                work, state=TaskState.SUCCEEDED, outcome=outcome, done=total, total=total
            )

    async def _turn(self, work: Work) -> bool:
        """Begin, or go on; False while it is another task's turn."""
        holder, task = work.project.working, work.task
        if holder == task.id:
            return True
        if task.state is TaskState.WAITING and await self.datasets.waiting_before(task):
            return False
        if holder is not None:
            other = await self.datasets.task(task.project, holder)
            if other is not None and not other.state.terminal:
                return False
        try:
            await work.lease.write(
                work.turn(holder, task.id), noting(task, state=TaskState.RUNNING)
            )
        except ConditionFailed:  # another was first, or the project is being deleted
            return False
        return True

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """End the task as failed, with the reason."""
        if not isinstance(error, MediamillError):
            log.error("task failed", action="task_failed", unit=lease.unit.name, exc_info=error)
            error = MediamillError("The task failed; the log of the service says why.")
        work = await self._work(lease)
        if work is None:
            await lease.vanish()
            return
        await self.kinds[work.task.kind].give_up(work, error)
        await self._end(work, state=TaskState.FAILED, code=error.code, error=error.message[:1000])

    async def _work(self, lease: Lease) -> Work | None:
        """Return what a unit is about; None when that is done, or gone."""
        place = lease.unit.payload
        task = await self.datasets.task(place["project"], place["task"])
        project = await self.projects.get(place["project"])
        if task is None or project is None or task.state.terminal:
            return None
        return Work(lease, project, task)

    async def _end(self, work: Work, **fields: Any) -> None:
        fields["finished"] = await self.projects.store.now()
        try:
            await work.lease.vanish(noting(work.task, **fields))
        except ConditionFailed:  # the project was purged at this moment
            await work.lease.vanish()
        log.info(
            "task ended", action="task_ended", task=work.task.id, kind=work.task.kind,
            state=fields["state"], project=work.project.id,
        )  # fmt: skip


def task_unit(task: ProjectTask, owner: str, now: int) -> Unit:
    """Make the unit that runs a task."""
    group, seq = task.unit
    unit = Unit.chore(
        KIND, group, seq, owner, cost=1.0, now=now, due=now, project=task.project, task=task.id
    )
    return unit.evolve(klass="transfer").opened(now)
