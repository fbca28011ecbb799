"""What makes projects datasets: with whom they are shared, what is done to them, frozen versions.

A task is work on all of a project: `waiting → running → succeeded | failed`; it is run by the unit
of its name and shows how far it is. A version owns its bytes: each is a second key of a member's
blob, so deletions change nothing in it; only retention and erasure take bytes out, found by the
file that came in (`root`), and the version then counts them as `lost`.
"""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Literal

from mediamill.core.access import Right
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Page, Store, Update, key_index

RIGHTS = {"viewer": Right.VIEW, "editor": Right.EDIT}


class ProjectShare(Record, frozen=True, kw_only=True):
    """That a user may see a project of somebody else, or change it too."""

    table = "project_shares"
    key = Key("user", "project")
    indexes = (Index("share_of_project", partition=("project",), sort=("user",)),)

    user: str
    project: str
    role: Literal["viewer", "editor"]
    created: int

    @property
    def right(self) -> Right:
        return RIGHTS[self.role]


class TaskState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def terminal(self) -> bool:
        return self in (TaskState.SUCCEEDED, TaskState.FAILED)


class ProjectTask(Record, frozen=True, kw_only=True):
    """Work on a project that takes more than a request."""

    table = "project_tasks"
    key = Key("project", "id")

    project: str
    id: str
    kind: str
    """Which of `handlers/datasets` does it."""
    user: str
    """Who asked for it."""
    state: TaskState = TaskState.WAITING
    request: dict[str, Any] = {}
    done: int = 0
    total: int = 0
    """Members, or what else it counts; 0 until that is known."""
    outcome: dict[str, Any] = {}
    code: str = ""
    error: str = ""
    undoes: str = ""
    """The task that it takes back."""
    created: int
    finished: int | None = None

    @property
    def unit(self) -> tuple[str, int]:
        """The key of the unit that runs it."""
        return f"task:{self.project}:{self.id}", 0

    @property
    def plan(self) -> str:
        """The blob with what it does: a line per member that it moves, or whose name it was told.

        Of an import only where these are many.
        """
        return plan_of(self.project, self.id)


def plan_of(project: str, task: str) -> str:
    """Return where the plan of a task lies."""
    return f"tasks/{project}/{task}"


class VersionState(StrEnum):
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


class DatasetVersion(Record, frozen=True, kw_only=True):
    """A project as it was once: files, splits, annotations, classes and steps under one hash."""

    table = "dataset_versions"
    key = Key("project", "number")

    project: str
    number: int
    owner: str
    """Whose quota its bytes count for: the project's."""
    user: str
    """Who made it."""
    name: str = ""
    state: VersionState = VersionState.BUILDING
    request: dict[str, Any] = {}
    """Steps, seed and subsets as asked for."""
    job: str = ""
    """The job that its steps ran as."""
    task: str = ""
    hash: str = ""
    """SHA-256 of its canonical document (`datasets/document.py`)."""
    files: int = 0
    """Images; those that have rows, while it is being made."""
    bytes: int = 0
    charged: int = 0
    """Bytes of it that its owner's `Usage` counts."""
    summary: dict[str, Any] = {}
    """Files by split, images and objects by class, and what is left out, by why."""
    lost: int = 0
    """Files that retention or an erasure has taken out since it was ready, or while it is made."""
    lost_bytes: int = 0
    error: str = ""
    created: int
    finished: int | None = None
    deleted: int | None = None
    """When it was deleted (ms): its bytes are being removed."""

    @property
    def root(self) -> str:
        """What the keys of all its blobs begin with."""
        return root_of(self.project, self.number)

    def log_context(self) -> dict[str, Any]:
        return {"project": self.project, "version": self.number, "owner": self.owner}


