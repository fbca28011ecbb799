"""Projects as their owner sees them: named sets of files, changed and walked."""

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.clock import DAY
from mediamill.core.errors import (
    ConditionFailed,
    Conflict,
    InvalidInput,
    NotFound,
    ProjectFull,
    wrong,
)
from mediamill.core.ids import new_id
from mediamill.core.retention import AS_INSTALLED
from mediamill.services.access import Access
from mediamill.services.repeats.attempts import made_before
from mediamill.store.port import Absent, Equals, Page, Put, Update, key_index
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.files import File
from mediamill.store.repositories.keeping import Keeping
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.projects import (
    MEMBERS_PER_STEP,
    Project,
    ProjectFile,
    Projects,
    joining,
    leaving,
    member,
    trash_of,
)
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

MAX_AT_ONCE = 1_000
"""Files that one call adds or takes out."""

UNDO_MS = DAY
"""How long a deleted project can be brought back."""

PAGES_LOOKED_AT = 10
"""So many pages of members are looked through for one page of files that are there."""


@dataclass
class ProjectService:
    """What a caller may do with projects."""

    access: Access
    projects: Projects
    lookup: FileLookup
    units: Units
    bell: Doorbell
    annotations: Annotations

    async def create(
        self, principal: Principal, name: str, description: str = "",
        settings: dict[str, Any] | None = None,
    ) -> Project:  # fmt: skip
        """Make an empty project; names need not be unique, settings are those of another one.

        Raises `InvalidInput`.
        """
        if made := await made_before(self.projects.store, principal, Project, "proj"):
            return made
        project = Project(
            id=new_id("proj"),
            owner=principal.user,
            listed=principal.user,
            name=_name(name),
            description=description,
            settings=settings or {},
            created=await self.projects.store.now(),
        )
        await self.projects.store.transact(Put(project, when=(Absent(),)))
        log.info("project created", action="project_created", **project.log_context())
        return project

    async def list(self, principal: Principal, after: str | None, limit: int) -> Page[Project]:
        """List the caller's projects, newest first."""
        return await self.projects.of_owner(principal.user, after, limit)

    async def get(
        self, principal: Principal, project_id: str, right: Right = Right.VIEW
    ) -> Project:
        """Return one project; raises `NotFound`, `Forbidden`."""
        return await self.access.load(principal, Project, project_id, right)

    async def change(
        self,
        principal: Principal,
        project_id: str,
        name: str | None = None,
        description: str | None = None,
    ) -> Project:
        """Rename or describe a project anew; None leaves a field as it is."""
        project = await self.get(principal, project_id, Right.EDIT)
        fields = {"name": None if name is None else _name(name), "description": description}
        changes = {key: value for key, value in fields.items() if value is not None}
        await self._write(project, changes)
        return await self.get(principal, project_id)

    async def delete(self, principal: Principal, project_id: str, *, now: bool = False) -> None:
        """Hide a project at once; its files stay, its membership rows go a day later, or `now`.

        With `now` also a project that is in the trash. Raises `NotFound`.
        """
        project = await self.access.load(principal, Project, project_id, Right.OWN, hidden=now)
        if project.hidden and project.listed is None:  # it is being removed
            raise _absent(project_id)
        time = await self.projects.store.now()
        deleted = time if project.deleted is None else project.deleted
        fields = {"deleted": deleted, "listed": trash_of(project.owner)}
        unit = _purge(project, deleted, time, time if now else time + UNDO_MS)
        with suppress(ConditionFailed):  # deleted twice at the same moment
            await self.units.insert([unit], _change(project, fields))
        note("project_deleted", project.id, owner=project.owner, now=now)
        await self.bell.ring("work:housekeeping")

    async def restore(self, principal: Principal, project_id: str) -> Project:
        """Bring a project back with its members; one that is not deleted is left alone.

        If it has a rule, what came due meanwhile stays for a day: it took nothing while deleted.
        Raises `NotFound`, and `Conflict` once it is being removed.
        """
        project = await self.access.load(principal, Project, project_id, Right.OWN, hidden=True)
        if project.hidden:
            fields: dict[str, Any] = {"deleted": None, "listed": project.owner}
            if project.ruled is not None:
                now = await self.projects.store.now()
                fields["former"] = project.former | {AS_INSTALLED: now}
            back = _change(project, fields)
            try:
                if project.listed is None:
                    raise ConditionFailed("it is being removed")
                await self.projects.store.transact(back)
            except ConditionFailed:
                message = "The project is being removed: it cannot be brought back."
                raise Conflict(message, state="purging") from None
            note("project_restored", project.id, owner=project.owner)
        return await self.get(principal, project_id)

    async def trash(self, principal: Principal, after: str | None, limit: int) -> Page[Project]:
        """List the caller's deleted projects that can be brought back, newest first."""
        return await self.projects.of_owner(trash_of(principal.user), after, limit)

    # -- members --------------------------------------------------------------------------------

    async def add(self, principal: Principal, project_id: str, files: Sequence[str]) -> int:
        """Add files, uploaded ones or results; return how many were no members before.

        All are added or, when one may not be seen, none: `InvalidInput` names each of those. None
        too where there is no room for all: `ProjectFull`.
        """
        project = await self.get(principal, project_id, Right.EDIT)
        chosen = list(dict.fromkeys(files))
        _check_count(files)
        await self._check_files(principal, files)
        there = await self.projects.holding(project.id, chosen)
        project.require_room(len(chosen) - len(there))
        return await self._in_steps(project, chosen, joins=True)

    async def welcome(
        self, principal: Principal, project_id: str, file_id: str | None = None
    ) -> Project:
        """Return a project that the caller may add one file to now.

        One that is a member already is welcome. Raises `NotFound`, `Forbidden`, `ProjectFull`.
        """
        project = await self.get(principal, project_id, Right.EDIT)
        if file_id is None or not await self.projects.holding(project.id, [file_id]):
            project.require_room(1)
        return project

    async def remove(self, principal: Principal, project_id: str, files: Sequence[str]) -> int:
        """Take files out; return how many were members. The files themselves stay.

        For a day at least, where the project says how long it keeps them. What was drawn on them in
        this project goes; if this was cut, when it is asked for again.
        """
        project = await self.get(principal, project_id, Right.EDIT)
        _check_count(files)
        chosen = list(dict.fromkeys(files))
        members = await self.projects.holding(project.id, chosen)
        await Keeping(self.projects.store).leaving(project, [*members.values()])
        removed = await self._in_steps(project, chosen, joins=False)
        back = await self.projects.holding(project.id, files)
        await self.annotations.forget_members(project.id, [f for f in files if f not in back])
        return removed

    async def files(
        self, principal: Principal, project_id: str, after: str | None, limit: int
    ) -> Page[File]:
        """List a project's files, oldest first; those in the trash are left out.

        A page may hold few when many are in the trash.
        """
        project = await self.get(principal, project_id)
        found: list[File] = []
        for _ in range(PAGES_LOOKED_AT):
            page = await self.projects.members(project.id, after, limit - len(found))
            files = await self.lookup.get_many([row.file for row in page.rows])
            found += [file for file in files if file and not file.hidden]
            after = page.after
            if after is None or len(found) >= limit:
                break
        return Page(tuple(found), after)

    async def newest(
        self, principal: Principal, project_id: str, after: str | None, limit: int
    ) -> Page[File]:
        """List a project's files, newest first, the caller's in the trash too; `get` it before."""
        index = key_index(ProjectFile)
        page = await self.projects.store.query(
            ProjectFile, index, project_id, after=after, limit=limit, descending=True
        )
        mine = await self._shown(principal, [row.file for row in page.rows])
        return Page(tuple(mine), page.after)

    async def those(
        self, principal: Principal, project_id: str, files: Sequence[str]
    ) -> Sequence[File]:
        """Return those of some files that are in a project, as `newest` shows them."""
        members = await self.projects.holding(project_id, files)
        return await self._shown(principal, [one for one in files if one in members])

    async def _shown(self, principal: Principal, files: Sequence[str]) -> Sequence[File]:
        """Load files of a project; those in the trash are only their owner's to see."""
        seen = (file for file in await self.lookup.get_many(files) if file is not None)
        return [f for f in seen if not f.hidden or principal.may(f.owner, f.id, Right.VIEW)]

    async def _check_files(self, principal: Principal, files: Sequence[str]) -> None:
        """Refuse files that are not there for the caller, each with its place."""
        found = await self.lookup.get_many(files)
        errors = [
            wrong(f"files.{place}", f"There is no file {file_id[:80]}.")
            for place, (file_id, file) in enumerate(zip(files, found, strict=True))
            if file is None or file.hidden or not principal.may(file.owner, file.id, Right.VIEW)
        ]
        if errors:
            raise InvalidInput(errors[0]["message"], errors=errors[:100])

    async def _in_steps(self, project: Project, files: Sequence[str], *, joins: bool) -> int:
        """Add or remove members in transactions of bounded size; return how many changed."""
        changed: list[str] = []
        try:
            for start in range(0, len(files), MEMBERS_PER_STEP):
                some = files[start : start + MEMBERS_PER_STEP]
                changed += await self._step(project, some, joins)
        except ProjectFull:  # others were faster: nothing of this stays
            await self._in_steps(project, changed, joins=False)
            raise
        return len(changed)

    async def _step(self, project: Project, files: Sequence[str], joins: bool) -> Sequence[str]:
        """Write one transaction, anew when somebody else changed a member meanwhile.

        Returns which files have changed. Raises `NotFound`, `ProjectFull`.
        """
        now = await self.projects.store.now()
        while True:
            members = await self.projects.holding(project.id, files)
            if joins:
                chosen = [member(project.id, file, now) for file in files if file not in members]
            else:
                chosen = list(members.values())
            if not chosen:
                return ()
            steps = joining(project, chosen) if joins else leaving(project.id, chosen)
            try:
                await self.projects.store.transact(*steps)
            except ConditionFailed:
                current = await self.projects.get(project.id)
                if current is None or current.hidden:
                    raise _absent(project.id) from None
                if joins:
                    project = current
                    await self._require_room(project, files)
            else:
                return [one.file for one in chosen]

    async def _require_room(self, project: Project, files: Sequence[str]) -> None:
        """Raise `ProjectFull` where those that are no members yet cannot join any more."""
        project.require_room(len(files) - len(await self.projects.holding(project.id, files)))

    async def _write(self, project: Project, changes: dict[str, Any]) -> None:
        """Change a project that is still there; raises `NotFound` when it no longer is."""
        if not changes:
            return
        try:
            await self.projects.store.transact(_change(project, changes))
        except ConditionFailed:
            raise _absent(project.id) from None


def _change(project: Project, fields: dict[str, Any]) -> Update:
    """Make the update that holds only while the project is deleted, or not, as it was read."""
    guard = (Equals("deleted", project.deleted), Equals("listed", project.listed))
    return Update(Project, (project.id,), set=fields, add={"revision": 1}, when=guard)


def _purge(project: Project, deleted: int, now: int, due: int) -> Unit:
    """Make the unit that removes a project for good, unless it was brought back."""
    group, seq, owner = f"purge:{project.id}", project.revision + 1, project.owner
    payload = {"project": project.id, "deleted": deleted}
    return Unit.chore("purge_project", group, seq, owner, cost=0.2, now=now, due=due, **payload)


def _absent(project_id: str) -> NotFound:
    return NotFound(f"There is no project {project_id}.")


def _name(text: str) -> str:
    """Return a name in NFC without space around it; raises `InvalidInput` for an empty one."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= 200:
        message = "A project's name has 1 to 200 characters."
        raise InvalidInput.at("name", message)
    return name


def _check_count(files: Sequence[str]) -> None:
    if not 1 <= len(files) <= MAX_AT_ONCE:
        message = f"Give 1 to {MAX_AT_ONCE:,} files at a time."
        raise InvalidInput.at("files", message)
