"""Delete files, bring them back within a day, and empty the trash.

A deleted file is hidden at once. For a day it is in the trash; then its purge unit removes it. A
file that is brought back names no purge unit any more, so the one that waits does nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed, Conflict, NotFound
from mediamill.engine.announcing import Announcer
from mediamill.services.access import Access
from mediamill.store.port import Page, Store, Update
from mediamill.store.repositories.files import File, Files, FileState, digest_key
from mediamill.store.repositories.purging import change, dooming, purge_unit
from mediamill.store.repositories.results import parse_result_file
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

UNDO_MS = DAY
"""How long a deleted file can be brought back."""
BATCH = 25
"""Files of one transaction: a row and two units each, and the lanes, of at most 100 actions."""
EMPTIED_AT_ONCE = 1_000


def own_uploads_only(file_id: str, instead: str) -> None:
    """Raise `Conflict` for the id of a result."""
    if parse_result_file(file_id) is not None:
        raise Conflict(f"Results belong to their job: {instead}.")


@dataclass
class Trash:
    """Hides, restores and removes files for their owner."""

    store: Store
    access: Access
    files: Files
    units: Units
    bell: Doorbell
    announcer: Announcer

    async def list(self, principal: Principal, after: str | None, limit: int) -> Page[File]:
        """List what the caller can bring back, deleted last first."""
        return await self.files.trashed(principal.user, after, limit)

    async def delete(self, principal: Principal, file_id: str, *, now: bool = False) -> None:
        """Hide a file at once; its bytes go a day later, or when no running job needs them.

        With `now` they go at once, also those of a file in the trash. What never became ready goes
        at once too. Raises `NotFound`, and `Conflict` for a result.
        """
        own_uploads_only(file_id, "delete the job instead")
        while True:
            file = await self.access.load(principal, File, file_id, Right.OWN, hidden=now)
            if file.hidden and file.trash is None:
                raise NotFound(f"There is no file {file_id}.")
            try:
                await self._hide([file], now=now)
            except ConditionFailed:
                continue  # it changed meanwhile: look again
            return

    async def _hide(self, files: Sequence[File], *, now: bool) -> None:
        """Put files of one owner into the trash, or straight out; one transaction."""
        time = await self.store.now()
        steps = [_hiding(file, time, now=now) for file in files]
        shown = [file.evolve(revision=file.revision + 1) for file in files if not file.hidden]
        told = await self.announcer.of_files("file.deleted", shown, time)
        units = [*(unit for _, unit in steps), *told]
        await self.units.insert(units, *(update for update, _ in steps))
        for file in files:
            note("file_deleted", file.id, owner=file.owner, now=now)
        await self._ring(units)

    async def _ring(self, units: Sequence[Unit]) -> None:
        for klass in dict.fromkeys(unit.klass for unit in units):
            await self.bell.ring(f"work:{klass}")

    async def restore(self, principal: Principal, file_id: str) -> File:
        """Bring a file back as it was; one that is not in the trash is returned as it is.

        Raises `NotFound`, also once it is purged, and `Conflict` when its day is over.
        """
        own_uploads_only(file_id, "restore the job instead")
        while True:
            file = await self.access.load(principal, File, file_id, Right.OWN, hidden=True)
            if not file.hidden:
                return file
            if file.trash is None or (file.purge_at or 0) <= await self.store.now():
                message = f"{file.name} cannot be brought back: it is being removed for good."
                raise Conflict(message, state="purging")
            fields = _restored(file)
            back = file.evolve(revision=file.revision + 1, **fields)
            now = await self.store.now()
            told = await self.announcer.of_files("file.restored", [back], now)
            try:
                await self.units.insert(told, change(file, **fields))
            except ConditionFailed:
                continue
            note("file_restored", file.id, owner=file.owner)
            await self._ring(told)
            return back

    async def empty(self, principal: Principal) -> tuple[int, bool]:
        """Remove what is in the caller's trash for good.

        Returns how many files, at most `EMPTIED_AT_ONCE`, and whether there are more.
        """
        count = 0
        while rows := (await self.list(principal, None, BATCH)).rows:
            if count >= EMPTIED_AT_ONCE:
                return count, True
            try:
                await self._hide(rows, now=True)
                count += len(rows)
            except ConditionFailed:
                continue  # one was brought back or purged meanwhile
        return count, False


def _hiding(file: File, time: int, *, now: bool) -> tuple[Update, Unit]:
    """Make the change that hides a file, and the unit that will remove it."""
    now = now or file.state is not FileState.READY
    due = time if now else time + UNDO_MS
    fields = {
        "state": FileState.TRASHED,
        "listed": None,
        "digest": None,
        "trashed": time,
        "trash": None if now else file.owner,
        **dooming(file, due),
    }
    return change(file, **fields), purge_unit(file, time, due)


def _restored(file: File) -> dict[str, Any]:
    return {
        "state": FileState.READY,
        "listed": file.owner,
        "digest": digest_key(file.owner, file.sha256),
        "trashed": None,
        "trash": None,
        "doomed": None,
        "purge_at": None,
    }
