"""Load a record for a caller, or answer that it does not exist."""

from typing import TypeVar

from mediamill.core.access import Principal, Right
from mediamill.core.errors import Forbidden, NotFound
from mediamill.store.port import Store
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.templates import Template
from mediamill.store.repositories.uploads import Upload

T = TypeVar("T", File, Job, Project, Template, Upload)


class Access:
    """The only way in which services read a record that belongs to somebody."""

    def __init__(self, store: Store) -> None:
        self.store = store

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
        if (
            record is None
            or (record.hidden and not hidden)
            or not principal.may(record.owner, record.id, Right.VIEW)
        ):
            raise NotFound(f"There is no {noun} {record_id}.")
        if not principal.may(record.owner, record.id, right):
            raise Forbidden(f"You may see this {noun}, but not change it.")
        return record
