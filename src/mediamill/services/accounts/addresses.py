"""Mail addresses that people have shown to be theirs.

An address that somebody types may be anybody's. It is verified by opening a link that was mailed
there; a new one counts only then, and who reads the old one is told before and after.
"""

from typing import Any, Literal

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.errors import ConditionFailed, Conflict, Unauthenticated
from mediamill.handlers.telling.mailing import NOWHERE
from mediamill.letters.account import AccountNews
from mediamill.services.accounts.guessing import RESENT
from mediamill.services.accounts.mailed import SPENT, VERIFY, Mailed
from mediamill.services.accounts.passwords import clean_address
from mediamill.services.accounts.proving import Proving
from mediamill.store.port import Absent, Action, Delete, Equals, Put, Update
from mediamill.store.repositories.users import Email, Token, User, searchable

Verifying = Literal["auto", "off", "ask", "demand"]
"""Whether who registers is asked to verify their address, and whether they must."""

TAKEN = "There is an account with this address already."


class Addresses:
    """Verifies addresses, and changes them."""

    def __init__(self, proving: Proving, mailed: Mailed, verifying: Verifying = "off") -> None:
        self._proving, self._mailed, self._verifying = proving, mailed, verifying
        self._people, self._guessing = proving.people, proving.guessing
        self._clock = mailed.sessions.clock

    def wanted(self, user: User) -> bool:
        """Tell whether a user must verify their address before they may do anything."""
        domain = user.email.rpartition("@")[2].lower()
        reachable = bool(domain) and not f".{domain}".endswith(NOWHERE)
        return self._verifying == "demand" and user.verified is None and reachable

    async def registered(self, user: User) -> None:
        """Ask somebody new to verify their address, where that is wanted."""
        if self._verifying in ("ask", "demand"):
            await self._mailed.send(_asking(user))

    async def resend(self, principal: Principal) -> None:
        """Mail the caller another link; raises `Conflict` where none is needed, `Throttled`."""
        user = await self._people.active(principal.user)
        if user.verified is not None or not user.email:
            raise Conflict("There is no address of yours to verify.")
        await self._guessing.count([(RESENT, user.id)])
        await self._mailed.send(_asking(user))

    async def change(self, principal: Principal, email: str, password: str) -> None:
        """Ask who reads a new address to verify it, and tell who reads the old one.

        What is done here is the same for all addresses: who reads one that somebody has is told so.
        Raises `InvalidInput` about the field `email`, and as `Proving` does.
        """
        address = clean_address(email)
        user = await self._proving.prove(principal, password, "password")
        if address == user.email:
            return
        await self._guessing.count([(RESENT, user.id)])
        asked = _asking(user, "verify_new", address)
        told = AccountNews(letter="address_asked", to=user.id, address=user.email, about=address)
        await self._mailed.send(asked, *([told] if user.email else []))
        note("address_asked", user.id)

    async def verify(self, secret: str) -> None:
        """Take the address that a link was sent to for its user's; raises `Unauthenticated`.

        Raises `Conflict` where somebody else has a new address meanwhile.
        """
        token, user = await self._mailed.opened(secret, VERIFY)
        try:
            if token.sent_to == user.email:
                verified = self._verified(token, user, {})
                await self._mailed.users.store.transact(self._mailed.spending(token), verified)
                note("address_verified", user.id, actor=user.id)
            else:
                await self._move(token, user)
        except ConditionFailed as error:
            raise (Conflict(TAKEN) if error.action == 2 else Unauthenticated(SPENT)) from None

    async def _move(self, token: Token, user: User) -> None:
        """Give a user the address that they verified; who reads the old one sets no password."""
        old, new = user.email, token.sent_to
        gone = Delete(Email, (old.lower(),), when=(Equals("user", user.id),))
        claim = Put(Email(email=new.lower(), user=user.id), when=(Absent(),))
        verified = self._verified(token, user, {"reset_link": ""})
        freed = (gone,) if old else ()
        others: tuple[Action, ...] = (self._mailed.spending(token), verified, claim, *freed)
        told = AccountNews(letter="address_changed", to=user.id, address=old, about=new)
        await self._mailed.send(*([told] if old else []), others=others)
        note("address_changed", user.id, actor=user.id)

    def _verified(self, token: Token, user: User, more: dict[str, Any]) -> Update:
        address, now = token.sent_to, self._clock.now()
        fields = {"email": address, "verified": now, "verify_link": "", **more}
        fields |= searchable(email=address)
        same = tuple(Equals(one, getattr(user, one)) for one in ("verify_link", "email", "epoch"))
        return Update(User, (user.id,), set=fields, when=same)


def _asking(user: User, letter: str = "verify", address: str = "") -> AccountNews:
    """Make the news that bring a link; none comes once the password was changed."""
    return AccountNews(letter=letter, to=user.id, address=address, epoch=user.epoch)


def verifying(setting: Verifying, *, outside: bool) -> Verifying:
    """Return what `auto` stands for: to ask where mails go out to a server, else nothing."""
    if setting != "auto":
        return setting
    return "ask" if outside else "off"
