"""What administrators do about users over the API; nobody leaves the service without one."""

from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.core.errors import Conflict
from mediamill.services.accounts.inviting import Invited, Inviting
from mediamill.services.accounts.passwords import (
    Passwords,
    clean_address,
    clean_customer,
    clean_name,
)
from mediamill.services.accounts.roster import Roster
from mediamill.services.roles import require_admin
from mediamill.store.port import Page
from mediamill.store.repositories.users import Role, User

YOURSELF = "This would take your own rights away: another administrator may do it."


@dataclass(frozen=True)
class Administering:
    """Lists, changes and adds users; every method raises `Forbidden` for others."""

    roster: Roster
    passwords: Passwords
    inviting: Inviting

    async def list(
        self, principal: Principal, start: str, role: Role | None, after: str | None, limit: int
    ) -> Page[User]:
        """List users, all or whose address or name begins with `start`."""
        require_admin(principal)
        return await self.roster.page(start, role, after, limit)

    async def show(self, principal: Principal, user_id: str) -> User:
        """Return one; raises `NotFound`."""
        require_admin(principal)
        return await self.roster.find(user_id)

    async def change(
        self,
        principal: Principal,
        user_id: str,
        role: Role | None = None,
        disabled: bool | None = None,
        name: str | None = None,
        customer: str | None = None,
    ) -> User:
        """Change what is given; raises as `Roster.change`, and `Conflict` for oneself."""
        require_admin(principal)
        away = role not in (None, Role.ADMIN) or disabled is True
        if user_id == principal.user and away:
            raise Conflict(YOURSELF)
        shown = None if name is None else clean_name(name)
        return await self.roster.change(
            user_id, role=role, disabled=disabled, name=shown, keep_one=True,
            customer=None if customer is None else clean_customer(customer),
        )  # fmt: skip

    async def create(
        self, principal: Principal, email: str, name: str, role: Role, password: str
    ) -> User:
        """Add a user with a password; raises as `add`."""
        require_admin(principal)
        return await self.add(email, name, role, password)

    async def invite(self, principal: Principal, email: str, role: Role) -> Invited:
        """Invite somebody who chooses the password; raises `Conflict` for a taken address."""
        return await self.inviting.invite(principal, email, role, None, None)

    async def add(self, email: str, name: str, role: Role, password: str) -> User:
        """Add a user, for who works at the machine.

        Raises `InvalidInput`, and `Conflict` for a taken address and where passwords are not used.
        """
        self.inviting.require_passwords()
        address, shown = clean_address(email), clean_name(name)
        hashed = await self.passwords.hash(password, (address, shown))
        user = self.roster.people.named(address, name=shown, password=hashed)
        return await self.roster.add(user.evolve(role=role))

    async def end_sessions(self, principal: Principal, user_id: str) -> None:
        """Sign a user out everywhere; raises `NotFound`."""
        require_admin(principal)
        await self.roster.end_sessions(user_id)
