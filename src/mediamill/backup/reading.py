"""Find a snapshot, read its database back, and see whether all of it is there."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

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


async def chosen(vault: Vault, at: str = "") -> Snapshot:
    """Return the newest snapshot, the one of an id, or the last one begun by a time.

    Raises `NotFound`, and `BrokenMedia` for one that cannot be read.
    """
    names = await vault.names()
    if not names:
        raise NotFound("There is no snapshot at this place.")
    if not at:
        return await vault.snapshot(names[-1])
    if at in names:
        return await vault.snapshot(at)
    try:
        until = read_time(at)
    except InvalidInput:
        raise NotFound(f"There is no snapshot {at}; `mediamill backup list` names them.") from None
    for name in reversed(names):
        if (snapshot := await vault.snapshot(name)).begun <= until:
            return snapshot
    raise NotFound(f"There is no snapshot from before {at}.")


async def entries_of(vault: Vault, snapshot: Snapshot) -> AsyncIterator[list[Entry]]:
    """Read the objects of a snapshot in key order, a list at a time; raises `BrokenMedia`."""
    for sha256 in snapshot.lists:
        yield read_list(await vault.content(sha256))


async def assembled(vault: Vault, snapshot: Snapshot, target: Path) -> None:
    """Write the copy of the database into a file; raises `BrokenMedia`."""
    digest = hashlib.sha256()
    with await asyncio.to_thread(_private, target) as file:
        for block in snapshot.database.blocks:
            try:
                data = await vault.content(block)
            except (NotFound, BrokenMedia):
                raise _without_rows(snapshot) from None
            digest.update(data)
            await asyncio.to_thread(file.write, data)
    if digest.hexdigest() != snapshot.database.sha256:
        raise _without_rows(snapshot)


def _without_rows(snapshot: Snapshot) -> BrokenMedia:
    return BrokenMedia(
        f"The rows of the snapshot {snapshot.id} are lost: restore another one, with --at."
    )


def _private(path: Path) -> BinaryIO:
    """Open a new file that only its owner reads."""
    path.touch(mode=0o600)
    return path.open("wb")


async def verified(vault: Vault, snapshot: Snapshot) -> Verdict:
    """Read all content of a snapshot back and compare it by its SHA-256."""
    found = Verdict(snapshot)
    found.broken += await vault.broken(dict.fromkeys(snapshot.digests()))
    for sha256 in snapshot.lists:
        if sha256 in found.broken:
            continue
        entries = read_list(await vault.content(sha256))
        for start in range(0, len(entries), BATCH):
            some = entries[start : start + BATCH]
            found.broken += await vault.broken(dict.fromkeys(entry.sha256 for entry in some))
            found.objects += len(some)
            found.size += sum(entry.size for entry in some)
    return found


async def unreadable(vault: Vault) -> list[str]:
    """List the snapshots that are damaged themselves: nothing is collected while there are any."""
    found = list[str]()
    for name in await vault.names():
        try:
            await vault.snapshot(name)
        except BrokenMedia:
            found.append(name)
    return found


async def drop_broken(vault: Vault, broken: Sequence[str], snapshots: Sequence[str]) -> None:
    """Remove content that is not what was written, and snapshots that cannot be read.

    The next backup writes content anew that is still in the installation.
    """
    async with vault.alone():
        for sha256 in broken:
            await vault.blobs.delete(key_of(sha256))
        for name in snapshots:
            await vault.drop(name)
