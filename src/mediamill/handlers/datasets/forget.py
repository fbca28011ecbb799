"""Take versions of datasets away: whole ones that were deleted, single images that have to go.

What retention or an erasure takes of a file is taken out of every version that holds something made
of it, bytes first, then the row, which counts the version's loss in the same transaction. What was
written of it (`entries`, with names and annotations) is written anew without it soon after, by one
unit for all that goes at that time; the document, whose hash does not hold any more, and the
exports go whole.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.clock import SECOND
from mediamill.core.errors import ConditionFailed, NotFound
from mediamill.datasets.document import frozen_of
from mediamill.engine.lease import Lease
from mediamill.handlers.datasets.texts import without_gone
from mediamill.handlers.files.thumbnails import group_of
from mediamill.handlers.removing.purge import LOOK_AGAIN_MS
from mediamill.store.port import Check, Delete, Equals, Exists, Store, Update
from mediamill.store.repositories.datasets import (
    Datasets,
    DatasetVersion,
    ProjectShare,
    ProjectTask,
    VersionFile,
    VersionState,
    place_of,
)
from mediamill.store.repositories.erasures import forget_former
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.usage import Usages

log = structlog.get_logger(__name__)

REDACT, PURGE = "redact_version", "purge_dataset"
REDACT_MS = 2 * SECOND
SOON_MS = SECOND
ROWS_PER_STEP = 90


@dataclass
class Forgetting:
    """Removes images and whole versions."""

    store: Store
    usages: Usages
    stores: Sequence[Blobs]
    """The stores of what came in and of what jobs made, which may be one."""

    def __post_init__(self) -> None:
        self.datasets, self.units = Datasets(self.store), Units(self.store)

    @property
    def blobs(self) -> Blobs:
        return self.stores[0]

    async def root(self, root: str) -> int:
        """Take all that was made of a file out of versions; return how many images those were."""
        count = 0
        while rows := await self.datasets.made_of(root):
            for row in rows:
                await self.take(row)
                count += 1
        return count

    async def take(self, row: VersionFile) -> None:
        """Take one image out of its version, which counts it as lost."""
        await self.stores[-1 if row.results else 0].delete(row.blob)
        project, number = place_of(row.version)
        version = await self.datasets.version(project, number)
        gone = Delete(VersionFile, row.key_values(), (Exists(),))
        if version is None:
            await self.store.transact(Delete(VersionFile, row.key_values()))
            return
        size = row.size if version.charged else 0
        counts: dict[str, int | float] = {"lost": 1, "lost_bytes": row.size, "charged": -size}
        lost = Update(DatasetVersion, (project, number), add=counts)
        charge = await self.usages.charge(version.owner, -size)
        with suppress(ConditionFailed):  # somebody else took it at the same moment
            await self.store.transact(gone, lost, *charge)
        await self._redact(version)

    async def _redact(self, version: DatasetVersion) -> None:
        """Have the version's texts written anew, once for all that goes now."""
        now = await self.store.now()
        unit = Unit.chore(
            REDACT, f"redact:{version.root}", 0, version.owner, cost=1.0, now=now,
            due=now + REDACT_MS, project=version.project, version=version.number,
        )  # fmt: skip
        with suppress(ConditionFailed):
            await self.units.insert([unit])

    async def busy(self, project: str) -> bool:
        """Tell whether a task still works on a project, or what one took in is being drawn.

        Who draws finds the files by the task, so that stays until they have their thumbnails.
        """
        newest = (await self.datasets.tasks(project)).rows
        if any(not task.state.terminal for task in newest):
            return True
        units = await self.store.get_many(Unit, [(group_of(task), 0) for task in newest])
        return any(unit is not None and unit.queue is not None for unit in units)

    async def project(self, project: str) -> None:
        """Remove all versions, tasks and shares of a project."""
        await forget_former(self.store, project)
        while shares := (await self.datasets.shares_of(project)).rows:
            await self.store.transact(*(Delete(ProjectShare, row.key_values()) for row in shares))
        while tasks := (await self.datasets.tasks(project, limit=ROWS_PER_STEP)).rows:
            for task in tasks:
                await self.blobs.delete(task.plan)
            await self.store.transact(*(Delete(ProjectTask, row.key_values()) for row in tasks))
        while rows := (await self.datasets.versions(project)).rows:
            for version in rows:
                await self.version(version)
                await self.store.transact(Delete(DatasetVersion, version.key_values()))

    async def version(self, version: DatasetVersion) -> None:
        """Remove what a version holds: bytes, then the rows that find them."""
        places = ((self.stores[0], version.root), (self.stores[-1], frozen_of(version.root)))
        for blobs, root in places:
            async for blob in blobs.list(f"{root}/"):
                await blobs.delete(blob.key)
        while rows := (await self.datasets.files(version.root)).rows:
            for start in range(0, len(rows), ROWS_PER_STEP):
                some = rows[start : start + ROWS_PER_STEP]
                deletes = [Delete(VersionFile, row.key_values(), (Exists(),)) for row in some]
                size = sum(row.size for row in some) if version.charged else 0
                less = Update(DatasetVersion, version.key_values(), add={"charged": -size})
                charge = await self.usages.charge(version.owner, -size)
                with suppress(ConditionFailed):  # one was taken meanwhile: look again
                    await self.store.transact(*deletes, less, *charge)
        await self._uncharge(version.project, version.number)

    async def _uncharge(self, project: str, number: int) -> None:
        """Count off what is charged for images that never had rows."""
        while (version := await self.datasets.version(project, number)) and version.charged:
            same = (Equals("charged", version.charged),)
            none = Update(DatasetVersion, (project, number), set={"charged": 0}, when=same)
            charge = await self.usages.charge(version.owner, -version.charged)
            with suppress(ConditionFailed):
                await self.store.transact(none, *charge)


