"""Projects: named sets of files. A file may be in any number of them and outlives them all.

Membership is a row of its own, so that a project of a million files is walked page by page, and
a file that is purged finds the projects that it leaves. Trashed members stay until they are purged.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Absent, Action, Delete, Equals, Exists, Page, Put, Store, Update
from mediamill.store.port import key_index as key_of
from mediamill.store.repositories.results import parse_result_file

MEMBERS_PER_STEP = 90
"""Members that one transaction adds or removes, beside the project itself."""


class Project(Record, frozen=True, kw_only=True):
    """A named set of files."""

    table = "projects"
    key = Key("id")
    indexes = (Index("project_listed", partition=("listed",), sort=("id",)),)

    id: str
    owner: str
    listed: str | None = None
    """The owner while the project shows in lists, `trash_of` them while it can be brought back."""
    name: str
    description: str = ""
    files: int = 0
    """Members, those in the trash included."""
    revision: int = 0
    """Grows with every change of the project itself."""
    created: int
    deleted: int | None = None
    """When its owner deleted it (ms); its membership rows are removed in the background."""

    @property
    def hidden(self) -> bool:
        """Whether it is answered as absent."""
        return self.deleted is not None

    def log_context(self) -> dict[str, Any]:
        return {"project": self.id, "owner": self.owner}


class ProjectFile(Record, frozen=True, kw_only=True):
    """A file's membership in a project."""

    table = "project_files"
    key = Key("project", "file")
    indexes = (
        Index("project_of_file", partition=("file",), sort=("project",)),
        Index("project_of_job", partition=("job",), sort=("project", "file")),
    )

    project: str
    file: str
    job: str | None = None
    """The job whose result the file is, else None."""
    added: int


def trash_of(owner: str) -> str:
    """Return where an owner's deleted projects are listed."""
    return f"trash:{owner}"


class Projects:
    """Reads of projects, and the actions that change their members."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, project_id: str) -> Project | None:
        return await self.store.get(Project, project_id)

    async def of_owner(self, owner: str, after: str | None, limit: int) -> Page[Project]:
        """List an owner's projects, newest first."""
        index = Project.index("project_listed")
        return await self.store.query(
            Project, index, owner, after=after, limit=limit, descending=True
        )

    async def members(
        self, project: str, after: str | None = None, limit: int = 100, behind: str | None = None
    ) -> Page[ProjectFile]:
        """List members by file id; `behind` begins after a file, whether it is one still or not."""
        page = await self.store.query(
            ProjectFile, key_of(ProjectFile), project, at_least=behind, after=after, limit=limit
        )
        if behind is None:
            return page
        return Page(tuple(row for row in page.rows if row.file != behind), page.after)

    async def holding(self, project: str, files: Sequence[str]) -> set[str]:
        """Return those of some files that are members; any number of ids."""
        found: set[str] = set()
        for start in range(0, len(files), 100):
            keys = [(project, file) for file in files[start : start + 100]]
            rows = await self.store.get_many(ProjectFile, keys)
            found.update(row.file for row in rows if row is not None)
        return found

    async def of_file(self, file: str, limit: int = 100) -> tuple[ProjectFile, ...]:
        """List a file's memberships, the first of them."""
        index = ProjectFile.index("project_of_file")
        return (await self.store.query(ProjectFile, index, file, limit=limit)).rows

    async def of_job(self, job: str, limit: int = 100) -> tuple[ProjectFile, ...]:
        """List the memberships of a job's results, the first of them."""
        index = ProjectFile.index("project_of_job")
        return (await self.store.query(ProjectFile, index, job, limit=limit)).rows

    async def forget_file(self, file: str) -> None:
        """Take a file that is being purged out of every project."""
        while rows := await self.of_file(file):
            await self._forget(rows)

    async def forget_job(self, job: str) -> None:
        """Take the results of a job that is being purged out of every project."""
        while rows := await self.of_job(job):
            await self._forget(rows)

    async def _forget(self, rows: Iterable[ProjectFile]) -> None:
        """Remove memberships and count them off, unless row or project is gone already."""
        for row in rows:
            count = Update(Project, (row.project,), add={"files": -1})
            try:
                await self.store.transact(Delete(ProjectFile, row.key_values(), (Exists(),)), count)
            except ConditionFailed:
                await self.store.transact(Delete(ProjectFile, row.key_values()))


def joining(project: str, files: Sequence[str], now: int) -> list[Action]:
    """Make the actions that add files that are no members yet to a project that is not deleted."""
    rows: list[Action] = [
        Put(ProjectFile(project=project, file=file, job=_job_of(file), added=now), (Absent(),))
        for file in files
    ]
    guard = (Equals("deleted", None),)
    return [*rows, Update(Project, (project,), add={"files": len(files)}, when=guard)]


def leaving(project: str, files: Sequence[str]) -> list[Action]:
    """Make the actions that take members out of a project."""
    rows: list[Action] = [Delete(ProjectFile, (project, file), (Exists(),)) for file in files]
    return [*rows, Update(Project, (project,), add={"files": -len(files)})]


def _job_of(file: str) -> str | None:
    made = parse_result_file(file)
    return None if made is None else made[0]
