"""Invitations: who may register though registration is closed, and as what."""

from collections.abc import Iterable, Sequence

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import MAX_ACTIONS, Delete, Equals, Page, Store
from mediamill.store.repositories.users import Role

SHELF = "invitations"
NAMED = "invitation"
"""Where the unit that mails an invitation names it."""


class Invitation(Record, frozen=True, kw_only=True):
    """Lets who reads an address make an account, once.

    Its link is signed when it is asked for (`services/accounts/inviting.py`): no secret is here.
    """

    table = "invitations"
    key = Key("id")
    indexes = (Index("invitation_all", partition=("shelf",), sort=("id",)),)

    id: str
    shelf: str = SHELF
    """The same for all, so that they can be listed: administrators make few."""
    email: str
    role: Role = Role.USER
    project: str | None = None
    """A project of the inviter's that is shared with them then."""
    share: str | None = None
    """As what: `viewer` or `editor`."""
    by: str
    """Id of who invited them, `operator` for who works at the machine."""
    created: int
    expires: int
    accepted: int | None = None
    user: str | None = None
    """Who they became."""


class Invitations:
    """Reads and writes of invitations."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, invitation_id: str) -> Invitation | None:
        return await self.store.get(Invitation, invitation_id)

    async def all(self, after: str | None, limit: int) -> Page[Invitation]:
        """List all, newest first."""
        index = Invitation.index("invitation_all")
        return await self.store.query(
            Invitation, index, SHELF, after=after, limit=limit, descending=True
        )

    async def older(self, than: str, limit: int = MAX_ACTIONS) -> Sequence[Invitation]:
        """List the oldest up to an id."""
        index = Invitation.index("invitation_all")
        return (await self.store.query(Invitation, index, SHELF, at_most=than, limit=limit)).rows

    async def forget(self, invitations: Iterable[Invitation]) -> None:
        """Remove some, at most as many as a transaction takes."""
        await self.store.transact(*(Delete(Invitation, (row.id,)) for row in invitations))

    async def remove(self, invitation: Invitation) -> bool:
        """Remove one that nobody has accepted; tell whether that was so."""
        open_ = (Equals("accepted", None),)
        try:
            await self.store.transact(Delete(Invitation, (invitation.id,), when=open_))
        except ConditionFailed:
            return False
        return True
