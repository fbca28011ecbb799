"""Accounts: who somebody is, and how they prove it.

By a secret of ours (`sessions.py`), by a password (`passwords.py`), or by an issuer that knows them
(`federation.py`).
"""

import asyncio

import structlog

from mediamill.core.access import Principal
from mediamill.core.clock import DAY, MINUTE, Clock, rfc3339
from mediamill.core.errors import (
    ConditionFailed,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from mediamill.core.ids import made_at
from mediamill.services.accounts.federation import Federation, looks_signed
from mediamill.services.accounts.passwords import Passwords, clean_address, clean_name, invalid
from mediamill.services.accounts.people import People
from mediamill.services.accounts.sessions import Issued, Sessions
from mediamill.store.port import Delete, Exists, Page, Put, Update, unsettled
from mediamill.store.repositories.users import FIRST_USER, Email, Token, TokenKind, User, Users

LINK_MINUTES = 15
MAX_TOKEN_DAYS = 3650
LOOKS, BETWEEN_LOOKS = 10, 0.2
"""How often a token that is not listed yet is looked for, and seconds between."""
LOCAL_ADMIN = "admin@localhost"
NO_TOKENS = (
    "An access token of the issuer’s makes no API tokens, which would outlive it: sign in on the "
    "page, or use `mediamill login`."
)
REFUSED = "The address or the password is not right."

log = structlog.get_logger(__name__)


class Accounts:
    """Registration, sign-in, and tokens."""

    def __init__(
        self,
        users: Users,
        clock: Clock,
        registration: bool = True,
        passwords: Passwords | None = None,
        federation: Federation | None = None,
    ) -> None:
        self.users, self.clock, self.registration = users, clock, registration
        self.federation = federation
        self._passwords = passwords or Passwords()
        self._people, self._sessions = People(users, clock), Sessions(users, clock)

    # -- becoming and being somebody ------------------------------------------------------------

    async def register(self, email: str, password: str, name: str = "") -> User:
        """Add a user; the first of an installation becomes its administrator, where no group says.

        Raises `InvalidInput` naming the field, `Conflict` when the address is taken, `Forbidden`
        when the installation takes no registrations.
        """
        self._refuse_passwords()
        if not self.registration:
            raise Forbidden("Registration is closed here; ask the administrator for an account.")
        address, shown = clean_address(email), clean_name(name)
        hashed = await self._passwords.hash(password)
        user = self._people.named(address, name=shown, password=hashed)
        grouped = self.federation is not None and self.federation.issuer.appoints
        return await self._people.add(user, may_be_first=not grouped)

    async def login(self, email: str, password: str) -> Issued:
        """Open a session; raises `Unauthenticated`, in the same time whether the address exists."""
        self._refuse_passwords()
        user = await self._by_address(email)
        right, fresh = await self._passwords.verify(password, user.password if user else "")
        if user is None or not right or user.disabled:
            log.info("sign-in refused", action="sign_in_refused")
            raise Unauthenticated(REFUSED)
        if fresh:
            await self.users.store.transact(Update(User, (user.id,), set={"password": fresh}))
        return await self._sessions.open(user)

    async def authenticate(self, secret: str) -> Principal:
        """Tell whose session, API token, or issuer's access token this is.

        Raises `Unauthenticated`, and `Unavailable` when only the issuer could tell and is away.
        """
        if self.federation is not None and looks_signed(secret):
            return await self.federation.bearer(secret)
        token = await self._sessions.find(secret)
        if token is None or token.kind is TokenKind.SIGN_IN:
            raise Unauthenticated("Sign in first: this session or token is not valid (any more).")
        user = await self._people.active(token.user)
        session = token.kind is TokenKind.SESSION
        return Principal(
            user.id, user.role.value, token=token.id, session=session, expires=token.expires
        )

    async def acting(self, user_id: str) -> Principal:
        """Return the principal of an active user, for what acts in their name.

        Raises `Unauthenticated` when there is none, or is not active any more.
        """
        user = await self._people.active(user_id)
        return Principal(user=user.id, role=user.role.value)

    async def logout(self, principal: Principal) -> None:
        """End the session, or revoke the API token, that the caller showed."""
        if not principal.token:
            raise Conflict("This token is the issuer’s: it ends there, or when it expires.")
        await self.revoke_token(principal, principal.token)

    async def profile(self, principal: Principal) -> User:
        """Return the caller's own record."""
        return await self._people.active(principal.user)

    # -- the one-time link ----------------------------------------------------------------------

    async def sign_in_secret(self) -> str:
        """Make the secret of a one-time link that signs in as the installation's first user.

        Where there is none yet, the local administrator becomes it; it has no password. Raises
        `Unauthenticated` where that user is disabled.
        """
        claim = await self.users.store.get(Email, FIRST_USER)
        first = claim.user if claim else (await self._add_administrator()).id
        owner = (await self._people.active(first)).id
        issued = self._sessions.issue(owner, TokenKind.SIGN_IN, LINK_MINUTES * MINUTE)
        await self.users.store.transact(Put(issued.token))
        return issued.secret

    async def redeem(self, secret: str) -> Issued:
        """Open a session with a one-time secret, which is then spent; raises `Unauthenticated`."""
        refused = Unauthenticated("This sign-in link was used already, or is too old.")
        token = await self._sessions.find(secret)
        if token is None or token.kind is not TokenKind.SIGN_IN:
            raise refused
        user = await self._people.active(token.user)
        try:
            return await self._sessions.open(user, Delete(Token, (token.digest,), when=(Exists(),)))
        except ConditionFailed:
            raise refused from None

    # -- API tokens -----------------------------------------------------------------------------

    async def issue_token(
        self, principal: Principal, name: str, expires_in_days: int | None = None
    ) -> Issued:
        """Make an API token of the caller's; without days it is good until revoked.

        One that an API token makes lasts no longer than that. Raises `InvalidInput` when it is
        asked to, `Forbidden` for a caller who showed an issuer's token: it would last longer.
        """
        if not principal.session and not principal.token:
            raise Forbidden(NO_TOKENS)
        shown = clean_name(name)
        if not shown:
            raise invalid("name", "A token needs a name that tells what it is for.")
        if expires_in_days is not None and not 1 <= expires_in_days <= MAX_TOKEN_DAYS:
            raise invalid("expires_in_days", f"It lasts 1 to {MAX_TOKEN_DAYS} days.")
        lifetime = self._lifetime(principal, expires_in_days)
        issued = self._sessions.issue(principal.user, TokenKind.API, lifetime, shown)
        await self.users.store.transact(Put(issued.token))
        return issued

    async def tokens(
        self, principal: Principal, after: str | None = None, limit: int = 100
    ) -> Page[Token]:
        """List the caller's API tokens, newest first."""
        return await self.users.tokens(principal.user, TokenKind.API, after, limit)

    async def revoke_token(self, principal: Principal, token_id: str) -> None:
        """End a token or session of the caller's; raises `NotFound`.

        One that is so new that it is not listed yet is waited for, else `Unavailable`.
        """
        for _ in range(LOOKS):
            if token := await self._listed(principal.user, token_id):
                await self.users.store.transact(Delete(Token, (token.digest,)))
                return
            if not await unsettled(self.users.store, made_at(token_id)):
                raise NotFound(f"There is no token {token_id}.")
            await asyncio.sleep(BETWEEN_LOOKS)
        raise Unavailable("The token is so new that it is not found yet: try again in a moment.")

    async def _listed(self, user: str, token_id: str) -> Token | None:
        """Find a token or session of a user by its id."""
        index = Token.index("token_user")
        for kind in (TokenKind.SESSION, TokenKind.API):
            page = await self.users.store.query(
                Token, index, user, kind, at_least=token_id, at_most=token_id, limit=1
            )
            if page.rows:
                return page.rows[0]
        return None

    # -- inside ---------------------------------------------------------------------------------

    def _lifetime(self, principal: Principal, days: int | None) -> int | None:
        """Return how long (ms) a new token lasts; one of a token's ends with that at the latest."""
        wanted = days * DAY if days else None
        if principal.session or principal.expires is None:
            return wanted
        left = principal.expires - self.clock.now()
        if wanted is not None and wanted > left:
            until = rfc3339(principal.expires)
            raise invalid(
                "expires_in_days",
                f"The token that makes it is good until {until}, and so is what it makes, at most. "
                "Leave the days out for that, or sign in on the page for a longer one.",
            )
        return left if wanted is None else wanted

    def _refuse_passwords(self) -> None:
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
        try:
            return await self.users.by_email(clean_address(email))
        except InvalidInput:
            return None
