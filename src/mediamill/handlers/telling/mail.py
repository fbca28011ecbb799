"""`mail`: tell an owner by mail how a job of theirs has ended, once an outcome.

Its row stays with the job and says what became of it: `error` is empty when the mail was sent. When
the mail server is away, one mail at a time tries whether it is back, and the others wait
(`engine/pausing.py`); so that those who have other things to tell find a runner.

Addresses are as their owners say: who reads one ends mails to it, and an owner gets so many a day.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from mediamill.adapters.mail.port import Post
from mediamill.core.clock import DAY, MINUTE, SECOND
from mediamill.core.errors import DeliveryRefused, Unavailable
from mediamill.engine.gates import Gates
from mediamill.engine.lease import Lease
from mediamill.engine.outcomes import Outcome, outcome_of
from mediamill.engine.pausing import Pause
from mediamill.engine.retry import RetryPolicy
from mediamill.letters.job import JobLetters
from mediamill.store.repositories.jobs import Job, Jobs, JobState
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.users import MailWhen, User, Users

log = structlog.get_logger(__name__)

MAILED = frozenset({JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED})
CHANNEL, AT_ONCE = "mail", 4
"""How many mails are sent at a time, over a connection each: providers take few."""
LONG_SECONDS = 60.0
"""What took longer is a long job."""
NOWHERE = ("localhost", ".localhost", ".invalid")
"""Ends of the domains to which no mail can go (RFC 6761)."""
PATIENCE = RetryPolicy(base_ms=5 * SECOND, cap_ms=5 * MINUTE, lasting_ms=3 * DAY)


@dataclass
class MailChannel:
    """Says whether an outcome is mailed to the job's owner."""

    jobs: Jobs
    units_of: Units
    users: Users
    mails: Mails
    post: Post

    async def units(self, notice: Unit, now: int) -> Sequence[Unit]:
        if "generation" not in notice.payload:
            return ()
        job = await self.jobs.get(notice.payload["job"])
        if job is None or job.hidden:
            return ()
        outcome = outcome_of(notice, job)
        outcome = msgspec.structs.replace(outcome, begun=await self._begun(job, notice, outcome))
        if not await self._wanted(job, outcome):
            return ()
        generation = notice.payload["generation"]
        told: dict[str, Any] = {
            "job": job.id,
            "generation": generation,
            "outcome": msgspec.to_builtins(outcome),
        }
        group = f"{job.id}:mail"
        return [Unit.notice("mail", group, generation, job.owner, now=now, **told)]

    async def _wanted(self, job: Job, outcome: Outcome) -> bool:
        if outcome.state not in MAILED or job.mail is False:
            return False
        user = await self.users.get(job.owner)
        if user is None or user.disabled or not may_reach(self.post, user.email):
            return False
        if not (job.mail is True or wants(user, outcome)):
            return False
        return not await self.mails.unwanted(user.email)

    async def _begun(self, job: Job, notice: Unit, outcome: Outcome) -> int:
        """Return when the generation was asked for (ms): of a later one, when it was opened."""
        if outcome.begun is not None:
            return outcome.begun
        first = notice.payload["generation"] * job.stages
        opened = await self.units_of.of_group(f"{job.id}:expand", first, limit=1)
        return opened[0].created if opened else job.created


def wants(user: User, outcome: Outcome) -> bool:
    """Tell whether a user wants a mail about an outcome; one in part is of both kinds."""
    choices = []
    if outcome.state is not JobState.FAILED:
        choices.append(user.mail_finished)
    if outcome.state is not JobState.SUCCEEDED:
        choices.append(user.mail_failed)
    long = outcome.seconds > LONG_SECONDS
    return any(one is MailWhen.ALWAYS or (one is MailWhen.LONG and long) for one in choices)


def may_reach(post: Post, address: str) -> bool:
    """Tell whether an address is one to which mail can go."""
    domain = address.rpartition("@")[2].lower()
    return bool(domain) and (post.anywhere or not f".{domain}".endswith(NOWHERE))


@dataclass
class Mail:
    """Sends mails."""

    jobs: Jobs
    users: Users
    mails: Mails
    letters: JobLetters
    post: Post
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    policy: RetryPolicy = PATIENCE
    pause: Pause = field(default_factory=Pause)
    gates: Gates = field(default_factory=lambda: Gates(AT_ONCE))

    async def run(self, lease: Lease) -> None:
        unit = lease.unit
        job = await self.jobs.get(unit.payload["job"])
        user = await self.users.get(unit.owner)
        if job is None or job.hidden:
            await self._drop(lease, "The job was deleted before the mail was sent.")
        elif user is None or user.disabled:
            await self._drop(lease, "The account is not active any more.")
        elif await self.mails.unwanted(user.email):
            await self._drop(lease, "Who reads this address wants no mails.")
        elif self.pause.on and await self._is_old(unit):
            await self.give_up(lease, Unavailable(self.pause.why))
        elif wait := self.pause.book():
            await lease.release(wait, self.pause.why, unit.cost, counted=False)
        elif wait := self.gates.enter(CHANNEL):
            await lease.release(wait, unit.error, unit.cost, counted=False)
        else:
            begun = time.monotonic()
            try:
                await self._counted(lease, job, user)
            finally:
                self.gates.leave(CHANNEL, time.monotonic() - begun)

    async def _is_old(self, unit: Unit) -> bool:
        """Tell whether it has been tried for as long as a mail is."""
        lasting = self.policy.lasting_ms
        return lasting is not None and await self.jobs.store.now() - unit.created >= lasting

    async def _counted(self, lease: Lease, job: Job, user: User) -> None:
        """Send it unless its owner got too many today; one that did not go out does not count."""
        tried = self.pause.enter()
        day = await self.mails.take(user.id)
        if day is None:
            self.pause.leave()
            await self._drop(lease, f"Nobody gets more than {self.mails.most:,} mails in a day.")
            return
        try:
            await self._send(lease, job, user, tried)
        except Unavailable:
            await self.mails.give_back(user.id, day)
            raise

    async def _send(self, lease: Lease, job: Job, user: User, tried: float) -> None:
        unit = lease.unit
        outcome, generation = outcome_of(unit, job), unit.payload["generation"]
        letter = await self.letters.write(user.email, job, outcome, generation)
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
        await lease.finish(error="")
        self.told[CHANNEL, "sent"] += 1
        log.info("mail sent", action="mail_sent", **_about(unit))

    async def _drop(self, lease: Lease, why: str) -> None:
        await lease.finish(error=why)
        self.told[CHANNEL, "dropped"] += 1

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Close it; the job's page and its API say that the mail was not sent, and why."""
        refused = isinstance(error, DeliveryRefused)
        await lease.finish(error=str(error)[:500] or type(error).__name__)
        self.told[CHANNEL, "refused" if refused else "given_up"] += 1
        log.error("mail given up", action="mail_given_up", error=str(error), **_about(lease.unit))


def _about(unit: Unit) -> dict[str, Any]:
    return {"job": unit.payload["job"], "owner": unit.owner, "attempts": unit.attempts + 1}
