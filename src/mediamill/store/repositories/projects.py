"""Projects: named sets of files. A file may be in any number of them and outlives them all.

Membership is a row of its own, so that a project of a million files is walked page by page, and
a file that is purged finds the projects that it leaves. Trashed members stay until they are purged.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mediamill.core.errors import ConditionFailed, ProjectFull
from mediamill.core.records import Index, Key, Record
from mediamill.core.retention import AS_INSTALLED
from mediamill.store.port import (
    Absent,
    Action,
    AtMost,
    Condition,
    Delete,
    Equals,
    Page,
    Put,
    Store,
    Update,
)
from mediamill.store.port import key_index as key_of
from mediamill.store.repositories.results import parse_result_file

MEMBERS_PER_STEP = 90
"""Members that one transaction adds or removes, beside the project itself."""

AGING = "project"
"""Where projects with a rule are listed, whosever they are."""

SUBSETS = ("original", "preprocessed", "augmented")
SPLITS = ("train", "validation", "test")
"""Beside these the empty split: of what is not split, which counts as train."""


class Project(Record, frozen=True, kw_only=True):
    """A named set of files."""

    table = "projects"
    key = Key("id")
    indexes = (
        Index("project_listed", partition=("listed",), sort=("id",)),
        Index("project_ruled", partition=("ruled",), sort=("id",)),
        Index("project_aging", partition=("aging",), sort=("id",), shards=2),
    )

    id: str
    owner: str
    listed: str | None = None
    """The owner while the project shows in lists, `trash_of` them while it can be brought back."""
    name: str
    description: str = ""
    files: int = 0
    """Members, those in the trash included. The originals that are in no split are those of them
    that are not counted below, so members that an older release adds are counted too."""
    original_train: int = 0
    original_validation: int = 0
    original_test: int = 0
    preprocessed_unsplit: int = 0
    preprocessed_train: int = 0
    preprocessed_validation: int = 0
    preprocessed_test: int = 0
    augmented_unsplit: int = 0
    augmented_train: int = 0
    augmented_validation: int = 0
    augmented_test: int = 0
    settings: dict[str, Any] = {}
    """Steps, formats and limits that jobs over it begin with (`services/projects/settings.py`)."""
    last_version: int = 0
    """Number of the newest frozen version that it ever had."""
    working: str | None = None
    """The task whose turn it is, or was, if that has ended (`handlers/datasets/task.py`)."""
    revision: int = 0
    """Grows with every change of the project itself."""
    created: int
    deleted: int | None = None
    """When its owner deleted it (ms); its membership rows are removed in the background."""
    keep: str = AS_INSTALLED
    """How long its files are kept from when they joined: `30d`, `none`, empty for what the
    installation says (`store/repositories/keeping.py`)."""
    former: dict[str, int] = {}
    """Rules of before, and when each was replaced (ms): they hold beside `keep` for a day."""
    ruled: str | None = None
    """The owner while there is a rule, now or before, else None."""
    aging: str | None = None
    """`AGING` just as long."""

    @property
    def hidden(self) -> bool:
        """Whether it is answered as absent."""
        return self.deleted is not None

    @property
    def most(self) -> int | None:
        """How many members its settings allow; None for any number."""
        return self.settings.get("max_files")

    def require_room(self, more: int) -> None:
        """Raise `ProjectFull` where so many more may not join."""
        if self.most is None or not more or self.files + more <= self.most:
            return
        message = (
            f"{more:,} more would join the {self.files:,} files of this project, which takes at "
            f"most {self.most:,}: take some out, or raise `max_files` in its settings."
        )
        raise ProjectFull(message, files=self.files, more=more, max_files=self.most)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Members by subset and split; the empty split is of those that are not split."""
        places = {(s, t): count_of(s, t) for s in SUBSETS for t in ("", *SPLITS)}
        found = {place: getattr(self, name) for place, name in places.items() if name}
        found["original", ""] = max(0, self.files - sum(found.values()))
        return {s: {t: found[s, t] for t in ("", *SPLITS)} for s in SUBSETS}

    def log_context(self) -> dict[str, Any]:
        return {"project": self.id, "owner": self.owner}


class ProjectFile(Record, frozen=True, kw_only=True):
    """A file's membership in a project."""

    table = "project_files"
    key = Key("project", "file")
    indexes = (
        Index("project_of_file", partition=("file",), sort=("project",)),
        Index("project_of_job", partition=("job",), sort=("project", "file")),
        Index("member_subset", partition=("project", "subset"), sort=("split", "file")),
        Index("member_split", partition=("split", "project"), sort=("file",)),
        Index("member_group", partition=("project", "group"), sort=("file",)),
    )

    project: str
    file: str
    job: str | None = None
    """The job whose result the file is, else None."""
    added: int
    subset: str = "original"
    """One of `SUBSETS`."""
    split: str = ""
    """One of `SPLITS`, or empty."""
    group: str = ""
    """Members of one group belong into one split: frames have the id of their video. May be empty,
    of one that is alone."""


def count_of(subset: str, split: str) -> str:
    """Return the field in which a project counts its members of a subset and split.

    None, and an empty name, for originals that are in no split: they are what is left.
    """
    return f"{subset}_{split or 'unsplit'}" if split or subset != "original" else ""


def trash_of(owner: str) -> str:
    """Return where an owner's deleted projects are listed."""
    return f"trash:{owner}"


