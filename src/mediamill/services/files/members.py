"""Take members out of an uploaded archive: the one way in which a file gets other bytes.

What stays is copied as it was packed into a new blob; when that is durable and has been looked at,
one conditional update makes it the file's. Before, during and after, whoever reads the file reads
one whole archive: a crash leaves the old one or the new one, and a blob that no row names goes
with the orphans. There is no undo.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4
from weakref import WeakValueDictionary

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs, Digest
from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.clock import HOUR
from mediamill.core.errors import ConditionFailed, Conflict, MediamillError, NotFound
from mediamill.engine.inspect import Inspector
from mediamill.media.archive.remove import Removal
from mediamill.services.access import Access
from mediamill.services.files.directories import Directories
from mediamill.services.files.service import FileService
from mediamill.store.port import Absent, Equals, Put, Update
from mediamill.store.repositories.files import File, FileState, digest_key
from mediamill.store.repositories.results import parse_result_file
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.versions import Version

log = structlog.get_logger(__name__)

KEPT_MS = HOUR
"""How long the old bytes stay at least, for downloads that have begun."""

ATTEMPTS = 4


@dataclass(frozen=True)
class Removed:
    """The archive as it is now, how many members went, and the paths that it did not have."""

    file: File
    count: int
    missing: tuple[str, ...]


@dataclass
class ArchiveMembers:
    """Changes archives for their owner."""

    access: Access
    files: FileService
    units: Units
    usages: Usages
    blobs: Blobs
    inspector: Inspector
    directories: Directories
    bell: Doorbell
    _locks: "WeakValueDictionary[str, asyncio.Lock]" = field(default_factory=WeakValueDictionary)

    async def delete(self, principal: Principal, file_id: str, paths: Collection[str]) -> Removed:
        """Delete members by their paths; those that are not there are reported.

        Raises `NotFound` when none is there, `Conflict` for results, for all the members at once,
        and when others keep changing the archive meanwhile.
        """
        await self._changeable(principal, file_id)
        async with self._locks.setdefault(file_id, asyncio.Lock()):
            for _ in range(ATTEMPTS):
                file = await self._changeable(principal, file_id)
                with suppress(ConditionFailed):
                    return await self._delete(file, paths)
        message = f"{file.name} was being changed by others all the time: try again."
        raise Conflict(message)

    async def _changeable(self, principal: Principal, file_id: str) -> File:
        if parse_result_file(file_id) is not None:
            await self.files.get(principal, file_id)
            message = (
                "Results stay as their job made them: choose what you want from them by a manifest "
                "or an export, or upload the archive as a file of your own."
            )
            raise Conflict(message)
        file = await self.access.load(principal, File, file_id, Right.OWN)
        if file.state is not FileState.READY:
            raise Conflict(f"{file.name} is {file.state}: it can be changed when it is ready.")
        return file

    async def _delete(self, file: File, paths: Collection[str]) -> Removed:
        """Make and commit the new archive once; raises `ConditionFailed` if it has changed."""
        removal = await self.directories.plan(self.blobs, file, paths)
        if not removal.removed:
            some = ", ".join(sorted(paths)[:3])
            raise NotFound(f"{file.name} has no member {some[:200]}.")
        blob = f"files/{file.id}/{uuid4().hex}"
        digest = await self._write(file.blob, removal, blob)
        changed = await self._commit(file, blob, digest)
        gone = len(removal.removed)
        note("members_deleted", file.id, owner=file.owner, members=gone)
        await self.bell.ring("work:housekeeping")
        missing = tuple(path for path in paths if path not in removal.removed)
        return Removed(changed, gone, missing)

    async def _write(self, old: str, removal: Removal, blob: str) -> Digest:
        """Write the new archive, durable, and have it looked at like all that comes in."""
        async with self.blobs.upload(blob) as upload:
            for piece in removal.pieces:
                if isinstance(piece, bytes):
                    await upload.write(piece)
                    continue
                async for chunk in self.blobs.read(old, *piece):
                    await upload.write(chunk)
            digest = await upload.commit()
        try:
            await self.inspector.look(self.blobs, blob, "the archive that is left", digest.size)
        except MediamillError:
            await self.blobs.delete(blob)
            raise
        return digest

    async def _commit(self, file: File, blob: str, digest: Digest) -> File:
        """Point the row to the new bytes, and keep the old ones for who still needs them."""
        now = max(await self.units.store.now(), (file.rewritten or 0) + 1)
        changes = {
            "blob": blob,
            "size": digest.size,
            "charged": digest.size,
            "sha256": digest.sha256,
            "crc32": digest.crc32,
            "digest": digest_key(file.owner, digest.sha256),
            "rewritten": now,
        }
        guard = (Equals("blob", file.blob), Equals("state", FileState.READY))
        rewriting = Update(File, (file.id,), set=changes, add={"revision": 1}, when=guard)
        version = Put(Version.of(file, now), when=(Absent(),))
        freed = await self.usages.charge(file.owner, digest.size - file.charged)
        try:
            await self.units.insert([purge_unit(file, now)], rewriting, version, *freed)
        except ConditionFailed:
            await self.blobs.delete(blob)
            raise
        return file.evolve(**changes, revision=file.revision + 1)


def purge_unit(file: File, until: int) -> Unit:
    """Make the unit that removes what a file was until a time (ms)."""
    group, payload = f"version:{file.id}", {"file": file.id, "until": until}
    due = until + KEPT_MS
    return Unit.chore(
        "purge_version", group, until, file.owner, cost=0.05, now=until, due=due, **payload
    )
