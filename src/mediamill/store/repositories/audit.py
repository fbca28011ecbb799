"""The audit trail: who did what that matters to security, from where, and what came of it.

Rows are only added, and go when they are older than the installation keeps them. They name people
and records by id; no name, address of a mailbox, secret or content is in them.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from mediamill.core.ids import encode
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import MAX_ACTIONS, Delete, Page, Store

SHELF = "audit"
NOBODY, OPERATOR = "nobody", "operator"
"""Actors that are no user: who has not signed in, and who works at the machine itself."""
FIRST, LAST = f"audit_{encode(0)}", "audit_~"


class Verdict(StrEnum):
    """What came of it."""

    DONE = "done"
    DENIED = "denied"


class Act(Record, frozen=True, kw_only=True):
    """One thing that somebody did, or was kept from."""

    table = "audit"
    key = Key("id")
    indexes = (
        Index("audit_all", partition=("shelf",), sort=("id",), shards=8),
        Index("audit_actor", partition=("actor",), sort=("id",), shards=8),
        Index("audit_about", partition=("about",), sort=("id",)),
        Index("audit_action", partition=("action",), sort=("id",), shards=8),
    )

    id: str
    """Begins with its time, so that rows lie in their order."""
    shelf: str = SHELF
    """The same for all, so that they can be listed."""
    action: str
    """As the log calls it: `signed_in`, `denied`, `file_deleted` …"""
    verdict: Verdict
    actor: str
    """A user's id, `NOBODY` or `OPERATOR`."""
    about: str | None
    """Id of the user or record that it was done to."""
    address: str
    agent: str
    request: str
    count: int = 1
    """How often the same was denied within a minute."""
    details: dict[str, Any]
    """Further facts, none of them secret, and none a user's id: which right, which role."""

    def seen_by(self, user: str) -> "Act":
        """Return it as a user sees it to whom it was done: not from where another user did it."""
        if self.actor in (user, NOBODY):
            return self
        return self.evolve(address="", agent="", request="")


class Audit:
    """Reads of the trail, and its end."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def search(
        self,
        first: str = FIRST,
        last: str = LAST,
        actor: str | None = None,
        about: str | None = None,
        action: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Act]:
        """List acts from the id `first` to `last`, newest first, by one of the three or all.

        Of several the narrowest is asked for (`about`, `actor`, `action`), and the others sift: a
        page may hold few rows then, and still be followed by more.
        """
        index, value = Act.index("audit_all"), SHELF
        for name, wanted in (("about", about), ("actor", actor), ("action", action)):
            if wanted is not None:
                index, value = Act.index(f"audit_{name}"), wanted
                break
        page = await self.store.query(
            Act, index, value, at_least=first, at_most=last, after=after, limit=limit,
            descending=True,
        )  # fmt: skip
        asked = {"about": about, "actor": actor, "action": action}
        wanted_ = {name: one for name, one in asked.items() if one is not None}
        rows = [row for row in page.rows if all(getattr(row, n) == v for n, v in wanted_.items())]
        return Page(tuple(rows), page.after)

    async def older(self, than: str, limit: int = MAX_ACTIONS) -> Sequence[Act]:
        """List the oldest acts up to an id."""
        index = Act.index("audit_all")
        return (await self.store.query(Act, index, SHELF, at_most=than, limit=limit)).rows

    async def forget(self, acts: Iterable[Act]) -> None:
        """Remove acts, at most as many as a transaction takes."""
        await self.store.transact(*(Delete(Act, (act.id,)) for act in acts))
