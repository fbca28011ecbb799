"""What somebody is called and where mails reach them, which they say themselves."""

from mediamill.core.access import Principal
from mediamill.services.accounts.addresses import Addresses
from mediamill.services.accounts.passwords import clean_name
from mediamill.services.accounts.roster import Roster


class OwnProfile:
    """Changes what the caller says of themselves."""

    def __init__(self, roster: Roster, addresses: Addresses) -> None:
        self._roster, self._addresses = roster, addresses

    async def change(
        self, principal: Principal, name: str | None, email: str | None, password: str
    ) -> None:
        """Change what the caller is called, empty: nothing; ask for another address.

        A name that is none is refused before any mail is sent. Raises `InvalidInput` about `name`,
        and as `Addresses.change` does, which changes no name.
        """
        shown = None if name is None else clean_name(name)
        if email is not None:
            await self._addresses.change(principal, email, password)
        if shown is not None:
            await self._roster.change(principal.user, name=shown)
