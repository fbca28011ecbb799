"""`undo`: take back what an earlier task did, but for what somebody has changed since."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mediamill.core.errors import ConditionFailed, NotFound
from mediamill.handlers.datasets.moving import Mover
from mediamill.handlers.datasets.task import Plain, Work
from mediamill.store.repositories.annotation_reading import walked
from mediamill.store.repositories.annotations import Annotations


@dataclass
class UndoTask(Plain):
    """Moves members back, and takes back what an import drew."""

    mover: Mover
    annotations: Annotations

    async def run(self, work: Work) -> dict[str, Any]:
        task, told = work.task, dict[str, Any]()
        if work.task.request.get("drawn"):
            restored = await take_back(self.annotations, task.project, task.undoes, task.user)
            told = {"restored": restored, "total": restored}
        with suppress(NotFound):  # an import moves only where that was asked for
            plan = f"tasks/{task.project}/{task.undoes}"
            moved, left = await self.mover.follow(task.project, plan, back=True)
            told = {**told, "moved": moved, "left": left}
            told["total"] = told.get("restored", 0) + moved + left
        return told


async def take_back(annotations: Annotations, project: str, task: str, user: str) -> int:
    """Bring back what was drawn before an import; return on how many files.

    What somebody has drawn since stays. A file on which nothing was drawn has nothing again.
    """
    count = 0
    async for row in walked(annotations, project):
        if row.task == task:
            with suppress(ConditionFailed):  # somebody drew at this moment: theirs stays
                await annotations.take_back(row, user, await annotations.store.now())
                count += 1
    return count
