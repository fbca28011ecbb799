"""The walk that removes all that is kept about somebody, once the time to take it back is over.

Each step does what can be done now and is harmless when it is done again, so that whoever dies
within it is followed by another. What has bytes goes by the purges that deletion and retention
have, which wait for jobs; files go as expired ones do, with all that was made of them, in others'
jobs and versions too. What is left are rows, and they go last.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal
from mediamill.core.clock import MINUTE
from mediamill.core.errors import ConditionFailed, NotFound
from mediamill.core.records import R, Record
from mediamill.handlers.removing.retain import hiding, taking, waiting
from mediamill.services.jobs.trash import JobTrash
from mediamill.services.privacy.finding import Who
from mediamill.services.privacy.inventory import (
    HOLDINGS,
    Goes,
    files,
    holding,
    jobs,
    origins,
    projects,
    queued,
    templates,
    uploads,
    webhooks,
)
from mediamill.services.privacy.nameless import Nameless, pseudonym
from mediamill.services.projects.service import ProjectService
from mediamill.services.templates.service import TemplateService
from mediamill.services.webhooks.service import WebhookService
from mediamill.store.port import MAX_ACTIONS, Delete, Equals, Put, Store, Update
from mediamill.store.repositories.audit import NOBODY
from mediamill.store.repositories.units import Unit, Units, UnitState
from mediamill.store.repositories.uploads import UploadRows
from mediamill.store.repositories.users import FIRST_USER, Email, Token, User, Users

log = structlog.get_logger(__name__)

PURGES = frozenset({
    "purge_file", "purge_job", "purge_project", "purge_version", "purge_webhook", "purge_dataset",
    "expire_file", "expire_job", "expire_origin", "expire_upload",
})  # fmt: skip
"""Kinds of units that remove something: they are not to wait for a day to be over."""
TELLING = frozenset({
    "mail", "mail_budget", "mail_webhook", "mail_account", "mail_quota", "mail_invitation",
    "mail_feedback", "budget", "quota", "publish", "announce", "deliver", "replay", "arrived",
})  # fmt: skip
"""Kinds that tell somebody something, or begin something: nothing waits for them."""
SOON_MS = MINUTE
"""What is due within this time is not hurried: it waits for something else."""


@dataclass
class Erasing:
    """Removes users."""

    store: Store
    users: Users
    units: Units
    rows: UploadRows
    job_trash: JobTrash
    projects: ProjectService
    templates: TemplateService
    webhooks: WebhookService
    blobs: tuple[Blobs, ...]
    bell: Doorbell

    async def count(self, user: str, email: str) -> dict[str, int]:
        """Count the rows that there are of somebody, by table."""
        who, found = Who(user, email), dict[str, int]()
        for one in HOLDINGS:
            keys = {row.key_values() async for row in one.find(self.store, who)}
            if keys and not one.untold:
                found[one.kind.table] = len(keys)
        return dict(sorted(found.items()))

    async def step(self, user: str, email: str, erasure: str) -> bool:
        """Do what can be done now; True when nothing is left but the rows of `finish`."""
        who = Who(user, email)
        nameless = Nameless(self.store, who, pseudonym(erasure))
        await self.sign_out(who)
        begun = [
            await self._delete(webhooks, who, nameless, self._webhook),
            await self._delete(uploads, who, nameless, self._upload),
            await self._delete(jobs, who, nameless, self._job),
            await self._delete(projects, who, nameless, self._project),
            await self._delete(templates, who, nameless, self._template),
            await self._delete(files, who, nameless, self._file),
            await self._delete(origins, who, nameless, self._origin),
        ]
        left = await self._hurry(who, ended=not any(begun))
        if any(begun) or left:
            await self.bell.ring("work:housekeeping")
        return not any(begun) and not left

    async def finish(self, user: str, email: str, erasure: str) -> None:
        """Remove the rows that nothing else removes, those by which somebody is known last."""
        who = Who(user, email)
        await Nameless(self.store, who, pseudonym(erasure)).all()
        for one in HOLDINGS:
            if one.goes is Goes.REMOVED and one.kind not in (User, Email):
                rows = [row async for row in one.find(self.store, who)]
                if one.blobs is not None:
                    await self._remove_blobs({one.blobs(row) for row in rows})
                await self._remove(rows)
        await self._pass_on(who)
        await self._remove([row async for row in self._of(Email, who)])
        await self._remove([row async for row in self._of(User, who)])

    async def sign_out(self, who: Who) -> None:
        """Shut an account: nobody is signed in to it, and no token of it is good."""
        with suppress(ConditionFailed):  # it is gone already
            shut = Update(User, (who.id,), set={"disabled": True}, add={"epoch": 1},
                          when=(Equals("disabled", False),))  # fmt: skip
            await self.store.transact(shut)
        await self._remove([row async for row in self._of(Token, who)])

    # -- what has bytes -----------------------------------------------------------------------

    async def _delete(
        self,
        find: Callable[[Store, Who], AsyncIterator[Any]],
        who: Who,
        nameless: Nameless,
        delete: Callable[[Any], Awaitable[None]],
    ) -> bool:
        """Have all rows of a kind removed; tell whether there was one."""
        found = [row async for row in find(self.store, who)]
        for row in found:
            await nameless.acts_about(row.id)
            with suppress(ConditionFailed, NotFound):  # it changed, or is going: look again
                await delete(row)
        return bool(found)

    async def _webhook(self, row: Any) -> None:
        await self.webhooks.delete(Principal(row.owner), row.id)

    async def _job(self, row: Any) -> None:
        if not row.hidden:  # else its purge is there, and is hurried
            await self.job_trash.delete(Principal(row.owner), row.id, now=True)

    async def _project(self, row: Any) -> None:
        if not row.hidden:
            await self.projects.delete(Principal(row.owner), row.id, now=True)

    async def _template(self, row: Any) -> None:
        await self.templates.delete(Principal(row.owner), row.id)

    async def _upload(self, row: Any) -> None:
        if not row.hidden:
            await self.rows.end(row)

    async def _file(self, row: Any) -> None:
        """Hide a file as one that has expired, so that all that was made of it goes too."""
        if waiting(row):
            change, unit = hiding(row, await self.store.now())
            await self.units.insert([unit], change)

    async def _origin(self, row: Any) -> None:
        if row.expired is None:
            change, unit = taking(row, await self.store.now())
            await self.units.insert([unit], change)

    # -- what is still to be done ---------------------------------------------------------------

    async def _hurry(self, who: Who, *, ended: bool) -> int:
        """Have what removes something run now; return how many units there are still.

        What tells somebody something goes. Once nothing is there that others may belong to
        (`ended`, and no purge is left), neither have these anything to do.
        """
        units = [unit async for unit in queued(self.store, who)]
        over = ended and not any(unit.kind in PURGES for unit in units)
        for unit in units:
            if unit.state is UnitState.READY:
                with suppress(ConditionFailed):  # somebody has claimed it just now
                    await self._settle(unit, gone=over or unit.kind in TELLING)
        return len(units)

    async def _settle(self, unit: Unit, *, gone: bool) -> None:
        same = (Equals("state", unit.state), Equals("fence", unit.fence))
        now = await self.store.now()
        if gone:
            await self.store.transact(Delete(Unit, unit.key_values(), when=same))
        elif unit.kind in PURGES and (unit.due or 0) > now + SOON_MS:
            soon = Update(Unit, unit.key_values(), set={"due": now}, when=same)
            await self.units.commit(soon, wake=(unit.klass, unit.owner))

    def _of(self, kind: type[R], who: Who) -> AsyncIterator[R]:
        return holding(kind).find(self.store, who)

    async def _remove_blobs(self, beginnings: set[str]) -> None:
        for blobs in self.blobs:
            for beginning in beginnings:
                async for blob in blobs.list(beginning):
                    await blobs.delete(blob.key)

    # -- rows -----------------------------------------------------------------------------------

    async def _remove(self, rows: list[Record]) -> None:
        for start in range(0, len(rows), MAX_ACTIONS):
            some = {row.key_values(): row for row in rows[start : start + MAX_ACTIONS]}
            await self.store.transact(*(Delete(type(r), key) for key, r in some.items()))

    async def _pass_on(self, who: Who) -> None:
        """Have another administrator be the first user: without one, who registers next would be.

        Where there is none any more it is nobody, until one is made at the machine itself.
        """
        claim = await self.store.get(Email, FIRST_USER)
        if claim is None or claim.user != who.id:
            return
        others = [one.id for one in await self.users.administrators() if one.id != who.id]
        same = (Equals("user", who.id),)
        heir = claim.evolve(user=others[0] if others else NOBODY)
        with suppress(ConditionFailed):  # another walk has passed it on
            await self.store.transact(Put(heir, when=same))
