"""`mail`: tell an owner by mail how a job of theirs has ended, once an outcome.

Its row stays with the job and says what became of it: `error` is empty when the mail was sent.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mediamill.adapters.mail.port import Letter, Post
from mediamill.engine.gates import Gates
from mediamill.engine.lease import Lease
from mediamill.engine.outcomes import Outcome, outcome_of
from mediamill.engine.pausing import Pause
from mediamill.engine.retry import RetryPolicy
from mediamill.handlers.telling.mailing import AT_ONCE, PATIENCE, Mailing, mailable
from mediamill.letters.job import JobLetters
from mediamill.store.repositories.jobs import Job, Jobs, JobState
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.users import MailWhen, User, Users

MAILED = frozenset({JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED})
LONG_SECONDS = 60.0
"""What took longer is a long job."""


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
        if user is None or not (job.mail is True or wants(user, outcome)):
            return False
        return await mailable(self.mails, self.post, user)

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


@dataclass
class Mail(Mailing):
    """Sends mails about jobs; their rows stay with the job."""

    jobs: Jobs
    users: Users
    mails: Mails
    letters: JobLetters
    post: Post
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    policy: RetryPolicy = PATIENCE
    pause: Pause = field(default_factory=Pause)
    gates: Gates = field(default_factory=lambda: Gates(AT_ONCE))

    async def gone(self, unit: Unit) -> str:
        job = await self.jobs.get(unit.payload["job"])
        hidden = job is None or job.hidden
        return "The job was deleted before the mail was sent." if hidden else ""

    async def letter(self, unit: Unit, user: User) -> Letter:
        job, generation = await self.jobs.need(unit.payload["job"]), unit.payload["generation"]
        return await self.letters.write(user.email, job, outcome_of(unit, job), generation)

    async def end(self, lease: Lease, error: str) -> None:
        await lease.finish(error=error)
