"""Signing in with an issuer: on the page by way of its own, in programs by its access tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mediamill.adapters.identity.port import Issuer
from mediamill.core.access import Principal
from mediamill.core.clock import Clock
from mediamill.core.errors import Forbidden, Unauthenticated
from mediamill.services.accounts.flows import Flow, Flows
from mediamill.services.accounts.linking import Linking
from mediamill.services.accounts.sessions import Issued, Sessions
from mediamill.store.repositories.users import Users


@dataclass(frozen=True)
class Begun:
    """A sign-in on its way: where the browser goes, and what it keeps under which name."""

    url: str
    state: str
    kept: str = field(repr=False)


@dataclass(frozen=True)
class Arrived:
    """What became of a sign-in: a session, or, where an identity was linked, none."""

    back: str
    issued: Issued | None


class Federation:
    """Sends people to the issuer, and knows them when they come back."""

    def __init__(
        self, issuer: Issuer, linking: Linking, users: Users, flows: Flows, clock: Clock
    ) -> None:
        self.issuer = issuer
        self._linking, self._flows, self._clock = linking, flows, clock
        self._sessions = Sessions(users, clock)

    async def begin(
        self, back: str, redirect_uri: str, principal: Principal | None = None
    ) -> Begun:
        """Begin a sign-in, or, for who is signed in, the linking of another identity.

        Raises `Unavailable`, and `Forbidden` for a program's token: it cannot gain a way in.
        """
        if principal is not None and not principal.session:
            raise Forbidden("Only who is signed in on the page can link another way to sign in.")
        who = (principal.user, principal.token) if principal else ("", "")
        challenge, kept = await self._flows.begin(redirect_uri, back, *who)
        return Begun(await self.issuer.begin(challenge), challenge.state, kept)

    async def finish(
        self,
        answer: Mapping[str, str],
        kept: str,
        redirect_uri: str,
        present: Principal | None = None,
    ) -> Arrived:
        """Take up a sign-in again where the issuer has sent the browser back.

        `kept` is what the browser kept, `present` who it is signed in as. Raises what the issuer's
        port says, `Conflict` for an address or an identity that is somebody else's.
        """
        flow, challenge = await self._flows.resume(kept, answer.get("state", ""), redirect_uri)
        if flow.user and (present is None or (present.user, present.token) != _of(flow)):
            raise Forbidden("You are signed in as somebody else by now: begin linking again.")
        person = await self.issuer.finish(answer, challenge, self._clock.now())
        if present is not None and flow.user:
            await self._linking.link(present, person)
            return Arrived(flow.back, None)
        return Arrived(flow.back, await self._sessions.open(await self._linking.arrived(person)))

    async def back(self, kept: str, state: str) -> str:
        """Return where somebody wanted to go who may begin anew; the first page if not known."""
        try:
            return (await self._flows.resume(kept, state, ""))[0].back
        except Unauthenticated:
            return "/"

    async def bearer(self, token: str) -> Principal:
        """Tell whose an issuer's access token is; raises `Unauthenticated`, `Unavailable`."""
        person = await self.issuer.bearer(token, self._clock.now())
        user, role = await self._linking.bearer(person)
        return Principal(user=user.id, role=role.value)


def _of(flow: Flow) -> tuple[str, str]:
    return flow.user, flow.session


def looks_signed(secret: str) -> bool:
    """Tell whether a text has the form of a signed token, rather than of one of our secrets."""
    return secret.count(".") == 2