class VersionFile(Record, frozen=True, kw_only=True):
    """The bytes of one image of a version."""

    table = "version_files"
    key = Key("version", "place")
    indexes = (Index("version_root", partition=("root",), sort=("version", "place")),)

    version: str
    """`root_of` its version."""
    place: int
    """Its line in the document, counted from 0."""
    root: str
    """Id of the file that came in and of which it was made; its own, where it came in itself."""
    blob: str
    results: bool = False
    """Whether its bytes lie with the results of jobs, rather than with what came in."""
    size: int
    sha256: str


def root_of(project: str, number: int) -> str:
    """Return what the keys of a version's blobs begin with."""
    return f"versions/{project}/{number}"


def place_of(root: str) -> tuple[str, int]:
    """Return the project and the number that `root_of` was made of."""
    _, project, number = root.split("/")
    return project, int(number)


class Datasets:
    """Reads of shares, tasks and versions."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # -- shares ---------------------------------------------------------------------------------

    async def share(self, user: str, project: str) -> ProjectShare | None:
        return await self.store.get(ProjectShare, user, project)

    async def shared_with(
        self, user: str, after: str | None = None, limit: int = 100
    ) -> Page[ProjectShare]:
        """List what is shared with a user, newest project first."""
        index = key_index(ProjectShare)
        return await self.store.query(
            ProjectShare, index, user, after=after, limit=limit, descending=True
        )

    async def shares_of(
        self, project: str, after: str | None = None, limit: int = 100
    ) -> Page[ProjectShare]:
        """List with whom a project is shared, by user."""
        index = ProjectShare.index("share_of_project")
        return await self.store.query(ProjectShare, index, project, after=after, limit=limit)

    # -- tasks ----------------------------------------------------------------------------------

    async def task(self, project: str, task: str) -> ProjectTask | None:
        return await self.store.get(ProjectTask, project, task)

    async def tasks(
        self, project: str, after: str | None = None, limit: int = 100
    ) -> Page[ProjectTask]:
        """List a project's tasks, newest first."""
        index = key_index(ProjectTask)
        return await self.store.query(
            ProjectTask, index, project, after=after, limit=limit, descending=True
        )

    async def waiting_before(self, task: ProjectTask) -> bool:
        """Tell whether one of the tasks asked for right before a task has not begun."""
        page = await self.store.query(
            ProjectTask, key_index(ProjectTask), task.project, at_most=task.id, descending=True
        )
        others = (row for row in page.rows if row.id != task.id)
        return any(row.state is TaskState.WAITING for row in others)

    async def working(self, project: str) -> bool:
        """Tell whether one of the newest tasks of a project, but to make versions, is open."""
        newest = (await self.tasks(project)).rows
        return any(not task.state.terminal and task.kind != "version" for task in newest)

    # -- versions -------------------------------------------------------------------------------

    async def version(self, project: str, number: int) -> DatasetVersion | None:
        return await self.store.get(DatasetVersion, project, number)

    async def versions(
        self, project: str, after: str | None = None, limit: int = 100
    ) -> Page[DatasetVersion]:
        """List a project's versions, newest first."""
        index = key_index(DatasetVersion)
        return await self.store.query(
            DatasetVersion, index, project, after=after, limit=limit, descending=True
        )

    async def files(self, root: str, after: str | None = None) -> Page[VersionFile]:
        """List the files of a version in order."""
        index = key_index(VersionFile)
        return await self.store.query(VersionFile, index, root, after=after, limit=1000)

    async def walk(self, root: str) -> AsyncIterator[VersionFile]:
        """Visit the files of a version in order."""
        after: str | None = None
        while True:
            page = await self.files(root, after)
            for file in page.rows:
                yield file
            if (after := page.after) is None:
                return

    async def made_of(self, root: str, limit: int = 100) -> tuple[VersionFile, ...]:
        """List files of versions that a file became, the first of them."""
        index = VersionFile.index("version_root")
        return (await self.store.query(VersionFile, index, root, limit=limit)).rows


def noting(task: ProjectTask, **fields: Any) -> Update:
    """Make the action that changes a task which is there still."""
    return Update(ProjectTask, (task.project, task.id), set=fields)
