"""`catch_up`: write into users and jobs of earlier versions what this one finds and counts them by.

Users get what they are searched by, and count as verified where their issuer had said so; jobs that
failed get a place in the list of failures, and jobs that an earlier version ended count as open no
more.

All fields of an index that is new are written, those too that stay as they are: a store may keep a
row's place in it by halves, and would lack the one that nobody has written (adr/0028).
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mediamill.core.clock import MINUTE
from mediamill.core.errors import ConditionFailed
from mediamill.engine.lease import Lease
from mediamill.handlers.upgrading.twice import once_more
from mediamill.store.port import Equals, Store, Update
from mediamill.store.repositories.identities import Identities
from mediamill.store.repositories.jobs import Job, failing_as
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.users import Role, User, searchable

PAGE = 100


@dataclass
class CatchUp:
    """Walks all users, role by role, from a checkpoint on, and the jobs of each."""

    store: Store

    async def run(self, lease: Lease) -> None:
        payload, index = dict(lease.unit.payload), User.index("user_role")
        roles = [*Role]
        for place in range(int(payload.get("done", 0)), len(roles)):
            after: str | None = payload.pop("after", None)
            while True:
                page = await self.store.query(
                    User, index, roles[place], after=after, limit=PAGE
                )  # fmt: skip
                for user in page.rows:
                    await self.user(user)
                if (after := page.after) is None:
                    break
                await lease.write(payload={"done": place, "after": after})
            await lease.write(payload={"done": place + 1})
        await once_more(lease)

    async def user(self, user: User) -> None:
        """Make a user found by their address and name, and verified; see to their jobs."""
        names = ("email", "name", "role")
        same = tuple(Equals(name, getattr(user, name)) for name in names)
        wanted: dict[str, Any] = {**searchable(email=user.email, name=user.name), "role": user.role}
        if user.verified is None and await self._vouched(user):
            wanted["verified"] = await self.store.now()
        with suppress(ConditionFailed):  # another look
            await self.store.transact(Update(User, (user.id,), set=wanted, when=same))
        for index in ("job_listed", "job_trashed"):
            after: str | None = None
            while True:
                page = await self.store.query(
                    Job, Job.index(index), user.id, after=after, limit=PAGE
                )
                for job in page.rows:
                    await self.job(job)
                if (after := page.after) is None:
                    break

    async def _vouched(self, user: User) -> bool:
        """Tell whether an issuer that a user signs in by has said that the address is theirs."""
        linked = (await Identities(self.store).of(user.id)).rows
        return bool(user.email) and user.email in {one.email for one in linked}

    async def job(self, job: Job) -> None:
        """List a job among the failures if it is one; count it as open no more if it has ended."""
        await Usages(self.store).close(job)
        failing = failing_as(job.state)
        if failing and not job.failing:
            names = ("state", "generation", "finished")
            same = tuple(Equals(name, getattr(job, name)) for name in names)
            wanted = {"failing": failing, "finished": job.finished}
            with suppress(ConditionFailed):  # it runs again
                await self.store.transact(Update(Job, (job.id,), set=wanted, when=same))

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Go on later."""
        await lease.release(MINUTE, str(error))
