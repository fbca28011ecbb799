"""`mail_invitation`: bring somebody the link by which they make an account."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mediamill.adapters.mail.port import Letter
from mediamill.handlers.telling.accounts import AccountMail, counter_of
from mediamill.letters.account import AccountNews
from mediamill.store.repositories.invitations import NAMED, Invitation, Invitations
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import User


@dataclass
class InvitationMail(AccountMail):
    """Sends invitations to addresses that have no account yet."""

    invitations: Invitations = field(kw_only=True)
    link: Callable[[Invitation], Awaitable[str]] = field(kw_only=True)
    """Returns the secret that the mail's link brings."""

    async def reader(self, unit: Unit) -> User | None:
        invitation = await self._invitation(unit)
        if invitation is None:
            return None
        return User(id=invitation.id, email=invitation.email, created=unit.created)

    def counter(self, unit: Unit, user: User) -> str:
        return counter_of(user.email)

    async def gone(self, unit: Unit) -> str:
        invitation = await self._invitation(unit)
        if invitation is None or invitation.accepted is not None:
            return "The invitation was accepted, or taken back."
        return ""

    async def letter(self, unit: Unit, user: User) -> Letter:
        invitation = await self._invitation(unit)
        secret = await self.link(invitation) if invitation is not None else ""
        news, key = AccountNews(letter="invitation"), unit.group.replace(":", ".")
        return self.letters.write(news, user.email, secret, key, unit.created)

    async def _invitation(self, unit: Unit) -> Invitation | None:
        return await self.invitations.get(unit.payload[NAMED])
