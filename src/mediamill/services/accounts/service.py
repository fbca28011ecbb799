"""Accounts: who somebody is, and how they prove it.

By a secret of ours (`sessions.py`; programs by one of `tokens.py`), by a password (`passwords.py`),
or by an issuer that knows them (`federation.py`).
"""

from collections.abc import Sequence
from contextlib import suppress

import structlog

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import MINUTE, Clock
from mediamill.core.errors import (
    AccountClosing,
    ConditionFailed,
    Conflict,
    Forbidden,
    InvalidInput,
    SecondFactorRequired,
    Unauthenticated,
)
from mediamill.services.accounts.addresses import Addresses
from mediamill.services.accounts.devices import Devices
from mediamill.services.accounts.factors.service import SecondFactors
from mediamill.services.accounts.federation import Federation, looks_signed
from mediamill.services.accounts.guessing import Guessing, signing_in
from mediamill.services.accounts.passwords import Passwords, clean_address, clean_name
from mediamill.services.accounts.people import People
from mediamill.services.accounts.scopes import role_with, scopes_of
from mediamill.services.accounts.sessions import Issued, Sessions
from mediamill.store.port import Delete, Equals, Exists, Put, Update
from mediamill.store.repositories.guesses import Guesses
from mediamill.store.repositories.users import FIRST_USER, Email, Token, TokenKind, User, Users

LINK_MINUTES = 15
KEPT_OUT = "{0} is kept out: `mediamill admin users enable {0}` lets them in again."
NO_ADMINISTRATOR = (
    "Nobody administers this any more: `mediamill admin users create EMAIL --role admin` adds who "
    "does, `mediamill admin users role EMAIL admin` takes somebody who is here."
)
LOCAL_ADMIN = "admin@localhost"
OVER = "Sign in first: this session or token is not valid (any more)."
REFUSED = "The address or the password is not right."
CLOSING = "This account is being deleted. Until that has begun you can take it back."

log = structlog.get_logger(__name__)


