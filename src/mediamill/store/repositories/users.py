"""Users, and the tokens by which they prove who they are."""

from collections.abc import Sequence
from enum import StrEnum

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Absent, Action, Page, Put, Store

SOUGHT = 100
"""Characters of an address or a name by which it is searched for."""
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
    indexes = (
        Index("user_role", partition=("role",), sort=("id",)),
        Index("user_sought", partition=("role",), sort=("sought", "id")),
        Index("user_named", partition=("role",), sort=("named", "id")),
    )

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
    epoch: int = 0
    """Counts how often all their sessions were ended; those of an earlier one are over."""
    tenure: int = 0
    """Counts how often all their API tokens were ended: those of an earlier one are over. So it is
    when the account comes to who had to show first that its address is theirs."""
    sought: str | None = None
    """Begins with what their address does, as it is searched for (`searchable`)."""
    named: str | None = None
    """The same of their name."""
    erasing: str | None = None
    """The erasure that has shut the account, which can be taken back for a while."""
    verified: int | None = None
    """When they showed that mails to their address reach them (ms); None: not yet."""
    verify_link: str = ""
    """Digest of the one link by which an address can be verified; empty for none."""
    reset_link: str = ""
    """Digest of the one link by which a new password can be set; empty for none."""
    factor: int | None = None
    """Since when a second factor is asked for when they sign in (ms); None: it is not."""
    customer: str = ""
    """Whom the installation bills for it, as `figures` name it; set by an administrator."""


def searchable(*, email: str | None = None, name: str | None = None) -> dict[str, str | None]:
    """Return the fields by which a user is found, for an address and a name that are set anew.

    What changes `email` or `name` sets these with it.
    """
    given = {"sought": email, "named": name}
    return {field: folded(one) for field, one in given.items() if one is not None}


def folded(text: str) -> str | None:
    """Return how the beginning of a text is searched for; None for none."""
    return text.casefold()[:SOUGHT] or None


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
    VERIFY = "verify"
    """Mailed to an address, so that its reader shows that it reaches them."""
    RESET = "reset"
    """Mailed to who has forgotten their password, good for setting one."""


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
    epoch: int = 0
    """Its user's when it was made, of an API token the tenure: once that has gone on, it is over.
    """
    scopes: tuple[str, ...] | None = None
    """What an API token may do (`core/access.py`); None: everything that its user may."""
    used: int | None = None
    """When it was last shown (ms), to some minutes; None: not since it was made."""
    agent: str = ""
    """What the program called itself that it was made for."""
    address: str = ""
    """The IP address that it was asked for from."""
    sent_to: str = ""
    """The mail address that a link was sent to."""
    confirmed: int | None = None
    """When who has a session last proved anew who they are (ms); None: not since they signed in."""


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

    async def roster(
        self, start: str, role: Role | None, after: str | None, limit: int
    ) -> Page[User]:
        """List users by role: all, or whose address, then whose name, begins with `start`.

        Who has both is listed once. The cursor says which of the listings comes next.
        """
        begin = folded(start)
        ways = ("user_sought", "user_named") if begin else ("user_role",)
        phases = [(one, way) for one in Role if role in (None, one) for way in ways]
        phase, cursor = _resumed(after, len(phases))
        found: list[User] = []
        while phase < len(phases) and len(found) < limit:
            one, way = phases[phase]
            page = await self.store.query(
                User,
                User.index(way),
                one,
                at_least=begin,
                at_most=begin and f"{begin}\U0010ffff",
                after=cursor,
                limit=limit - len(found),
            )
            twice = way == "user_named" and begin
            found += [u for u in page.rows if not (twice and (u.sought or "").startswith(twice))]
            cursor = page.after
            phase += cursor is None
        return Page(tuple(found), f"{phase}.{cursor or ''}" if phase < len(phases) else None)

    async def add(self, user: User, *others: Action) -> None:
        """Insert a user; raises `ConditionFailed` when the address, if any, is taken."""
        claim = Put(Email(email=user.email.lower(), user=user.id), when=(Absent(),))
        user = user.evolve(**searchable(email=user.email, name=user.name))
        await self.store.transact(*([claim] if user.email else []), Put(user), *others)

    async def token(self, digest: str) -> Token | None:
        return await self.store.get(Token, digest)

    async def token_by_id(self, user: str, kind: TokenKind, token_id: str) -> Token | None:
        """Find a user's token of a kind by its id; one that is very new may not be found yet."""
        index = Token.index("token_user")
        page = await self.store.query(
            Token, index, user, kind, at_least=token_id, at_most=token_id, limit=1
        )
        return page.rows[0] if page.rows else None

    async def tokens(
        self, user: str, kind: TokenKind, after: str | None = None, limit: int = 100
    ) -> Page[Token]:
        """List a user's tokens of one kind, newest first."""
        index = Token.index("token_user")
        return await self.store.query(
            Token, index, user, kind, after=after, limit=limit, descending=True
        )


def _resumed(after: str | None, phases: int) -> tuple[int, str | None]:
    """Read a cursor of `roster`; raises `ValueError` for what is none."""
    if after is None:
        return 0, None
    phase, _, cursor = after.partition(".")
    if not phase.isdecimal() or int(phase) >= phases:
        raise ValueError("not a cursor of this list")
    return int(phase), cursor or None
