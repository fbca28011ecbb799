"""Usage: what each owner keeps and has running here, and the quotas that they may not exceed.

Every row that is counted says so itself. `charged` tells for how many bytes its owner is charged: a
file, an upload whose bytes come over several requests, a job for its results. `metered` tells that
a file is counted, or which items of a job are, in which month; `counted` that a job is counted as
open. Whoever changes such a field counts the difference in here, in the same transaction; so
whatever dies, an owner's usage is what the owner's rows sum to, and what a quota has room for is
taken once.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import NoReturn

from mediamill.core.clock import rfc3339
from mediamill.core.errors import ConditionFailed, MediamillError, QuotaExceeded
from mediamill.core.records import Key, Record
from mediamill.store.port import Absent, Action, AtMost, Equals, Put, Store, Update
from mediamill.store.repositories import quota_notices
from mediamill.store.repositories.allowances import Allowances, Limits, Quota
from mediamill.store.repositories.jobs import Job

TOLD = (Quota.BYTES, Quota.FILES, Quota.ITEMS)
"""Quotas whose owner is told before they are met; open jobs end by themselves."""


class Usage(Record, frozen=True, kw_only=True):
    """What one owner keeps, in bytes and files, and how many jobs are open."""

    table = "usage"
    key = Key("owner")

    owner: str
    bytes: int = 0
    """Files, those in the trash too, uploads that are under way, results of jobs, versions of
    datasets, and annotations of the owner's projects."""
    results: int = 0
    """How much of it is results of jobs."""
    files: int = 0
    """Files, those in the trash and those on their way too, not those that were rejected."""
    jobs: int = 0
    """Jobs that have not ended."""
    turn: int = 0
    """Grows with every change, so that what was summed of an owner's rows can be told from old."""


class MonthlyUsage(Record, frozen=True, kw_only=True):
    """What one owner's jobs did in a month."""

    table = "usage_months"
    key = Key("owner", "month")

    owner: str
    month: str
    """`2026-11`, UTC."""
    items: int = 0
    """Items that were run or are about to be; an outcome that was taken over counts nothing."""


