"""Who keeps how much, for analysts: sums and names, nothing of what anybody keeps."""

from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.services.roles import require_analyst
from mediamill.store.port import Page
from mediamill.store.repositories.usage import Usage
from mediamill.store.repositories.users import User, Users


@dataclass(frozen=True)
class Analytics:
    """Reads of all users' usage."""

    users: Users

    async def usage(
        self, principal: Principal, start: str, after: str | None, limit: int
    ) -> Page[tuple[User, Usage]]:
        """List users, all or whose address or name begins with `start`, and what they keep.

        Raises `Forbidden` for others than analysts and administrators.
        """
        require_analyst(principal)
        page = await self.users.roster(start, None, after, limit)
        keys = [(user.id,) for user in page.rows]
        kept = await self.users.store.get_many(Usage, keys) if keys else []
        pairs = zip(page.rows, kept, strict=True)
        return Page(tuple((user, row or Usage(owner=user.id)) for user, row in pairs), page.after)