class Accounts:
    """Registration, sign-in, and whose a secret is."""

    def __init__(
        self,
        users: Users,
        clock: Clock,
        registration: bool = True,
        passwords: Passwords | None = None,
        federation: Federation | None = None,
        factors: SecondFactors | None = None,
        guessing: Guessing | None = None,
        devices: Devices | None = None,
        addresses: Addresses | None = None,
    ) -> None:
        self.users, self.clock, self.registration = users, clock, registration
        self.federation, self.factors = federation, factors
        self._passwords = passwords or Passwords()
        self._guessing = guessing or Guessing(Guesses(users.store), clock)
        self._devices, self._addresses = devices, addresses
        self._people, self._sessions = People(users, clock), Sessions(users, clock)

    # -- becoming and being somebody ------------------------------------------------------------

    async def register(self, email: str, password: str, name: str = "") -> User:
        """Add a user; the first of an installation becomes its administrator, where no group says.

        Raises `InvalidInput` naming the field, `Conflict` when the address is taken, `Forbidden`
        when the installation takes no registrations.
        """
        self.refuse_passwords()
        if not self.registration:
            raise Forbidden("Registration is closed here; ask the administrator for an account.")
        address, shown = clean_address(email), clean_name(name)
        hashed = await self._passwords.hash(password, (address, shown))
        user = self._people.named(address, name=shown, password=hashed)
        grouped = self.federation is not None and self.federation.issuer.appoints
        added = await self._people.add(user, may_be_first=not grouped)
        note("registered", added.id, actor=added.id, role=added.role.value)
        if self._addresses is not None:
            await self._addresses.registered(added)
        return added

    async def login(
        self, email: str, password: str, code: str = "", kept: Sequence[str] = ()
    ) -> Issued:
        """Open a session; raises as `prove`, and `AccountClosing` for who has begun to leave."""
        user = await self.prove(email, password, code, kept)
        if user.erasing:
            raise AccountClosing(CLOSING, erasure=user.erasing)
        return await self._sessions.open(user)

    async def prove(
        self, email: str, password: str, code: str = "", kept: Sequence[str] = ()
    ) -> User:
        """Return whose address and password these are, also while the account is being deleted.

        `kept` is what the browser kept from earlier sign-ins: a known one waits for nobody else who
        guesses. Raises `Unauthenticated`, in the same time whether the address exists, `Throttled`
        for who has guessed too often, and `SecondFactorRequired` where the password is right, and a
        code beside it is not.
        """
        self.refuse_passwords()
        address, user = _counted(email), await self._by_address(email)
        device = await self._devices.of(user, kept) if self._devices else ""
        async with self._guessing.trying(*signing_in(address, device)):
            right, fresh = await self._passwords.verify(password, user.password if user else "")
            if user is None or not right or (user.disabled and not user.erasing):
                note("sign_in_refused", user.id if user else None, denied=True)
                raise Unauthenticated(REFUSED)
            await self._second_factor(user, code, device)
        if fresh:
            same = (Equals("password", user.password),)
            with suppress(ConditionFailed):  # it was changed meanwhile, which ends this session
                renewed = Update(User, (user.id,), set={"password": fresh}, when=same)
                await self.users.store.transact(renewed)
        return user

    async def authenticate(self, secret: str) -> Principal:
        """Tell whose session, API token, or issuer's access token this is.

        Raises `Unauthenticated`, and `Unavailable` when only the issuer could tell and is away.
        """
        if self.federation is not None and looks_signed(secret):
            return await self.federation.bearer(secret)
        token = await self._sessions.find(secret)
        if token is None or token.kind not in (TokenKind.SESSION, TokenKind.API):
            raise Unauthenticated(OVER)
        user = await self._people.active(token.user)
        if self._sessions.over(token, user):  # or it was kept when all others were ended
            token = await self._sessions.find(secret)
            if token is None or self._sessions.over(token, user):
                raise Unauthenticated(OVER)
        await self._sessions.used(token)
        session, scopes = token.kind is TokenKind.SESSION, scopes_of(token.scopes)
        return Principal(
            user.id,
            role_with(user.role, scopes).value,
            token=token.id,
            session=session,
            expires=token.expires,
            confirmed=token.confirmed or token.created,
            lacks_factor=session and self.factors is not None and self.factors.lacks(user),
            scopes=scopes,
            unverified=self._addresses is not None and self._addresses.wanted(user),
            tenure=user.tenure,
        )

    async def acting(self, user_id: str) -> Principal:
        """Return the principal of an active user, for what acts in their name.

        Raises `Unauthenticated` when there is none, or is not active any more.
        """
        user = await self._people.active(user_id)
        return Principal(user=user.id, role=user.role.value, tenure=user.tenure)

    async def logout(self, principal: Principal, secret: str) -> None:
        """End the session, or revoke the API token, that the caller showed: `secret`."""
        if not principal.token:
            raise Conflict("This token is the issuer’s: it ends there, or when it expires.")
        await self._sessions.remove(await self._sessions.shown(principal, secret))

    async def profile(self, principal: Principal) -> User:
        """Return the caller's own record."""
        return await self._people.active(principal.user)

    # -- the one-time link ----------------------------------------------------------------------

    async def first_user(self) -> User:
        """Return the installation's first user, whatever their state.

        Where there is none yet, the local administrator becomes it; it has no password. Raises
        `Unauthenticated` where all who administered are erased.
        """
        claim = await self.users.store.get(Email, FIRST_USER)
        if claim is None:
            return await self._add_administrator()
        if (first := await self.users.get(claim.user)) is None:
            raise Unauthenticated(NO_ADMINISTRATOR)
        return first

    async def sign_in_secret(self, user: User | None = None) -> str:
        """Make the secret of a one-time link that signs in as a user, else as the first one.

        Raises `Unauthenticated` for who is disabled, and as `first_user`; it says to the operator
        what to do.
        """
        owner = user or await self.first_user()
        if owner.disabled:
            raise Unauthenticated(KEPT_OUT.format(owner.email or owner.id))
        lifetime = LINK_MINUTES * MINUTE
        issued = self._sessions.issue(owner.id, TokenKind.SIGN_IN, lifetime, epoch=owner.epoch)
        await self.users.store.transact(Put(issued.token))
        return issued.secret

    async def redeem(self, secret: str) -> Issued:
        """Open a session with a one-time secret, which is then spent; raises `Unauthenticated`."""
        refused = Unauthenticated("This sign-in link was used already, or is too old.")
        token = await self._sessions.find(secret)
        if token is None or token.kind is not TokenKind.SIGN_IN:
            raise refused
        user = await self._people.active(token.user)
        if self._sessions.over(token, user):
            raise refused
        try:
            return await self._sessions.open(user, Delete(Token, (token.digest,), when=(Exists(),)))
        except ConditionFailed:
            raise refused from None

    # -- inside ---------------------------------------------------------------------------------

    async def _second_factor(self, user: User, code: str, device: str) -> None:
        """Ask for the code of a user whose password is right; raises `SecondFactorRequired`."""
        if self.factors is None:
            return
        try:
            await self.factors.require(user, code, device)
        except SecondFactorRequired:
            if code:
                note("sign_in_refused", user.id, denied=True, by="second factor")
            else:
                note("second_factor_asked", user.id, denied=True)
            raise

    def refuse_passwords(self) -> None:
        """Raise `Forbidden` where only the issuer signs people in."""
        if self.federation is not None and not self.federation.issuer.passwords:
            raise Forbidden(
                f"Passwords are not used here: sign in with {self.federation.issuer.label} on the "
                "page. Programs show an API token: one makes it on the account page, and "
                "`mediamill login --token-stdin` takes it."
            )

    async def _add_administrator(self) -> User:
        user = self._people.named(LOCAL_ADMIN, name="Administrator")
        try:
            return await self._people.add(user)
        except Conflict:
            found = await self.users.by_email(LOCAL_ADMIN)
            if found is None:
                raise
            return found

    async def _by_address(self, email: str) -> User | None:
        """Find who has an address, with as many reads where nobody has."""
        try:
            user = await self.users.by_email(clean_address(email))
        except InvalidInput:
            return None
        if user is None:
            await self.users.get("user_nobody")
        return user


def _counted(email: str) -> str:
    """Return under what tries to sign in with an address are counted, be it one or not."""
    try:
        return clean_address(email)
    except InvalidInput:
        return email
