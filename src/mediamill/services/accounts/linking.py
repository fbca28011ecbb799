"""Which user an issuer's person is: the one they were before, a new one, or one that links them.

An address that the issuer has verified never opens an account that has it already: whoever made
that account may not have been asked to prove that it is theirs. Who is signed in to it may link.
"""

from contextlib import suppress

import structlog

from mediamill.adapters.identity.port import Issuer, Person
from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import Clock
from mediamill.core.errors import (
    ConditionFailed,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
)
from mediamill.letters.account import AccountNews
from mediamill.services.accounts.mailed import Mailed
from mediamill.services.accounts.passwords import clean_address
from mediamill.services.accounts.people import People
from mediamill.services.accounts.roster import Roster
from mediamill.services.accounts.sessions import ENDED
from mediamill.store.port import Absent, Action, Check, Delete, Equals, Exists, Page, Put, Update
from mediamill.store.repositories.identities import Identities, Identity, identity_id
from mediamill.store.repositories.users import Email, Role, User, searchable

LAST_WAY = "This is your only way to sign in: set up another one first."

log = structlog.get_logger(__name__)


class Linking:
    """Finds, adds and removes identities of users."""

    def __init__(
        self, mailed: Mailed, identities: Identities, clock: Clock, issuer: Issuer | None,
        registration: bool = True,
    ) -> None:  # fmt: skip
        self._mailed, users = mailed, mailed.users
        self._users, self._identities, self._clock = users, identities, clock
        self._issuer, self._registration = issuer, registration
        self._people, self._roster = People(users, clock), Roster.over(users, clock)

    async def bearer(self, person: Person) -> tuple[User, Role]:
        """Return whose an access token is, and the role that it gives; adds who is new.

        Such a token changes nothing of a user who is there already.
        """
        identity, user = await self._known(person) or await self._join(person, may_be_first=False)
        if person.admin:
            return user, Role.ADMIN
        return user, Role.USER if identity.granted else user.role

    async def arrived(self, person: Person) -> User:
        """Return who signed in on the page; adds who is new, and takes over what has changed."""
        found = await self._known(person)
        if found is None:
            first = person.admin is not False
            return (await self._join(person, may_be_first=first))[1]
        identity, user = found
        user = await self._verified(identity, user, person)
        await self._take_over_address(identity, user, person)
        return await self._take_over_role(identity, user, person)

    async def link(self, principal: Principal, person: Person) -> None:
        """Make a person one of the caller's identities, and tell them by mail.

        Raises `Conflict` for another user's, `Unauthenticated` where the account has come to
        somebody else since the caller was asked who they are.
        """
        user = await self._people.active(principal.user)
        identity = self._identity(user, person)
        theirs = Check(User, (user.id,), when=(Equals("tenure", principal.tenure),))
        about = f"{identity.issuer} {identity.email}".strip()
        news = AccountNews(letter="identity_linked", to=user.id, about=about)
        try:
            await self._mailed.send(news, others=(theirs, Put(identity, when=(Absent(),))))
        except ConditionFailed as error:
            if error.action == 0:
                raise Unauthenticated(ENDED) from None
            found = await self._identities.get(identity.id)
            if found is None or found.user != user.id:
                message = "This sign-in belongs to another account: sign in with it, to see which."
                raise Conflict(message) from None
        else:
            note("identity_linked", user.id, identity=identity.id)

    async def of(self, principal: Principal, after: str | None, limit: int) -> Page[Identity]:
        """List the caller's identities."""
        return await self._identities.of(principal.user, after, limit)

    async def unlink(self, principal: Principal, identity: str) -> None:
        """Remove an identity of the caller's, and with it the role that its group gave.

        Raises `NotFound`, and `Conflict` for the last way in and for the last administrator.
        """
        found = await self._identities.get(identity)
        if found is None or found.user != principal.user:
            raise NotFound(f"There is no identity {identity}.")
        user = await self._people.active(principal.user)
        changes: list[Check | Delete | Update] = [Delete(Identity, (identity,), when=(Exists(),))]
        changes += await self._other_way(user, found)
        leaves = found.granted and user.role is Role.ADMIN
        if leaves:  # also a guard of the password, which it may leave as the only way
            same = (Equals("password", user.password), Equals("role", Role.ADMIN))
            changes = [each for each in changes if each.kind is Identity]
            changes.append(Update(User, (user.id,), set={"role": Role.USER}, when=same))
            changes.append(await self._roster.another(user))
        try:
            await self._users.store.transact(*changes)
        except ConditionFailed:
            raise Conflict("Your ways to sign in have just changed: look again.") from None
        note("identity_unlinked", user.id, identity=identity)
        if leaves:
            note("role_changed", user.id, role=Role.USER.value)

    # -- inside ---------------------------------------------------------------------------------

    async def _known(self, person: Person) -> tuple[Identity, User] | None:
        identity = await self._identities.find(person.issuer, person.subject)
        if identity is None:
            return None
        return identity, await self._people.active(identity.user)

    async def _join(self, person: Person, *, may_be_first: bool) -> tuple[Identity, User]:
        """Add a user who is this person."""
        if not self._registration:
            raise Forbidden("Registration is closed here; ask the administrator for an account.")
        user = self._people.named(_address(person), name=person.name)
        user = user.evolve(verified=self._clock.now() if user.email else None)
        if person.admin:
            user = user.evolve(role=Role.ADMIN)
        identity = self._identity(user, person, granted=bool(person.admin))
        try:
            added = await self._people.add(
                user, Put(identity, when=(Absent(),)), may_be_first=may_be_first
            )
        except ConditionFailed:  # another request of theirs was first
            found = await self._known(person)
            if found is None:
                raise
            return found
        except Conflict:
            raise Conflict(
                f"There is an account with the address {user.email} already. Sign in to it as "
                "you did before, then link this sign-in on your account page."
            ) from None
        note("identity_joined", user.id, actor=user.id, identity=identity.id)
        return identity, added

    def _identity(self, user: User, person: Person, *, granted: bool = False) -> Identity:
        return Identity(
            id=identity_id(person.issuer, person.subject),
            user=user.id,
            issuer=person.issuer,
            subject=person.subject,
            email=_address(person),
            name=person.name,
            granted=granted,
            created=self._clock.now(),
        )

    async def _verified(self, identity: Identity, user: User, person: Person) -> User:
        """Note that an address is verified: earlier versions took it from the issuer unsaid."""
        told = {identity.email, _address(person)}
        if user.verified is not None or not user.email or told != {user.email}:
            return user
        now = self._clock.now()
        same = tuple(Equals(one, getattr(user, one)) for one in ("email", "verified", "tenure"))
        with suppress(ConditionFailed):  # the account is coming to somebody: not by this
            await self._users.store.transact(
                Update(User, (user.id,), set={"verified": now}, when=same)
            )
            return user.evolve(verified=now)
        return user

    async def _take_over_role(self, identity: Identity, user: User, person: Person) -> User:
        """Give the role that the issuer's group gives, and take back only what it gave."""
        admin = bool(person.admin)
        if admin is identity.granted or (admin and user.role is Role.ADMIN):
            return user
        role = Role.ADMIN if admin else Role.USER
        await self._users.store.transact(
            Update(User, (user.id,), set={"role": role}),
            Update(Identity, (identity.id,), set={"granted": admin}),
        )
        if admin:
            await self._people.claim_first(user)
        note("role_changed", user.id, actor=user.id, role=role.value)
        return user.evolve(role=role)

    async def _take_over_address(self, identity: Identity, user: User, person: Person) -> None:
        """Follow an address that has changed at the issuer, where it is from there and free."""
        address = _address(person)
        if not address or address == identity.email:
            return
        told: list[Action] = [Update(Identity, (identity.id,), set={"email": address})]
        theirs: list[Action] = []
        if user.email == identity.email and not user.password:
            claim = Put(Email(email=address, user=user.id), when=(Absent(),))
            links = {"reset_link": "", "verify_link": ""}  # those that were sent to the old one
            now = {"email": address, "verified": self._clock.now(), **links}
            changed = Update(User, (user.id,), set=now | searchable(email=address))
            freed = [Delete(Email, (user.email,))] if user.email else []
            theirs = [claim, changed, *freed]
        try:
            await self._users.store.transact(*theirs, *told)
        except ConditionFailed:
            log.info("address taken", action="address_taken", user=user.id)

    async def _other_way(self, user: User, leaving: Identity) -> list[Check]:
        """Return guards that another way to sign in stays; raises `Conflict` if there is none."""
        if self._issuer is None or leaving.issuer != self._issuer.issuer:
            return []  # this one is no way in any more
        if user.password and self._issuer.passwords:
            return [Check(User, (user.id,), when=(Equals("password", user.password),))]
        page = await self._identities.of(user.id)
        for other in page.rows:
            if other.id != leaving.id and other.issuer == self._issuer.issuer:
                return [Check(Identity, (other.id,), when=(Equals("user", user.id),))]
        raise Conflict(LAST_WAY)


def _address(person: Person) -> str:
    try:
        return clean_address(person.email) if person.email else ""
    except InvalidInput:
        return ""
