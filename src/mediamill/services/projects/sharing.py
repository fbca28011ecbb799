"""Share a project as viewer or editor; a share that is taken back ends at once."""

from dataclasses import dataclass
from typing import Literal

import structlog

from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.errors import InvalidInput, NotFound
from mediamill.services.access import Access
from mediamill.store.port import Delete, Page, Put
from mediamill.store.repositories.datasets import Datasets, ProjectShare
from mediamill.store.repositories.erasures import Former
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.users import User, Users

log = structlog.get_logger(__name__)

MOST = 200
"""People that one project is shared with."""

Role = Literal["viewer", "editor"]
Guest = tuple[ProjectShare, User]


@dataclass
class SharingService:
    """What a caller may do about who sees a project."""

    access: Access
    datasets: Datasets
    users: Users

    async def share(self, principal: Principal, project_id: str, who: str, role: Role) -> Guest:
        """Share a project of one's own with a user, by address or id, or change their role.

        Raises `InvalidInput` for somebody who is not known here.
        """
        project = await self.access.load(principal, Project, project_id, Right.OWN)
        user = await (self.users.by_email(who) if "@" in who else self.users.get(who))
        if user is None or user.disabled:
            raise InvalidInput.at("user", "Nobody here has this address: ask them to register.")
        if user.id == project.owner:
            raise InvalidInput.at("user", "The project is theirs.")
        known = await self.datasets.share(user.id, project.id)
        if (
            known is None
            and len((await self.datasets.shares_of(project.id, limit=MOST)).rows) >= MOST
        ):
            raise InvalidInput(f"A project is shared with at most {MOST} people.")
        created = await self.access.store.now() if known is None else known.created
        share = ProjectShare(user=user.id, project=project.id, role=role, created=created)
        await self.access.store.transact(Put(share))
        note("project_shared", user.id, owner=project.owner, project=project.id, role=role)
        return share, user

    async def list(
        self, principal: Principal, project_id: str, after: str | None, limit: int
    ) -> Page[Guest]:
        """List with whom a project of one's own is shared."""
        project = await self.access.load(principal, Project, project_id, Right.OWN)
        page = await self.datasets.shares_of(project.id, after, limit)
        users = await self.access.store.get_many(User, [(row.user,) for row in page.rows])
        found = zip(page.rows, users, strict=True)
        return Page(tuple((row, user) for row, user in found if user is not None), page.after)

    async def revoke(self, principal: Principal, project_id: str, user_id: str) -> None:
        """Take a share back, or leave a project that was shared with the caller."""
        own = Right.VIEW if user_id == principal.user else Right.OWN
        project = await self.access.load(principal, Project, project_id, own)
        if await self.datasets.share(user_id, project.id) is None:
            raise NotFound(f"The project is not shared with {user_id}.")
        gone = Delete(ProjectShare, (user_id, project.id))
        former = Put(Former(user=user_id, record=project.id))
        await self.access.store.transact(gone, former)
        note("share_revoked", user_id, owner=project.owner, project=project.id)

    async def with_me(self, principal: Principal, after: str | None, limit: int) -> Page[Project]:
        """List projects of others that are shared with the caller, newest first."""
        page = await self.datasets.shared_with(principal.user, after, limit)
        keys = [(row.project,) for row in page.rows]
        found = await self.access.store.get_many(Project, keys)
        shown = tuple(project for project in found if project is not None and not project.hidden)
        return Page(shown, page.after)

    async def role(self, principal: Principal, project: Project) -> str:
        """Return what a caller is to a project: `owner`, `editor` or `viewer`."""
        right = await self.access.right(principal, project)
        return {Right.OWN: "owner", Right.EDIT: "editor"}.get(Right(right), "viewer")
