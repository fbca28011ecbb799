"""The items of a job: what each input became, those without an outcome included.

An input is listed once: where it failed, or in the stage that the job has come to.
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput, NotFound
from mediamill.handlers.removing.expire_job import GONE
from mediamill.services.access import Access
from mediamill.store.port import Page
from mediamill.store.repositories.backlog import Backlogs
from mediamill.store.repositories.jobs import PAGE_ENTRIES, Entry, Job, Manifests
from mediamill.store.repositories.results import ItemOutcome, Result, Results
from mediamill.store.repositories.units import LONG, MODEL

EXPIRED = "expired"
"""The state of an item whose input has expired, whatever became of it."""
WITHOUT_OUTCOME = ("pending", "running", "cancelled", EXPIRED)
EARLIER = "failed:"
"""Begins a cursor within what failed before the current stage."""
_OF_SOURCE = frozenset({"source", "id"})
PAGES_LOOKED_AT = 20
"""So many pages of the inputs are looked through for one page of such items."""


@dataclass(frozen=True)
class ItemView:
    """One input of the job's current stage, or one that failed before, and its outcome so far."""

    index: int
    """Place among the inputs of its stage."""
    file: str
    name: str
    state: str
    result: Result | None = None
    path: str = ""
    """Of a member of an archive, its path there."""
    stage: int = 0


@dataclass
class ItemService:
    """Lists items for the job's owner."""

    access: Access
    manifests: Manifests
    results: Results
    backlogs: Backlogs

    async def list(
        self, principal: Principal, job_id: str, state: str | None, after: str | None, limit: int
    ) -> Page[ItemView]:
        """List items, all or those with one outcome: what failed in earlier stages comes first.

        Raises `InvalidInput` for a state that cannot be asked for.
        """
        job = await self.access.load(principal, Job, job_id)
        if state is None:
            return await self._all(job, after, limit)
        if state in WITHOUT_OUTCOME:
            return await self._without_outcome(job, state, after, limit)
        if state not in tuple(ItemOutcome):
            known = (*ItemOutcome, *WITHOUT_OUTCOME)
            raise InvalidInput(f"state is one of {', '.join(known)}.")
        first = 0 if state == ItemOutcome.FAILED else job.stage
        return await self._with_outcome(job, ItemOutcome(state), (first, job.stage), after, limit)

    async def inputs(self, principal: Principal, job_id: str) -> dict[str, Any] | None:
        """Return what names a job's inputs, for another over the same; None for too many files."""
        job = await self.access.load(principal, Job, job_id)
        if job.inputs:
            named = await self.manifests.named(job.inputs)
            chosen = {key: value for key, value in named.items() if key not in _OF_SOURCE}
            return {str(named["source"]): named["id"], **chosen}
        with suppress(NotFound):  # it is not expanded yet
            entries = await self.manifests.entries(job.id, 0, 0)
            files = [entry.file for entry in entries if not entry.reference]
            if files and all(files) and len(entries) < PAGE_ENTRIES:
                return {"files": files}
        return None

    async def _with_outcome(
        self,
        job: Job,
        outcome: ItemOutcome,
        stages: tuple[int, int],
        after: str | None,
        limit: int,
    ) -> Page[ItemView]:
        """List what has an outcome in some stages, from the first to the last of them."""
        page = await self.results.with_outcome(job.id, outcome, after, limit, stages)
        views = (_with(row) for row in page.rows if _standing(job, row) and not row.expired)
        return Page(tuple(views), page.after)

    async def _all(self, job: Job, after: str | None, limit: int) -> Page[ItemView]:
        """List what failed in earlier stages, then the inputs of the current one."""
        earlier: tuple[ItemView, ...] = ()
        if job.stage and (after is None or after.startswith(EARLIER)):
            behind = (after or "").removeprefix(EARLIER) or None
            stages = (0, job.stage - 1)
            page = await self._with_outcome(job, ItemOutcome.FAILED, stages, behind, limit)
            if page.after is not None:
                return Page(page.rows, f"{EARLIER}{page.after}")
            earlier, after = page.rows, None
        if len(earlier) >= limit:
            return Page(earlier, "0" if job.items else None)
        running = await self._running(job)
        page = await self._current(job, after, limit - len(earlier), running)
        return Page((*earlier, *page.rows), page.after)

    async def _without_outcome(
        self, job: Job, state: str, after: str | None, limit: int
    ) -> Page[ItemView]:
        """List items of one such state; a page may hold few when most have another."""
        found: list[ItemView] = []
        running = await self._running(job)
        for _ in range(PAGES_LOOKED_AT):
            page = await self._current(job, after, min(limit - len(found), 100), running)
            found += [item for item in page.rows if item.state == state]
            after = page.after
            if after is None or len(found) >= limit:
                break
        return Page(tuple(found), after)

    async def _running(self, job: Job) -> Collection[int]:
        """Return the places of the items that somebody works on now.

        What its owner has leased is few, however many units there are, and is found by itself.
        """
        running = set[int]()
        if job.state.terminal:
            return running
        for klass in dict.fromkeys((job.klass, MODEL, LONG)):
            for unit in await self.backlogs.held(klass, job.owner):
                if unit.group == job.id and unit.payload["stage"] == job.stage:
                    running.update(unit.works_on())
        return running

    async def _current(
        self, job: Job, after: str | None, limit: int, running: Collection[int]
    ) -> Page[ItemView]:
        """Join a range of the manifest with the results it has."""
        start = _position(after)
        stop = min(job.items, start + limit)
        entries = await self.manifests.at(job.id, job.stage, range(start, stop))
        keys = [(job.id, job.stage, index) for index in range(start, stop)]
        rows = await self.results.store.get_many(Result, keys) if keys else []
        views = tuple(
            _without(job, index, entries[index], running)
            if row is None or row.expired or not _standing(job, row)
            else _with(row)
            for index, row in zip(range(start, stop), rows, strict=True)
            if index in entries
        )
        return Page(views, str(stop) if stop < job.items else None)


def _with(row: Result) -> ItemView:
    return ItemView(row.item, row.input, row.name, row.outcome, row, row.path, row.stage)


def _without(job: Job, index: int, entry: Entry, running: Collection[int]) -> ItemView:
    state = "running" if index in running else "cancelled" if job.state.terminal else "pending"
    if entry == GONE:
        state = EXPIRED
    return ItemView(index, entry.file, entry.name, state, path=entry.path, stage=job.stage)


def _standing(job: Job, row: Result) -> bool:
    """Tell whether an outcome counts: a failed one does not while its retry is under way."""
    older = row.outcome is ItemOutcome.FAILED and row.generation < job.generation
    retried = older and job.rerun != "cancelled"
    return not retried or job.state.terminal


def _position(after: str | None) -> int:
    """Read a cursor of `_current`; raises `InvalidInput`."""
    if after is None:
        return 0
    if not (after.isascii() and after.isdigit() and len(after) < 12):
        raise InvalidInput("after is not a cursor of this list.")
    return int(after)
