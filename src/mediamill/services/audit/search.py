"""The audit trail as administrators search it, and as everybody sees what concerns themselves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.core.clock import NO_TIME, read_time
from mediamill.core.errors import InvalidInput
from mediamill.core.ids import encode
from mediamill.services.roles import require_admin
from mediamill.store.port import Page
from mediamill.store.repositories.audit import FIRST, LAST, Act, Audit

WALKED = 200
"""Acts that are read at a time."""


@dataclass(frozen=True)
class Wanted:
    """Which acts somebody looks for; None: whichever."""

    actor: str | None = None
    about: str | None = None
    action: str | None = None
    since: str | None = None
    """A day or a time (RFC 3339, UTC where it says nothing), the first that counts."""
    until: str | None = None
    """Likewise, the first that does not count any more."""


@dataclass(frozen=True)
class AuditService:
    """Reads only."""

    audit: Audit

    async def search(
        self, principal: Principal, wanted: Wanted, after: str | None, limit: int
    ) -> Page[Act]:
        """List acts, newest first; raises `Forbidden`, and `InvalidInput` for what is no time.

        A page may hold few acts where several things are looked for, and still be followed by more.
        """
        require_admin(principal)
        return await self.look(wanted, after, limit)

    async def walk(self, principal: Principal, wanted: Wanted) -> AsyncIterator[Act]:
        """Return a walk over all such acts, newest first; raises as `search` does, at once."""
        first = await self.search(principal, wanted, None, WALKED)

        async def acts() -> AsyncIterator[Act]:
            page = first
            while True:
                for act in page.rows:
                    yield act
                if page.after is None:
                    return
                page = await self.look(wanted, page.after, WALKED)

        return acts()

    async def own(self, principal: Principal, after: str | None, limit: int) -> Page[Act]:
        """List what was done to the caller's account, newest first; of others not from where."""
        page = await self.look(Wanted(about=principal.user), after, limit)
        return Page(tuple(act.seen_by(principal.user) for act in page.rows), page.after)

    async def look(self, wanted: Wanted, after: str | None, limit: int) -> Page[Act]:
        """List acts for who works at the machine; raises `InvalidInput`."""
        first = FIRST if wanted.since is None else _begin(wanted.since, "since")
        last = LAST if wanted.until is None else _begin(wanted.until, "until")
        return await self.audit.search(
            first, last, wanted.actor, wanted.about, wanted.action, after, limit
        )


def _begin(text: str, field: str) -> str:
    """Return what ids of a time begin with; raises `InvalidInput`."""
    try:
        return f"audit_{encode(read_time(text) << 80)}"
    except ValueError:
        raise InvalidInput.at(field, NO_TIME) from None
