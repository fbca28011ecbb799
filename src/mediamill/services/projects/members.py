"""Members of a project as a dataset: found by subset, split, group and class, and moved."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mediamill.core.access import Principal, Right
from mediamill.core.errors import InvalidInput, NotFound
from mediamill.core.ids import new_id
from mediamill.handlers.datasets.moving import Mover, moves_of
from mediamill.services.access import Access
from mediamill.services.projects.tasks import TaskService
from mediamill.store.port import Absent, Page, Put
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.datasets import ProjectTask, TaskState
from mediamill.store.repositories.files import File
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.projects import (
    ALL,
    SPLITS,
    SUBSETS,
    Members,
    Project,
    ProjectFile,
    Projects,
)

log = structlog.get_logger(__name__)

PAGES_LOOKED_AT = 10
"""So many pages of members are looked through for one page of files that are there."""
MAX_AT_ONCE = 1_000
MAX_GROUP = 200

Shown = tuple[ProjectFile, File]


@dataclass
class MemberService:
    """What a caller may do with the members of a project."""

    access: Access
    projects: Projects
    lookup: FileLookup
    tasks: TaskService
    mover: Mover
    annotations: Annotations

    async def holding(
        self, principal: Principal, file_id: str, after: str | None, limit: int
    ) -> Page[Project]:
        """List the projects that a file is in, of those that the caller may see.

        A page may hold few where others' projects hold it. Raises `NotFound`.
        """
        file = await self.lookup.get(file_id)
        if file is None or file.hidden or not await self.access.sees(principal, file):
            raise NotFound(f"There is no file {file_id}.")
        page = await self.projects.of_file(file.id, after, limit)
        found = await self.access.store.get_many(Project, [(row.project,) for row in page.rows])
        seen = [
            project
            for project in found
            if project is not None
            and not project.hidden
            and await self.access.sees(principal, project)
        ]
        return Page(tuple(seen), page.after)

    async def page(
        self,
        principal: Principal,
        project_id: str,
        after: str | None,
        limit: int,
        wanted: Members = ALL,
        category: str | None = None,
        *,
        annotated: bool | None = None,
    ) -> Page[Shown]:
        """List members with their files, by file id; those in the trash are left out.

        `annotated` wants those with annotations, or those without.

        Where only a subset is wanted, by split before. A page may hold few when most are not meant,
        or are in the trash.
        """
        project = await self.access.load(principal, Project, project_id)
        _check(wanted)
        found: list[Shown] = []
        for _ in range(PAGES_LOOKED_AT):
            page = await self._rows(project.id, wanted, category, after, limit - len(found))
            if annotated is not None:
                page = await self._annotated(project.id, page, annotated)
            files = await self.lookup.get_many([row.file for row in page.rows])
            found += [
                (row, file)
                for row, file in zip(page.rows, files, strict=True)
                if file is not None and not file.hidden
            ]
            after = page.after
            if after is None or len(found) >= limit:
                break
        return Page(tuple(found), after)

    async def _annotated(
        self, project: str, page: Page[ProjectFile], annotated: bool
    ) -> Page[ProjectFile]:
        """Keep those of a page on which something is drawn, or those on which nothing is."""
        drawn = await self.annotations.rows(project, [row.file for row in page.rows])
        there = {file for file, row in drawn.items() if row.count}
        rows = tuple(row for row in page.rows if (row.file in there) is annotated)
        return Page(rows, page.after)

    async def _rows(
        self, project: str, wanted: Members, category: str | None, after: str | None, limit: int
    ) -> Page[ProjectFile]:
        if category is None:
            return await self.projects.chosen(project, wanted, after, limit)
        page = await self.annotations.with_class(project, category, after, limit)
        files = [row.file for row in page.rows]
        rows = await self.projects.holding(project, files)
        kept = (rows[file] for file in files if file in rows)
        return Page(tuple(row for row in kept if wanted.takes(row)), page.after)

    async def move(
        self, principal: Principal, project_id: str, files: Sequence[str], fields: dict[str, str]
    ) -> ProjectTask:
        """Move members to another subset, split or group at once; return it as an ended task.

        Raises `InvalidInput` that names each file which is no member.
        """
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        _check_fields(fields)
        if not 1 <= len(files) <= MAX_AT_ONCE:
            raise InvalidInput.at("files", f"Give 1 to {MAX_AT_ONCE:,} files at a time.")
        rows = await self.projects.holding(project.id, files)
        for place, file in enumerate(files):
            if file not in rows:
                message = f"{file[:80]} is not in this project."
                raise InvalidInput.at(f"files.{place}", message)
        store = self.projects.store
        task = ProjectTask(
            project=project.id, id=new_id("task"), kind="move", user=principal.user,
            state=TaskState.SUCCEEDED, request={"files": len(rows), "set": fields},
            done=len(rows), total=len(rows), created=await store.now(),
        )  # fmt: skip
        await self.mover.write(task.plan, moves_of(rows.values(), fields))
        moved, left = await self.mover.follow(project.id, task.plan)
        task = task.evolve(outcome={"moved": moved, "left": left}, finished=await store.now())
        await store.transact(Put(task, (Absent(),)))
        log.info("members moved", action="members_moved", files=moved, **project.log_context())
        return task

    async def move_all(
        self, principal: Principal, project_id: str, wanted: Members, fields: dict[str, str]
    ) -> ProjectTask:
        """Begin to move all members that are meant."""
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        _check(wanted)
        _check_fields(fields)
        members = {"subset": wanted.subset, "split": wanted.split, "group": wanted.group}
        request = {"members": members, "set": fields}
        return await self.tasks.begin(principal, project, "move", request, total=project.files)


def _check(wanted: Members) -> None:
    """Raise `InvalidInput` for a subset or split that there is not."""
    if wanted.subset not in (None, *SUBSETS):
        raise InvalidInput.at("subset", f"The subsets are {', '.join(SUBSETS)}.")
    if wanted.split not in (None, "", *SPLITS):
        raise InvalidInput.at("split", f"The splits are {', '.join(SPLITS)}, or empty for none.")


def _check_fields(fields: dict[str, str]) -> None:
    if not fields:
        raise InvalidInput.at("set", "Give a subset, a split or a group to move to.")
    if len(fields.get("group", "").encode()) > MAX_GROUP:
        raise InvalidInput.at("set.group", f"A group's name has at most {MAX_GROUP} bytes.")
    _check(Members(fields.get("subset"), fields.get("split")))
