"""Notifications: which mails a user wants, and what became of those about a job.

A mail's link turns them off without signing in: a signed grant for nothing but that (RFC 8058).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mediamill.core.access import Principal
from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed, Forbidden, Unavailable
from mediamill.services.access import Access
from mediamill.services.links.signing import Grant, Signer
from mediamill.store.port import Exists, Update
from mediamill.store.repositories.jobs import Job
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
        """Set what the caller wants; None leaves a choice as it is."""
        chosen = {"mail_finished": finished, "mail_failed": failed}
        changes = {name: when for name, when in chosen.items() if when is not None}
        if changes:
            await self._set(principal.user, changes)
        return await self.of(principal)

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
        user = await self.subscriber(token)
        try:
            await self._set(user, {"mail_finished": MailWhen.NEVER, "mail_failed": MailWhen.NEVER})
        except ConditionFailed:
            return  # nobody is there any more, so nobody gets mails
        log.info("mails turned off", action="unsubscribed", user=user)

    async def _set(self, user: str, changes: dict[str, MailWhen]) -> None:
        await self.users.store.transact(Update(User, (user,), set=changes, when=(Exists(),)))

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
