"""Users, and the tokens by which they prove who they are."""

from collections.abc import Sequence
from enum import StrEnum

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Absent, Action, Page, Put, Store

FIRST_USER = "first-user"
"""Key of the claim that makes one user the installation's first; no address lacks the @."""


class Role(StrEnum):
    USER = "user"
    ANALYST = "analyst"
    ADMIN = "admin"


class MailWhen(StrEnum):
    """When somebody wants a mail about the end of a job."""

    ALWAYS = "always"
    LONG = "long"
    """When it took longer than a minute."""
    NEVER = "never"


class User(Record, frozen=True, kw_only=True):
    """A person or program that owns things."""

    table = "users"
    key = Key("id")
    indexes = (Index("user_role", partition=("role",), sort=("id",)),)

    id: str
    email: str
    """Empty for who has none, as programs that an issuer knows."""
    name: str = ""
    password: str = ""
    """Argon2 hash; empty when no password can sign in."""
    role: Role = Role.USER
    disabled: bool = False
    mail_finished: MailWhen = MailWhen.ALWAYS
    """Mail for jobs of which something came."""
    mail_failed: MailWhen = MailWhen.ALWAYS
    """Mail for jobs of which something failed."""
    created: int


class Email(Record, frozen=True, kw_only=True):
    """Claims an address, in lower case, for one user: what makes addresses unique."""

    table = "emails"
    key = Key("email")

    email: str
    user: str


class TokenKind(StrEnum):
    SESSION = "session"
    API = "api"
    SIGN_IN = "sign_in"
    """Good for one sign-in, printed by `mediamill up`."""


class Token(Record, frozen=True, kw_only=True):
    """Proof of identity; only the SHA-256 of the secret is kept."""

    table = "tokens"
    key = Key("digest")
    indexes = (Index("token_user", partition=("user", "kind"), sort=("id",)),)

    digest: str
    id: str
    user: str
    kind: TokenKind
    name: str = ""
    created: int
    expires: int | None = None


class Users:
    """Reads and writes of users and their tokens."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, user_id: str) -> User | None:
        return await self.store.get(User, user_id)

    async def by_email(self, email: str) -> User | None:
        """Find a user by address, whatever its case."""
        claim = await self.store.get(Email, email.lower())
        return await self.get(claim.user) if claim else None

    async def administrators(self, limit: int = 100) -> Sequence[User]:
        """Return who runs the service, without those who are kept out, in the order of their ids.

        The first user is among them also where the store has them from before there was an index.
        """
        index, found = User.index("user_role"), dict[str, User]()
        for user in (await self.store.query(User, index, Role.ADMIN, limit=limit)).rows:
            found[user.id] = user
        claim = await self.store.get(Email, FIRST_USER)
        first = await self.get(claim.user) if claim else None
        if first is not None and first.role is Role.ADMIN:
            found[first.id] = first
        return [found[id_] for id_ in sorted(found) if not found[id_].disabled]

    async def add(self, user: User, *others: Action) -> None:
        """Insert a user; raises `ConditionFailed` when the address, if any, is taken."""
        claim = Put(Email(email=user.email.lower(), user=user.id), when=(Absent(),))
        await self.store.transact(*([claim] if user.email else []), Put(user), *others)

    async def token(self, digest: str) -> Token | None:
        return await self.store.get(Token, digest)

    async def tokens(
        self, user: str, kind: TokenKind, after: str | None = None, limit: int = 100
    ) -> Page[Token]:
        """List a user's tokens of one kind, newest first."""
        index = Token.index("token_user")
        return await self.store.query(
            Token, index, user, kind, after=after, limit=limit, descending=True
        )
