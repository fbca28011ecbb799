"""The walk that removes all that is kept about somebody, once the time to take it back is over.

Each step does what can be done now and is harmless when it is done again, so that whoever dies
within it is followed by another. What has bytes goes by the purges that deletion and retention
have, which wait for jobs; files go as expired ones do, with all that was made of them, in others'
jobs and versions too. What is left are rows, and they go last; by those that say where the user was
a guest it is looked once more, so these stay until then.

Nothing is held in memory but a page of rows, however many there are.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal
from mediamill.core.clock import MINUTE
from mediamill.core.errors import ConditionFailed, NotFound
from mediamill.core.records import Record
from mediamill.handlers.removing.retain import hiding, taking, waiting
from mediamill.services.jobs.trash import JobTrash
from mediamill.services.privacy.finding import Who
from mediamill.services.privacy.inventory import (
    HOLDINGS,
    Goes,
    Holding,
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
from mediamill.services.privacy.nameless import VISITS, Nameless, pseudonym
from mediamill.services.projects.service import ProjectService
from mediamill.services.templates.service import TemplateService
from mediamill.services.webhooks.service import WebhookService
from mediamill.store.port import MAX_ACTIONS, Delete, Equals, Put, Store, Update
from mediamill.store.repositories.audit import NOBODY
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.retention import Origin
from mediamill.store.repositories.units import Unit, Units, UnitState
from mediamill.store.repositories.uploads import Upload, UploadRows
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
            if not one.untold:
                found[one.kind.table] = 0
                async for _ in one.find(self.store, who):
                    found[one.kind.table] += 1
        return {table: rows for table, rows in sorted(found.items()) if rows}

    async def step(self, user: str, email: str, erasure: str, *, first: bool) -> bool:
        """Do what can be done now; True when nothing is left but the rows of `finish`.

        The `first` step sees to the acts about everything; later ones to those about what they
        find that is not on its way out yet.
        """
        who = Who(user, email)
        nameless = Nameless(self.store, who, pseudonym(erasure))
        await self.sign_out(who)
        begun = False
        for find, delete in (
            (webhooks, self._webhook), (uploads, self._upload), (jobs, self._job),
            (projects, self._project), (templates, self._template), (files, self._file),
            (origins, self._origin),
        ):  # fmt: skip
            async for row in find(self.store, who):
                begun = True
                if first or not _going(row):
                    await nameless.acts_about(row.id)
                if not _going(row):
                    with suppress(ConditionFailed, NotFound):  # it changed, or goes: look again
                        await delete(row)
        if await self._hurry(who, ended=not begun) or begun:
            await self.bell.ring("work:housekeeping")
            return False
        return not await nameless.working()

    async def finish(self, user: str, email: str, erasure: str, *, last: bool) -> None:
        """Remove the rows that nothing else removes, those by which somebody is known last.

        What says where they were a guest goes in the `last` look alone.
        """
        who = Who(user, email)
        await Nameless(self.store, who, pseudonym(erasure)).all()
        stays = {User, Email} if last else {User, Email, *VISITS}
        for one in HOLDINGS:
            if one.goes is Goes.REMOVED and one.kind not in stays:
                await self._remove(one, who)
        await self._pass_on(who)
        for kind in (Email, User):
            await self._remove(holding(kind), who)

    async def sign_out(self, who: Who) -> None:
        """Shut an account: nobody is signed in to it, and no token of it is good."""
        with suppress(ConditionFailed):  # it is gone already
            shut = Update(User, (who.id,), set={"disabled": True}, add={"epoch": 1},
                          when=(Equals("disabled", False),))  # fmt: skip
            await self.store.transact(shut)
        await self._remove(holding(Token), who)

    # -- what has bytes -----------------------------------------------------------------------

    async def _webhook(self, row: Any) -> None:
        await self.webhooks.delete(Principal(row.owner), row.id)

    async def _job(self, row: Any) -> None:
        await self.job_trash.delete(Principal(row.owner), row.id, now=True)

    async def _project(self, row: Any) -> None:
        await self.projects.delete(Principal(row.owner), row.id, now=True)

    async def _template(self, row: Any) -> None:
        await self.templates.delete(Principal(row.owner), row.id)

    async def _upload(self, row: Any) -> None:
        await self.rows.end(row)

    async def _file(self, row: Any) -> None:
        """Hide a file as one that has expired, so that all that was made of it goes too."""
        change, unit = hiding(row, await self.store.now())
        await self.units.insert([unit], change)

    async def _origin(self, row: Any) -> None:
        change, unit = taking(row, await self.store.now())
        await self.units.insert([unit], change)

    # -- what is still to be done ---------------------------------------------------------------

    async def _hurry(self, who: Who, *, ended: bool) -> bool:
        """Have what removes something run now; tell whether there are units still.

        What tells somebody something goes. Once nothing is there that others may belong to
        (`ended`, and no purge is left), neither have these anything to do.
        """
        left = purging = False
        async for unit in queued(self.store, who):
            left, purging = True, purging or unit.kind in PURGES
            await self._settle(unit, gone=unit.kind in TELLING)
        if left and ended and not purging:
            async for unit in queued(self.store, who):
                await self._settle(unit, gone=unit.kind not in PURGES)
        return left

    async def _settle(self, unit: Unit, *, gone: bool) -> None:
        if unit.state is not UnitState.READY:
            return
        same = (Equals("state", unit.state), Equals("fence", unit.fence))
        now = await self.store.now()
        with suppress(ConditionFailed):  # somebody has claimed it just now
            if gone:
                await self.store.transact(Delete(Unit, unit.key_values(), when=same))
            elif unit.kind in PURGES and (unit.due or 0) > now + SOON_MS:
                soon = Update(Unit, unit.key_values(), set={"due": now}, when=same)
                await self.units.commit(soon, wake=(unit.klass, unit.owner))

    # -- rows -----------------------------------------------------------------------------------

    async def _remove(self, one: Holding, who: Who) -> None:
        """Remove all rows of a table, and the blobs that belong to them first."""
        some: dict[tuple[Any, ...], Record] = {}
        async for row in one.find(self.store, who):
            some[row.key_values()] = row
            if len(some) == MAX_ACTIONS:
                await self._remove_some(one, some)
                some = {}
        await self._remove_some(one, some)

    async def _remove_some(self, one: Holding, some: Mapping[tuple[Any, ...], Any]) -> None:
        if one.blobs is not None:
            for beginning in {one.blobs(row) for row in some.values()}:
                for blobs in self.blobs:
                    async for blob in blobs.list(beginning):
                        await blobs.delete(blob.key)
        if some:
            await self.store.transact(*(Delete(one.kind, key) for key in some))

    async def _pass_on(self, who: Who) -> None:
        """Have another administrator be the first user: without one, who registers next would be.

        Where there is none any more it is nobody, until somebody administers (`claim_first`).
        """
        claim = await self.store.get(Email, FIRST_USER)
        if claim is None or claim.user != who.id:
            return
        others = [one.id for one in await self.users.administrators() if one.id != who.id]
        same = (Equals("user", who.id),)
        heir = claim.evolve(user=others[0] if others else NOBODY)
        with suppress(ConditionFailed):  # another walk has passed it on
            await self.store.transact(Put(heir, when=same))


def _going(row: Any) -> bool:
    """Tell whether what removes a record is there already."""
    if isinstance(row, File):
        return not waiting(row)
    if isinstance(row, Origin):
        return row.expired is not None
    return isinstance(row, Job | Project | Upload) and row.hidden