@dataclass
class PurgeDataset:
    """`purge_dataset`: removes a deleted version."""

    forgetting: Forgetting

    async def run(self, lease: Lease) -> None:
        payload = lease.unit.payload
        version = await self.forgetting.datasets.version(payload["project"], payload["version"])
        if version is None or version.deleted is None:
            await lease.vanish()
            return
        making = await self.forgetting.datasets.task(version.project, version.task)
        if making is not None and not making.state.terminal:  # it may still write
            await lease.release(SOON_MS)
            return
        await self.forgetting.version(version)
        await lease.vanish(Delete(DatasetVersion, version.key_values()))
        log.info("version purged", action="version_purged", **version.log_context())

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: bytes that should be gone must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))


@dataclass
class RedactVersion:
    """`redact_version`: writes what is left of a version's texts."""

    forgetting: Forgetting

    async def run(self, lease: Lease) -> None:
        """Write them until nothing went meanwhile, so that one unit is enough for all that goes."""
        payload = lease.unit.payload
        project, number = payload["project"], payload["version"]
        while True:
            version = await self.forgetting.datasets.version(project, number)
            if version is None or version.deleted is not None:
                await lease.vanish()
                return
            if version.state is VersionState.BUILDING:  # who makes it tells only of what is there
                await lease.release(SOON_MS)
                return
            if version.lost:
                await self._rewrite(version)
            same = (Equals("lost", version.lost), Equals("state", version.state))
            with suppress(ConditionFailed):
                await lease.vanish(Check(DatasetVersion, version.key_values(), same))
                return

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: what is written of an image that had to go must go."""
        await lease.release(LOOK_AGAIN_MS, str(error))

    async def _rewrite(self, version: DatasetVersion) -> None:
        blobs = self.forgetting.blobs
        await blobs.delete(f"{version.root}/document")
        async for blob in blobs.list(f"{version.root}/exports/"):
            if not is_of(version, blob.key):
                await blobs.delete(blob.key)
        with suppress(NotFound):  # it never came so far
            await without_gone(blobs, self.forgetting.datasets, version.root)


def is_of(version: DatasetVersion, key: str) -> bool:
    """Tell whether a blob is of an export of what is left of a version now."""
    name = key.removesuffix("-content").removesuffix("-layout")
    return name.endswith(f"-{version.lost}")
