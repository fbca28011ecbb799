"""Drop old snapshots, and what no snapshot names any more.

All snapshots of the last day stay, then the last one of each day, none older than is said; the
newest one stays however old it is. So what was deleted is gone from backups that much later, as
long as new ones are made.
"""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

from mediamill.backup.index import Index
from mediamill.backup.manifest import Snapshot
from mediamill.backup.reading import list_of
from mediamill.backup.vault import Vault
from mediamill.core.clock import DAY

TOGETHER = 100
"""Content that is removed before it is seen again who writes there."""
LEFT_MS = DAY
"""How old what was left half-written is at least when it is removed."""


def superfluous(snapshots: Sequence[Snapshot], now: int, days: int, keep: int = 0) -> list[str]:
    """Return the ids of those that go at a time (ms); at most `keep` stay, unless it is 0."""
    kept = list[Snapshot]()
    for snapshot in sorted(snapshots, key=lambda one: one.id, reverse=True):
        age, day = now - snapshot.begun, _day(snapshot)
        fresh = age <= DAY or not any(_day(other) == day for other in kept)
        if not kept or (age <= days * DAY and fresh and (not keep or len(kept) < keep)):
            kept.append(snapshot)
    return sorted({one.id for one in snapshots} - {one.id for one in kept})


def _day(snapshot: Snapshot) -> str:
    return f"{datetime.fromtimestamp(snapshot.begun / 1000, UTC):%Y-%m-%d}"


async def prune(vault: Vault, now: int, days: int, keep: int = 0) -> tuple[int, int]:
    """Drop what is too old or too much; return how many snapshots and how many bytes went.

    Nothing is removed while a snapshot or a list cannot be read: what it names is not known.
    Raises `Locked` while a backup is written there.
    """
    async with vault.alone():
        snapshots = [await vault.snapshot(name) for name in await vault.names()]
        going = superfluous(snapshots, now, days, keep)
        await vault.blobs.sweep(now - LEFT_MS)
        if not going:
            return 0, 0
        staying = [one for one in snapshots if one.id not in going]
        with closing(Index()) as index:
            await _name(vault, staying, index)
            await vault.require_alone()
            for name in going:
                await vault.drop(name)
            return len(going), await _collect(vault, index)


async def _name(vault: Vault, staying: Sequence[Snapshot], index: Index) -> None:
    """Note the content that some snapshots name."""
    lists = {sha256 for snapshot in staying for sha256 in snapshot.lists}
    for snapshot in staying:
        index.there((sha256, 0) for sha256 in snapshot.digests())
    for snapshot in staying:
        for sha256 in snapshot.lists:
            if sha256 in lists:  # most are shared
                lists.remove(sha256)
                entries = await list_of(vault, snapshot, sha256)
                index.there((entry.sha256, 0) for entry in entries)


async def _collect(vault: Vault, index: Index) -> int:
    """Remove the content that is not noted; return how many bytes."""
    removed, going = 0, list[str]()
    async for sha256, size in vault.sizes():
        if index.size_there(sha256) is None:
            going.append(sha256)
            removed += size
        if len(going) == TOGETHER:
            await vault.remove(going)
            going.clear()
    await vault.remove(going)
    return removed