class Usages:
    """Reads of usage, and the actions that charge an owner.

    Those that take something hold only while there is room by the owner's limits: write them within
    `refusing`. None is made for what counts nothing.
    """

    def __init__(self, store: Store, common: Limits | None = None) -> None:
        self.store, self.allowances = store, Allowances(store, common or Limits())

    async def get(self, owner: str) -> Usage:
        """Return what an owner keeps and has open."""
        return await self.store.get(Usage, owner) or Usage(owner=owner)

    async def in_month(self, owner: str, month: str) -> MonthlyUsage:
        """Return what an owner's jobs did in a month."""
        found = await self.store.get(MonthlyUsage, owner, month)
        return found or MonthlyUsage(owner=owner, month=month)

    async def limits(self, owner: str) -> Limits:
        """Return what an owner may have."""
        return await self.allowances.limits(owner)

    async def room(self, owner: str) -> int | None:
        """Return how many more bytes an owner may keep, at least 0; None when that is no matter."""
        most = (await self.limits(owner)).bytes
        return None if most is None else max(0, most - (await self.get(owner)).bytes)

    async def require(self, owner: str, more: int, files: int = 0) -> None:
        """Raise `QuotaExceeded` when there is no room for so many more bytes and files now."""
        limits = await self.limits(owner)
        if limits.bytes is None and (limits.files is None or not files):
            return
        used = await self.get(owner)
        for quota, needed in ((Quota.BYTES, more), (Quota.FILES, files)):
            most = limits.of(quota)
            if most is not None and needed > 0 and getattr(used, quota) + needed > most:
                await self.refuse(owner, needed, quota)

    # -- actions ------------------------------------------------------------------------------

    async def charge(self, owner: str, more: int, files: int = 0) -> tuple[Update, ...]:
        """Make the action that counts bytes and files in, or out when negative."""
        return await self._guarded(owner, {Quota.BYTES: more, Quota.FILES: files})

    async def charge_results(self, owner: str, more: int) -> tuple[Update, ...]:
        """Make the action that counts results in, or out; they are there, whatever the quota."""
        return await self._counting(owner, {"bytes": more, "results": more}) if more else ()

    async def count_old(self, owner: str) -> tuple[Update, ...]:
        """Make the action that counts a file in which was there before files were counted."""
        return await self._counting(owner, {"files": 1})

    async def open_job(self, owner: str, month: str, items: int) -> tuple[Update, ...]:
        """Make the actions that count a job as open, and the items that it is about to run."""
        opened = await self._guarded(owner, {Quota.JOBS: 1})
        return (*opened, *await self.reserve(owner, month, items))

    async def end_job(self, job: Job) -> tuple[Update, ...]:
        """Make the actions for a job that is `uncounted` from now on."""
        ended = await self._counting(job.owner, {"jobs": -1}) if job.counted else ()
        return (*ended, *await self.settle(job.owner, job.month, -job.reserved))

    async def close(self, job: Job) -> None:
        """Take a job out of what is counted that is `overcounted`, unless it changes just now.

        Who ended it did not tell what of it was run: what its counts say.
        """
        if not job.overcounted:
            return
        names = ("state", "generation", "counted", "reserved", "metered")
        same = tuple(Equals(name, getattr(job, name)) for name in names)
        unused = min(job.reserved, job.counts.cancelled + job.counts.reused)
        left = job.evolve(reserved=unused)
        closing = Update(Job, (job.id,), set=left.uncounted, when=same)
        with suppress(ConditionFailed):
            await self.store.transact(closing, *await self.end_job(left))

    async def reserve(self, owner: str, month: str, items: int) -> tuple[Update, ...]:
        """Make the action that takes room for items that are about to be run."""
        most = (await self.limits(owner)).items if items > 0 else None
        return await self._monthly(owner, month, items, _room_for("items", items, most))

    async def go_on(
        self, owner: str, left: tuple[str, int], next_: tuple[str, int]
    ) -> tuple[Update, ...]:
        """Make the actions that take room for the items of a month, and give back those left.

        Both are a month and a number; a stage may begin in another month than the one before it.
        """
        (before, unused), (month, items) = left, next_
        if before == month:
            return await self.reserve(owner, month, items - unused)
        return (
            *await self.settle(owner, before, -unused), *await self.reserve(owner, month, items),
        )  # fmt: skip

    async def settle(self, owner: str, month: str, items: int) -> tuple[Update, ...]:
        """Make the action that counts items in that were run, or out that were not after all."""
        return await self._monthly(owner, month, items)

    async def _guarded(self, owner: str, counts: dict[Quota, int]) -> tuple[Update, ...]:
        counts = {quota: more for quota, more in counts.items() if more}
        if not counts:
            return ()
        limits = await self.limits(owner) if max(counts.values()) > 0 else Limits()
        guards = [_room_for(q.value, more, limits.of(q)) for q, more in counts.items()]
        when = tuple(guard for some in guards for guard in some)
        return await self._counting(owner, {q.value: more for q, more in counts.items()}, when)

    async def _counting(
        self, owner: str, counts: dict[str, int | float], when: tuple[AtMost, ...] = ()
    ) -> tuple[Update, ...]:
        if await self.store.get(Usage, owner) is None:
            await self._begin(Usage(owner=owner))
        return (Update(Usage, (owner,), add={**counts, "turn": 1}, when=when),)

    async def _monthly(
        self, owner: str, month: str, items: int, when: tuple[AtMost, ...] = ()
    ) -> tuple[Update, ...]:
        if not items:
            return ()
        if await self.store.get(MonthlyUsage, owner, month) is None:
            await self._begin(MonthlyUsage(owner=owner, month=month))
        return (Update(MonthlyUsage, (owner, month), add={"items": items}, when=when),)

    async def _begin(self, row: Record) -> None:
        try:
            await self.store.transact(Put(row, when=(Absent(),)))
        except ConditionFailed:
            return  # another was first

    # -- refusals -----------------------------------------------------------------------------

    @asynccontextmanager
    async def refusing(
        self, owner: str, actions: Sequence[Action], before: int = 0
    ) -> AsyncIterator[None]:
        """Let the block write a transaction of these actions, some of which charge an owner.

        `before` others come before them. Raises `QuotaExceeded` when it failed for a quota; other
        failures are left as they are. Where it passes 80 or 100 % of one, its owner is told.
        """
        try:
            yield
        except ConditionFailed as error:
            place = error.action - before
            action = actions[place] if 0 <= place < len(actions) else None
            if isinstance(action, Update) and action.kind in (Usage, MonthlyUsage) and action.when:
                await self._refuse(owner, action)
            raise
        for one in actions:
            if isinstance(one, Update) and one.kind in (Usage, MonthlyUsage):
                await self._tell(owner, one)

    async def _tell(self, owner: str, action: Update) -> None:
        """See to it that an owner knows when most of what an action took of is used."""
        guards = [one for one in action.when if isinstance(one, AtMost) and one.field in TOLD]
        with suppress(MediamillError):  # it is taken all the same; who takes next tells it
            row = await self.store.get(action.kind, *action.key) if guards else None
            for guard in guards:
                most = int(guard.value + action.add[guard.field])
                used = 0 if row is None else int(getattr(row, guard.field))
                await quota_notices.tell(self.store, owner, guard.field, used, most)

    async def _refuse(self, owner: str, action: Update) -> NoReturn:
        """Name the quota that an action met; another may just have made room again."""
        row = await self.store.get(action.kind, *action.key)
        guards = [guard for guard in action.when if isinstance(guard, AtMost)]
        met = [guard for guard in guards if row and getattr(row, guard.field) > guard.value]
        quota = Quota((met or guards)[0].field)
        limit, needed = (await self.limits(owner)).of(quota) or 0, int(action.add[quota])
        used = int(getattr(row, quota)) if row else 0
        month = action.key[1] if action.kind is MonthlyUsage else ""
        raise exceeded(quota, used, limit, needed, month, await self.store.now())

    async def refuse(self, owner: str, needed: int, quota: Quota = Quota.BYTES) -> NoReturn:
        """Raise `QuotaExceeded` for what is kept, with what is used and what to do."""
        limit = (await self.limits(owner)).of(quota) or 0
        raise exceeded(quota, int(getattr(await self.get(owner), quota)), limit, needed)


