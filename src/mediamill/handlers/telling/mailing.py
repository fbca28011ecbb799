"""Sending one mail, whatever it is about, until it is taken or given up.

When the mail server is away, one mail at a time tries whether it is back, and the others wait
(`engine/pausing.py`); so that those who have other things to tell find a runner.

Who reads an address ends mails to it. Addresses are as their owners say until those have verified
them (`services/accounts/addresses.py`): till then an owner gets so many mails a day.
"""

import time
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any

import structlog

from mediamill.adapters.mail.port import Letter, Post
from mediamill.core.clock import DAY, MINUTE, SECOND
from mediamill.core.errors import DeliveryRefused, Unavailable
from mediamill.engine.gates import Gates
from mediamill.engine.lease import Lease
from mediamill.engine.pausing import Pause
from mediamill.engine.retry import RetryPolicy
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import User, Users

log = structlog.get_logger(__name__)

CHANNEL, AT_ONCE = "mail", 4
"""How many mails are sent at a time, over a connection each: providers take few."""
NOWHERE = ("localhost", ".localhost", ".invalid")
"""Ends of the domains to which no mail can go (RFC 6761)."""
PATIENCE = RetryPolicy(base_ms=5 * SECOND, cap_ms=5 * MINUTE, lasting_ms=3 * DAY)
TO = "to"
"""Where a unit names the user who gets the mail, if that is not its owner."""


class Mailing(ABC):
    """Sends mails of one kind; all kinds share the pause and the gates, as they do the server."""

    users: Users
    mails: Mails
    post: Post
    told: Counter[tuple[str, str]]
    policy: RetryPolicy
    pause: Pause
    gates: Gates

    @abstractmethod
    async def gone(self, unit: Unit) -> str:
        """Say why there is nothing to tell any more; empty while there is."""

    @abstractmethod
    async def letter(self, unit: Unit, user: User) -> Letter:
        """Write it."""

    @abstractmethod
    async def end(self, lease: Lease, error: str) -> None:
        """Close the unit; `error` is empty if the mail was sent."""

    async def reader(self, unit: Unit) -> User | None:
        """Return who gets it, with the address that it goes to."""
        return await self.users.get(unit.payload.get(TO, unit.owner))

    async def unwelcome(self, user: User) -> str:
        """Say why somebody gets no mails; empty where they do."""
        unwanted = await self.mails.unwanted(user.email)
        return "Who reads this address wants no mails." if unwanted else ""

    def counter(self, unit: Unit, user: User) -> str | None:
        """Return by what such mails are counted; None where there may be as many as there are."""
        return user.id if user.verified is None else None

    async def run(self, lease: Lease) -> None:
        unit = lease.unit
        user = await self.reader(unit)
        if why := await self.gone(unit):
            await self._drop(lease, why)
        elif user is None or user.disabled:
            await self._drop(lease, "The account is not active any more.")
        elif why := await self.unwelcome(user):
            await self._drop(lease, why)
        elif self.pause.on and await self._is_old(unit):
            await self.give_up(lease, Unavailable(self.pause.why))
        elif wait := self.pause.book():
            await lease.release(wait, self.pause.why, unit.cost, counted=False)
        elif wait := self.gates.enter(CHANNEL):
            await lease.release(wait, unit.error, unit.cost, counted=False)
        else:
            begun = time.monotonic()
            try:
                await self._counted(lease, user)
            finally:
                self.gates.leave(CHANNEL, time.monotonic() - begun)

    async def _is_old(self, unit: Unit) -> bool:
        """Tell whether it has been tried for as long as a mail is."""
        lasting = self.policy.lasting_ms
        return lasting is not None and await self.users.store.now() - unit.created >= lasting

    async def _counted(self, lease: Lease, user: User) -> None:
        """Send it unless its owner got too many lately; one that did not go out does not count."""
        tried, counter = self.pause.enter(), self.counter(lease.unit, user)
        period = None if counter is None else await self.mails.take(counter)
        if counter is not None and period is None:
            self.pause.leave()
            log.warning("mail dropped", action="mail_dropped", why=self.mails.over,
                        **_about(lease.unit))  # fmt: skip
            await self._drop(lease, self.mails.over)
            return
        try:
            await self._send(lease, user, tried)
        except Unavailable:
            if counter is not None and period is not None:
                await self.mails.give_back(counter, period)
            raise

    async def _send(self, lease: Lease, user: User, tried: float) -> None:
        letter = await self.letter(lease.unit, user)
        try:
            await self.post.send(letter)
        except DeliveryRefused:
            self.pause.end()  # it is there, and answers
            raise
        except Unavailable as error:
            if error.details.get("recipient"):
                self.pause.end()
            else:
                self.pause.begin(str(error), tried)
            self.told[CHANNEL, "postponed"] += 1
            raise
        self.pause.end()
        await self.end(lease, "")
        self.told[CHANNEL, "sent"] += 1
        log.info("mail sent", action="mail_sent", **_about(lease.unit))

    async def _drop(self, lease: Lease, why: str) -> None:
        await self.end(lease, why)
        self.told[CHANNEL, "dropped"] += 1

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Close it; of a job the page and the API say that the mail was not sent, and why."""
        refused = isinstance(error, DeliveryRefused)
        await self.end(lease, str(error)[:500] or type(error).__name__)
        self.told[CHANNEL, "refused" if refused else "given_up"] += 1
        log.error("mail given up", action="mail_given_up", error=str(error), **_about(lease.unit))


async def mailable(mails: Mails, post: Post, user: User) -> bool:
    """Tell whether a user's address is one to which mails may and can go."""
    somewhere = leads_somewhere(post, user.email)
    return somewhere and not user.disabled and not await mails.unwanted(user.email)


def leads_somewhere(post: Post, address: str) -> bool:
    """Tell whether mails to an address can go out at all."""
    domain = address.rpartition("@")[2].lower()
    return bool(domain) and (post.anywhere or not f".{domain}".endswith(NOWHERE))


def _about(unit: Unit) -> dict[str, Any]:
    named: dict[str, Any] = {
        name: unit.payload[name] for name in ("job", "budget") if name in unit.payload
    }
    return {**named, "owner": unit.payload.get(TO, unit.owner), "attempts": unit.attempts + 1}
