"""What somebody is called, which they say themselves."""

from mediamill.core.access import Principal
from mediamill.services.accounts.passwords import clean_name
from mediamill.services.accounts.roster import Roster
from mediamill.store.repositories.users import User


class OwnProfile:
    """Changes what the caller says of themselves."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    async def rename(self, principal: Principal, name: str) -> User:
        """Change what the caller is called; empty: nothing. Raises `InvalidInput` about `name`."""
        return await self._roster.change(principal.user, name=clean_name(name))
