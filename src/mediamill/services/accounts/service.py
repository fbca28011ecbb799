"""Accounts: who somebody is, and the secrets by which they prove it.

Secrets are 256 random bits behind a prefix that says what they are: `mms_…` a session, `mmt_…` an
API token, `mml_…` a one-time sign-in link. Only their SHA-256 is stored, so a copy of the database
signs nobody in. Passwords are hashed with Argon2id, a bounded number at a time.
"""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass

import structlog

from mediamill.core.access import Principal
from mediamill.core.clock import DAY, MINUTE, Clock
from mediamill.core.errors import (
    ConditionFailed,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from mediamill.core.ids import made_at, new_id
from mediamill.services.accounts.passwords import Passwords, clean_address, clean_name, invalid
from mediamill.store.port import Absent, Delete, Exists, Page, Put, Update, unsettled
from mediamill.store.repositories.users import Email, Role, Token, TokenKind, User, Users

SESSION_DAYS = 14
LINK_MINUTES = 15
MAX_TOKEN_DAYS = 3650
LOOKS, BETWEEN_LOOKS = 10, 0.2
"""How often a token that is not listed yet is looked for, and seconds between."""
LOCAL_ADMIN = "admin@localhost"
FIRST_USER = "first-user"
"""Key of the claim that makes one user the installation's first; no address lacks the @."""

PREFIXES = {TokenKind.SESSION: "mms_", TokenKind.API: "mmt_", TokenKind.SIGN_IN: "mml_"}
REFUSED = "The address or the password is not right."

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Issued:
    """A new token and its secret, which is told this once."""

    secret: str
    token: Token


class Accounts:
    """Registration, sign-in, and tokens."""

    def __init__(
        self,
        users: Users,
        clock: Clock,
        registration: bool = True,
        passwords: Passwords | None = None,
    ) -> None:
        self.users, self.clock, self.registration = users, clock, registration
        self._passwords = passwords or Passwords()

    # -- becoming and being somebody ------------------------------------------------------------

    async def register(self, email: str, password: str, name: str = "") -> User:
        """Add a user; the first of an installation becomes its administrator.

        Raises `InvalidInput` naming the field, `Conflict` when the address is taken, `Forbidden`
        when the installation takes no registrations.
        """
        if not self.registration:
            raise Forbidden("Registration is closed here; ask the administrator for an account.")
        address, shown = clean_address(email), clean_name(name)
        hashed = await self._passwords.hash(password)
        return await self._add(address, name=shown, password=hashed)

    async def login(self, email: str, password: str) -> Issued:
        """Open a session; raises `Unauthenticated`, in the same time whether the address exists."""
        user = await self._by_address(email)
        right, fresh = await self._passwords.verify(password, user.password if user else "")
        if user is None or not right or user.disabled:
            log.info("sign-in refused", action="sign_in_refused")
            raise Unauthenticated(REFUSED)
        if fresh:
            await self.users.store.transact(Update(User, (user.id,), set={"password": fresh}))
        return await self._open_session(user)

    async def authenticate(self, secret: str) -> Principal:
        """Tell whose session or API token a secret is; raises `Unauthenticated`."""
        token = await self._token(secret)
        if token is None or token.kind is TokenKind.SIGN_IN or self._expired(token):
            raise Unauthenticated("Sign in first: this session or token is not valid (any more).")
        user = await self._active(token.user)
        return Principal(user=user.id, role=user.role.value, token=token.id)

    async def acting(self, user_id: str) -> Principal:
        """Return the principal of an active user, for what acts in their name.

        Raises `Unauthenticated` when there is none, or is not active any more.
        """
        user = await self._active(user_id)
        return Principal(user=user.id, role=user.role.value)

    async def logout(self, principal: Principal) -> None:
        """End the session, or revoke the API token, that the caller showed."""
        await self.revoke_token(principal, principal.token)

    async def profile(self, principal: Principal) -> User:
        """Return the caller's own record."""
        return await self._active(principal.user)

    # -- the one-time link ----------------------------------------------------------------------

    async def sign_in_secret(self) -> str:
        """Make the secret of a one-time link that signs in as the installation's first user.

        Where there is none yet, the local administrator becomes it; it has no password.
        """
        claim = await self.users.store.get(Email, FIRST_USER)
        owner = claim.user if claim else (await self._add_administrator()).id
        issued = self._issue(owner, TokenKind.SIGN_IN, LINK_MINUTES * MINUTE)
        await self.users.store.transact(Put(issued.token))
        return issued.secret

    async def redeem(self, secret: str) -> Issued:
        """Open a session with a one-time secret, which is then spent; raises `Unauthenticated`."""
        refused = Unauthenticated("This sign-in link was used already, or is too old.")
        token = await self._token(secret)
        if token is None or token.kind is not TokenKind.SIGN_IN or self._expired(token):
            raise refused
        user = await self._active(token.user)
        try:
            return await self._open_session(user, Delete(Token, (token.digest,), when=(Exists(),)))
        except ConditionFailed:
            raise refused from None

    # -- API tokens -----------------------------------------------------------------------------

    async def issue_token(
        self, principal: Principal, name: str, expires_in_days: int | None = None
    ) -> Issued:
        """Make an API token of the caller's; without days it is good until revoked."""
        shown = clean_name(name)
        if not shown:
            raise invalid("name", "A token needs a name that tells what it is for.")
        if expires_in_days is not None and not 1 <= expires_in_days <= MAX_TOKEN_DAYS:
            raise invalid("expires_in_days", f"It lasts 1 to {MAX_TOKEN_DAYS} days.")
        lifetime = expires_in_days * DAY if expires_in_days else None
        issued = self._issue(principal.user, TokenKind.API, lifetime, shown)
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

    async def _add(self, address: str, **details: str) -> User:
        """Insert a user, as administrator if nobody was first before."""
        user = User(id=new_id("user"), email=address, created=self.clock.now(), **details)  # type: ignore[arg-type]  # only text is given
        if await self.users.store.get(Email, FIRST_USER) is None:
            claim = Put(Email(email=FIRST_USER, user=user.id), when=(Absent(),))
            try:
                first = user.evolve(role=Role.ADMIN)
                await self.users.add(first, claim)
            except ConditionFailed as error:
                if error.action == 0:
                    raise _taken() from None
            else:
                return first
        try:
            await self.users.add(user)
        except ConditionFailed:
            raise _taken() from None
        return user

    async def _add_administrator(self) -> User:
        try:
            return await self._add(LOCAL_ADMIN, name="Administrator")
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

    async def _active(self, user_id: str) -> User:
        user = await self.users.get(user_id)
        if user is None or user.disabled:
            raise Unauthenticated("This account is not active.")
        return user

    async def _token(self, secret: str) -> Token | None:
        if not secret.isascii() or len(secret) > 100:
            return None
        return await self.users.token(digest(secret))

    def _expired(self, token: Token) -> bool:
        return token.expires is not None and token.expires <= self.clock.now()

    async def _open_session(self, user: User, *spending: Delete) -> Issued:
        issued = self._issue(user.id, TokenKind.SESSION, SESSION_DAYS * DAY)
        await self.users.store.transact(Put(issued.token), *spending)
        await self._forget_expired(user.id)
        log.info("signed in", action="signed_in", user=user.id, token=issued.token.id)
        return issued

    async def _forget_expired(self, user: str) -> None:
        """Remove some sessions that ran out, so that they do not pile up."""
        index = Token.index("token_user")
        page = await self.users.store.query(Token, index, user, TokenKind.SESSION, limit=50)
        if old := [Delete(Token, (token.digest,)) for token in page.rows if self._expired(token)]:
            await self.users.store.transact(*old)

    def _issue(self, user: str, kind: TokenKind, lifetime: int | None, name: str = "") -> Issued:
        secret = PREFIXES[kind] + secrets.token_urlsafe(32)
        now = self.clock.now()
        token = Token(
            digest=digest(secret),
            id=new_id("token"),
            user=user,
            kind=kind,
            name=name,
            created=now,
            expires=None if lifetime is None else now + lifetime,
        )
        return Issued(secret, token)


def digest(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _taken() -> Conflict:
    return Conflict("There is an account with this address already.")