@dataclass(frozen=True)
class Members:
    """Which members are meant; None is any."""

    subset: str | None = None
    split: str | None = None
    group: str | None = None

    def takes(self, row: ProjectFile) -> bool:
        """Tell whether a member is meant."""
        return all(
            wanted in (None, had)
            for wanted, had in (
                (self.subset, row.subset), (self.split, row.split), (self.group, row.group),
            )
        )  # fmt: skip


ALL = Members()


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

    async def chosen(
        self, project: str, wanted: Members, after: str | None = None, limit: int = 100
    ) -> Page[ProjectFile]:
        """List members that are meant, by the index that tells most of them apart.

        A page may hold few where another of the three tells them apart too. The order is by file
        id, and by split before where only a subset is given.
        """
        low: str | None = None
        partition: tuple[str, ...]
        if wanted.group:
            index, partition = ProjectFile.index("member_group"), (project, wanted.group)
        elif wanted.subset is not None:
            index, partition = ProjectFile.index("member_subset"), (project, wanted.subset)
            low = wanted.split
        elif wanted.split is not None:
            index, partition = ProjectFile.index("member_split"), (wanted.split, project)
        else:
            index, partition = key_of(ProjectFile), (project,)
        page = await self.store.query(
            ProjectFile, index, *partition, at_least=low, at_most=low, after=after, limit=limit
        )
        return Page(tuple(row for row in page.rows if wanted.takes(row)), page.after)

    async def walk(self, project: str, wanted: Members = ALL) -> AsyncIterator[ProjectFile]:
        """Visit members that are meant, as `chosen` lists them."""
        after: str | None = None
        while True:
            page = await self.chosen(project, wanted, after, 1000)
            for row in page.rows:
                yield row
            if (after := page.after) is None:
                return

    async def holding(self, project: str, files: Sequence[str]) -> dict[str, ProjectFile]:
        """Return the memberships of those of some files that are members; any number of ids."""
        found: dict[str, ProjectFile] = {}
        for start in range(0, len(files), 100):
            keys = [(project, file) for file in files[start : start + 100]]
            rows = await self.store.get_many(ProjectFile, keys)
            found.update((row.file, row) for row in rows if row is not None)
        return found

    async def of_file(
        self, file: str, after: str | None = None, limit: int = 100
    ) -> Page[ProjectFile]:
        """List a file's memberships."""
        index = ProjectFile.index("project_of_file")
        return await self.store.query(ProjectFile, index, file, after=after, limit=limit)

    async def all_of_file(self, file: str) -> AsyncIterator[tuple[ProjectFile, ...]]:
        """Walk a file's memberships, some at a time."""
        after: str | None = None
        while True:
            page = await self.of_file(file, after)
            yield page.rows
            if (after := page.after) is None:
                return

    async def of_job(self, job: str, limit: int = 100) -> tuple[ProjectFile, ...]:
        """List the memberships of a job's results, the first of them."""
        index = ProjectFile.index("project_of_job")
        return (await self.store.query(ProjectFile, index, job, limit=limit)).rows

    async def forget(self, rows: Iterable[ProjectFile]) -> None:
        """Remove memberships and count them off, unless row or project is gone already.

        A row that somebody moved meanwhile is left, as it is found again.
        """
        for row in rows:
            with suppress(ConditionFailed):
                await self.store.transact(*leaving(row.project, [row]))
                continue
            if await self.get(row.project) is None:
                await self.store.transact(Delete(ProjectFile, row.key_values()))


def joining(project: Project, members: Sequence[ProjectFile]) -> list[Action]:
    """Make the actions that add what are no members yet to a project, as its settings were read.

    They hold while it is not deleted and has room, whoever else adds to it at the same time.
    """
    rows: list[Action] = [Put(member, (Absent(),)) for member in members]
    guard: tuple[Condition, ...] = (Equals("deleted", None),)
    if project.most is not None:
        guard = (*guard, AtMost("files", project.most - len(members)))
    return [*rows, Update(Project, (project.id,), add=_counted(members, 1), when=guard)]


def leaving(project: str, members: Sequence[ProjectFile]) -> list[Action]:
    """Make the actions that take members out, as long as they are as they were read."""
    rows: list[Action] = [Delete(ProjectFile, m.key_values(), _as_read(m)) for m in members]
    return [*rows, Update(Project, (project,), add=_counted(members, -1))]


def moving(project: str, members: Sequence[tuple[ProjectFile, ProjectFile]]) -> list[Action]:
    """Make the actions that change members, each from what was read to what it becomes."""
    rows: list[Action] = [Put(after, _as_read(before)) for before, after in members]
    fewer = _counted([before for before, _ in members], -1)
    for name, count in _counted([after for _, after in members], 1).items():
        fewer[name] = fewer.get(name, 0) + count
    add = {name: count for name, count in fewer.items() if count}
    guard = (Equals("deleted", None),)
    return [*rows, Update(Project, (project,), add=add, when=guard)]


def member(project: str, file: str, now: int, **fields: str) -> ProjectFile:
    """Make a membership; `fields` are its subset, split and group."""
    return ProjectFile(project=project, file=file, job=_job_of(file), added=now, **fields)


def _as_read(member: ProjectFile) -> tuple[Equals, ...]:
    return (
        Equals("subset", member.subset),
        Equals("split", member.split),
        Equals("group", member.group),
    )


def _counted(members: Sequence[ProjectFile], sign: int) -> dict[str, int | float]:
    """Return by how much the counts of a project change."""
    counts = Counter(count_of(member.subset, member.split) for member in members)
    counts["files"] = len(members)
    return {name: sign * count for name, count in counts.items() if name}


def _job_of(file: str) -> str | None:
    made = parse_result_file(file)
    return None if made is None else made[0]
