"""Notifications: which mails a user wants, and what became of those about a job.

A mail's link turns them off without signing in: a signed grant for nothing but that (RFC 8058). It
ends them for the address, whose reader need not be who has the account: so the account does not
turn them on again, unless its owner, or an issuer, has verified that the address is theirs. The
link does.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed, Forbidden, Unavailable
from mediamill.services.access import Access
from mediamill.services.links.signing import Grant, Signer
from mediamill.store.port import Action, Exists, Update
from mediamill.store.repositories.identities import Identities
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.units import Unit, Units, UnitState
from mediamill.store.repositories.users import MailWhen, User, Users

log = structlog.get_logger(__name__)

METHOD, TARGET = "UNSUBSCRIBE", "mail"
LINK_DAYS = 400
"""How long a mail's link turns mails off: longer than one is kept unread."""
CHANNELS = ("mail",)
"""Kinds of units that tell a job's owner of its end."""


@dataclass(frozen=True)
class Delivery:
    """What became of telling somebody of one outcome of a job; times in milliseconds."""

    channel: str
    generation: int
    state: str
    """`waiting`, `sent` or `failed`."""
    attempts: int
    """Failed ones, and the one that was good."""
    error: str
    """Why the last one failed."""
    created: int
    finished: int | None


@dataclass
class Notifications:
    """Preferences, the links that end them, and deliveries."""

    access: Access
    users: Users
    mails: Mails
    identities: Identities
    units: Units
    signer: Signer
    public: str
    """The address that users see."""

    async def of(self, principal: Principal) -> User:
        """Return the caller's record, which holds what they want; raises `Forbidden`."""
        user = await self.users.get(principal.user)
        if user is None or user.disabled:
            raise Forbidden("This account is not active.")
        return user

    async def change(
        self, principal: Principal, finished: MailWhen | None, failed: MailWhen | None
    ) -> User:
        """Set what the caller wants; None leaves a choice as it is.

        Raises `Forbidden` where who reads the mails has ended them.
        """
        chosen = {"mail_finished": finished, "mail_failed": failed}
        changes = {name: when for name, when in chosen.items() if when is not None}
        if changes:
            on = any(when is not MailWhen.NEVER for when in changes.values())
            others = await self._allowing(await self.of(principal)) if on else ()
            await self._set(principal.user, changes, *others)
        return await self.of(principal)

    async def _allowing(self, user: User) -> Sequence[Action]:
        """Make what lifts an end of mails to a user's address; raises `Forbidden`."""
        if not await self.mails.unwanted(user.email):
            return ()
        if user.verified is not None:
            return (self.mails.allow(user.email),)
        known = await self.identities.of(user.id)
        if not any(one.email.lower() == user.email.lower() for one in known.rows):
            raise Forbidden(
                "Mails to this address were ended by the link in one. "
                "That link, “Unsubscribe” in any of them, turns them on again."
            )
        return (self.mails.allow(user.email),)

    async def unsubscribe_url(self, user: str) -> str:
        """Return the address at which a user wants no more mails."""
        expires = self.signer.clock.now() + LINK_DAYS * DAY
        token = await self.signer.issue(Grant(METHOD, TARGET, user, expires))
        return f"{self.public}/unsubscribe/{token}"

    async def subscriber(self, token: str) -> str:
        """Return whose mails a link turns off; raises `Forbidden` when it is not right."""
        return (await self.signer.opened(token, METHOD)).user

    async def unsubscribe(self, token: str) -> None:
        """Turn off the mails of whom a link was sent to; raises `Forbidden`. Again is harmless."""
        await self._by_link(token, MailWhen.NEVER)

    async def subscribe(self, token: str) -> None:
        """Turn them on again, as `unsubscribe` turned them off."""
        await self._by_link(token, MailWhen.ALWAYS)

    async def _by_link(self, token: str, when: MailWhen) -> None:
        user = await self.users.get(await self.subscriber(token))
        if user is None:
            return  # nobody is there any more, so nobody gets mails
        off = when is MailWhen.NEVER
        other = await self.mails.refuse(user.email) if off else self.mails.allow(user.email)
        with suppress(ConditionFailed):  # they have just gone
            await self._set(user.id, {"mail_finished": when, "mail_failed": when}, other)
        note("unsubscribed" if off else "subscribed", user.id)

    async def _set(self, user: str, changes: dict[str, MailWhen], *others: Action) -> None:
        own = Update(User, (user,), set=changes, when=(Exists(),))
        await self.users.store.transact(own, *others)

    async def deliveries(self, principal: Principal, job_id: str) -> Sequence[Delivery]:
        """List what became of telling the caller of a job's ends, the oldest first."""
        job = await self.access.load(principal, Job, job_id)
        return [
            _delivery(unit)
            for channel in CHANNELS
            async for unit in self.units.walk_group(f"{job.id}:{channel}")
        ]


def _delivery(unit: Unit) -> Delivery:
    sent = unit.state is UnitState.DONE and not unit.error
    state = "waiting" if unit.state.open else "sent" if sent else "failed"
    return Delivery(
        channel=unit.kind,
        generation=unit.seq,
        state=state,
        attempts=unit.attempts + (0 if unit.state.open else 1),
        error=unit.error.removeprefix(f"{Unavailable.__name__}: "),
        created=unit.created,
        finished=unit.finished,
    )
