"""What brings many files into a project, and what takes them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mediamill.core.errors import MediamillError
from mediamill.core.ids import encode, told_id
from mediamill.store.repositories.datasets import ProjectTask
from mediamill.store.repositories.files import File
from mediamill.store.repositories.projects import ProjectFile

AT_ONCE = 12
"""Files whose rows are one transaction, with the units that draw their thumbnails."""
TOGETHER = 24
"""The same where somebody else sees to thumbnails."""


@dataclass(frozen=True)
class Bringing:
    """A file on its way into a project."""

    file: str
    """The id that it gets, told by the task and its place, so that it is made once."""
    name: str
    data: bytes
    member: ProjectFile
    lineage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Looked:
    """Files on their way whose bytes are durable and were looked at; they have no rows yet."""

    files: Sequence[str]
    ready: Sequence[tuple[File, ProjectFile]]
    """The rows of those that are good and not there already."""
    wrong: Mapping[str, MediamillError]
    """What is wrong with the others, by id."""


class Taking(Protocol):
    """What takes files in (`services/projects/intake.py`)."""

    async def take(
        self, user: str, arriving: Sequence[Bringing]
    ) -> Sequence[MediamillError | None]:
        """Take at most `AT_ONCE` in; return what is wrong with each that was refused.

        Raises `ProjectFull`, with none taken.
        """

    async def look(self, user: str, arriving: Sequence[Bringing]) -> Looked:
        """Do the first half of `take`, of `TOGETHER` at most; what gets no rows is collected."""

    async def join(self, looked: Looked, *, draw: bool = True) -> Sequence[MediamillError | None]:
        """Do the second half; without `draw` somebody else sees to their thumbnails."""

    async def require_room(self, project: str, files: Sequence[str]) -> None:
        """Raise `ProjectFull` where there is no room for those that are no members yet."""

    async def adopt(self, user: str, copies: Sequence[tuple[File, ProjectFile]]) -> None:
        """Make at most `AT_ONCE` copies, whose bytes are there, a user's own."""


def id_of(task: ProjectTask, place: int | str) -> str:
    """Return the id of what a task makes at a place: the same whoever goes on with it.

    Numbered places give ids in their order, so that members are listed as they came.
    """
    if isinstance(place, str):
        return told_id("file", task.created, f"{task.id}:{place}")
    mark = int.from_bytes(hashlib.sha256(task.id.encode()).digest()[:6])
    return f"file_{encode(task.created << 80 | place << 48 | mark)}"
