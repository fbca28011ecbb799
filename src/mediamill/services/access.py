"""Load a record for a caller, or answer that it does not exist.

What is shared, projects and templates, is looked up when somebody else than its owner asks, so that
a share which is taken back ends at once. A shared project opens its members for reading, whosever
they are.
"""

from typing import TypeVar

from mediamill.core.access import Principal, Right
from mediamill.core.errors import Forbidden, NotFound
from mediamill.store.port import Store
from mediamill.store.repositories.captions import Caption
from mediamill.store.repositories.datasets import Datasets
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.projects import Project, Projects
from mediamill.store.repositories.templates import Template, Templates
from mediamill.store.repositories.uploads import Upload

Kept = Caption | File | Job | Project | Template | Upload
T = TypeVar("T", Caption, File, Job, Project, Template, Upload)


class Access:
    """The only way in which services read a record that belongs to somebody."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.projects, self.datasets = Projects(store), Datasets(store)
        self.templates = Templates(store)

    async def load(
        self,
        principal: Principal,
        kind: type[T],
        record_id: str,
        right: Right = Right.VIEW,
        *,
        hidden: bool = False,
    ) -> T:
        """Return a record that the caller has a right on; a deleted one only with `hidden`.

        Raises `NotFound` when it is absent or not theirs to see, `Forbidden` when they may see it
        but not do this.
        """
        noun = kind.__name__.lower()
        record = await self.store.get(kind, record_id)
        if record is None or (record.hidden and not hidden):
            raise NotFound(f"There is no {noun} {record_id}.")
        if not principal.may(record.owner, record.id, right):
            if not await self.sees(principal, record):
                raise NotFound(f"There is no {noun} {record_id}.")
            held: int = Right.VIEW
            if isinstance(record, Project | Template):
                held = await self.right(principal, record)
            if held < right:
                raise Forbidden(f"You may see this {noun}, but not change it.")
        return record

    async def sees(self, principal: Principal, record: Kept) -> bool:
        """Tell whether a caller may see a record: their own, or one that is shared with them."""
        if principal.may(record.owner, record.id, Right.VIEW):
            return True
        if record.hidden:
            return False
        if isinstance(record, Project | Template):
            return await self.right(principal, record) >= Right.VIEW
        return isinstance(record, File) and await self._in_shared(principal, record)

    async def right(self, principal: Principal, record: Project | Template) -> int:
        """Return a caller's `Right` on what can be shared, 0 for none."""
        if record.owner == principal.user:
            return Right.OWN
        given = principal.grants.get(record.id, 0)
        if isinstance(record, Template):
            shares = await self.templates.shares(principal.user, record.id)
            return max([given, *(share.right for share in shares)])
        share = await self.datasets.share(principal.user, record.id)
        return max(given, 0 if share is None else share.right)

    async def _in_shared(self, principal: Principal, file: File) -> bool:
        """Tell whether a file is a member of a project that the caller may see."""
        async for rows in self.projects.all_of_file(file.id):
            for project in await self.store.get_many(Project, [(row.project,) for row in rows]):
                if project is None or project.hidden:
                    continue
                if await self.right(principal, project):
                    return True
        return False