def _room_for(field: str, more: int, most: int | None) -> tuple[AtMost, ...]:
    return () if most is None or more <= 0 else (AtMost(field, most - more),)


def exceeded(
    quota: Quota, used: int, limit: int, needed: int, month: str = "", now: int = 0
) -> QuotaExceeded:
    """Make the error that says which quota is met, and what to do; for items of a month (ms)."""
    details: dict[str, object] = {"quota": quota.value, "used": used, "limit": limit}
    details["needed"], wait = needed, None
    if quota is Quota.ITEMS:
        ends = month_end(month)
        details["resets_at"], wait = rfc3339(ends), max(1, -(-(ends - now) // 1000))
    of_items = f"{needed:,} item{'' if needed == 1 else 's'}"
    needs, do = {
        Quota.BYTES: (
            f"This needs {needed:,} bytes, and you keep {used:,} of at most {limit:,} already",
            "delete files and jobs, empty the trash, or ask for more.",
        ),
        Quota.FILES: (
            f"This adds files: {needed:,}; and you keep {used:,} of at most {limit:,} already",
            "delete files, empty the trash, or ask for more.",
        ),
        Quota.JOBS: (
            f"{used:,} of your jobs are open, of at most {limit:,} at a time",
            "wait until one has ended, or cancel one.",
        ),
        Quota.ITEMS: (
            f"This runs {of_items}, and {used:,} of this month’s {limit:,} are taken already",
            "wait for the next month, take fewer inputs, or ask for more.",
        ),
    }[quota]
    return QuotaExceeded(f"{needs}: {do}", retry_after=wait, **details)


def month_end(month: str) -> int:
    """Return when a month, `2026-11`, ends (ms), UTC."""
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    year, following = divmod(begin.month, 12)
    return int(begin.replace(year=begin.year + year, month=following + 1).timestamp() * 1000)
