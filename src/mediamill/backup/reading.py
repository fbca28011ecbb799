"""Find a snapshot, read its database back, and see whether all of it is there."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mediamill.backup.index import Index
from mediamill.backup.manifest import Entry, Snapshot, read_list
from mediamill.backup.vault import Vault, key_of
from mediamill.core.clock import read_time
from mediamill.core.errors import BrokenMedia, InvalidInput, NotFound

BATCH = 500


@dataclass
class Verdict:
    """What was found of one snapshot."""

    snapshot: Snapshot
    objects: int = 0
    size: int = 0
    broken: list[str] = field(default_factory=list)
    """Content that is missing or is not what was written."""


def _pass(name: str) -> None:
    """Say nothing of a snapshot that cannot be read."""


async def chosen(vault: Vault, at: str = "", passed: Callable[[str], None] = _pass) -> Snapshot:
    """Return the newest snapshot, the one of an id, or the last one begun by a time.

    One that cannot be read is passed over, and told to `passed`, unless it was named by its id:
    then it is `BrokenMedia`. Raises `NotFound`.
    """
    names = await vault.names()
    if not names:
        raise NotFound("There is no snapshot at this place.")
    if at in names:
        return await vault.snapshot(at)
    try:
        until = read_time(at) if at else None
    except InvalidInput:
        raise NotFound(f"There is no snapshot {at}; `mediamill backup list` names them.") from None
    for name in reversed(names):
        try:
            snapshot = await vault.snapshot(name)
        except BrokenMedia:
            passed(name)
            continue
        if until is None or snapshot.begun <= until:
            return snapshot
    raise NotFound(f"There is no snapshot{f' from before {at}' if at else ''} that can be read.")


async def entries_of(vault: Vault, snapshot: Snapshot) -> AsyncIterator[list[Entry]]:
    """Read the objects of a snapshot in key order, a list at a time; raises `BrokenMedia`."""
    for sha256 in snapshot.lists:
        yield await list_of(vault, snapshot, sha256)


async def list_of(vault: Vault, snapshot: Snapshot, sha256: str) -> list[Entry]:
    """Read one list of a snapshot; raises `BrokenMedia`, also where the place has lost it."""
    try:
        return read_list(await vault.content(sha256))
    except (NotFound, BrokenMedia):
        raise BrokenMedia(
            f"A list of the objects of the snapshot {snapshot.id} is lost: `mediamill backup "
            "verify --all --drop-broken` drops it."
        ) from None


async def assembled(vault: Vault, snapshot: Snapshot, target: Path) -> None:
    """Write the copy of the database into a file; raises `BrokenMedia`."""
    digest = hashlib.sha256()
    with await asyncio.to_thread(_private, target) as file:
        for block in snapshot.database.blocks:
            try:
                data = await vault.content(block)
            except (NotFound, BrokenMedia):
                raise without_rows(snapshot) from None
            digest.update(data)
            await asyncio.to_thread(file.write, data)
    if digest.hexdigest() != snapshot.database.sha256:
        raise without_rows(snapshot)


def without_rows(snapshot: Snapshot) -> BrokenMedia:
    """Say that a snapshot cannot be restored."""
    return BrokenMedia(
        f"The rows of the snapshot {snapshot.id} are lost, or its lists of files: restore another "
        "one, with --at."
    )


def _private(path: Path) -> BinaryIO:
    """Open a new file that only its owner reads."""
    path.touch(mode=0o600)
    return path.open("wb")


async def verified(vault: Vault, snapshot: Snapshot) -> Verdict:
    """Read all content of a snapshot back and compare it by its SHA-256."""
    found = Verdict(snapshot)
    found.broken += await vault.broken(dict.fromkeys(snapshot.digests()))
    with closing(Index()) as index:  # what many objects share is read once
        for sha256 in snapshot.lists:
            if sha256 in found.broken:
                continue
            entries = await list_of(vault, snapshot, sha256)
            for start in range(0, len(entries), BATCH):
                some = entries[start : start + BATCH]
                digests = {entry.sha256 for entry in some}
                new = sorted(one for one in digests if index.size_there(one) is None)
                found.broken += await vault.broken(new)
                index.there((one, 0) for one in new)
                found.objects += len(some)
                found.size += sum(entry.size for entry in some)
    return found


async def unreadable(vault: Vault) -> list[str]:
    """List the snapshots that are damaged themselves: nothing is collected while there are any.

    So are those of which a list is gone. One that is there and broken may be written anew yet.
    """
    found = list[str]()
    for name in await vault.names():
        try:
            for sha256 in (await vault.snapshot(name)).lists:
                await vault.blobs.info(key_of(sha256))
        except (BrokenMedia, NotFound):
            found.append(name)
    return found


async def drop_broken(vault: Vault, broken: Sequence[str], snapshots: Sequence[str]) -> list[str]:
    """Remove content that is not what was written, and snapshots that cannot be read.

    The next backup writes content anew that is still in the installation. It is looked at once
    more first, since another backup may have written it meanwhile. Return what was removed; what
    is not there is not.
    """
    async with vault.alone():
        still = await vault.broken([one for one in broken if await vault.has(one)])
        await vault.remove(still)
        await vault.require_alone()
        for name in snapshots:
            await vault.drop(name)
    return still
