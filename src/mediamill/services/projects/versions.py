"""Frozen versions: made, listed, compared, exported, deleted."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.errors import ConditionFailed, Conflict, Gone, InvalidInput, NotFound
from mediamill.core.ids import new_id
from mediamill.datasets.document import FROZEN
from mediamill.datasets.exporting import Wanted
from mediamill.handlers.datasets.export import (
    Laid,
    blob_at,
    export_unit,
    laid_at,
    members_of,
)
from mediamill.handlers.datasets.forget import PURGE
from mediamill.handlers.datasets.task import task_unit
from mediamill.media.archive import layout, tar
from mediamill.media.archive.names import safe_name
from mediamill.media.privacy.cutting import VERSION
from mediamill.operations.catalogue import Catalogue
from mediamill.services.access import Access
from mediamill.services.content import Content
from mediamill.services.jobs.inputs import Named
from mediamill.services.jobs.requests import JobRequest
from mediamill.services.jobs.service import JobService
from mediamill.services.projects.comparing import Difference, compared
from mediamill.services.projects.tasks import Patience, TaskService
from mediamill.store.port import Absent, Equals, Page, Put, Update
from mediamill.store.repositories.datasets import (
    Datasets,
    DatasetVersion,
    ProjectTask,
    VersionState,
)
from mediamill.store.repositories.projects import SUBSETS, Project
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

ZIP, TAR = "application/zip", "application/x-tar"
MOST_COMPARED = 200_000
"""Images of two versions that are compared name by name."""
SHARD_SIZES = (*(n * 10**power for power in range(5) for n in (1, 2, 5)), 100_000)
"""Images of a shard: few sizes, as each shard that was asked for is kept for a while."""

Steps = tuple[tuple[str, dict[str, Any]], ...]


@dataclass
class VersionService:
    """What a caller may do with the versions of a project."""

    access: Access
    datasets: Datasets
    units: Units
    tasks: TaskService
    jobs: JobService
    operations: Catalogue
    blobs: Blobs
    results: Blobs
    bell: Doorbell

    async def create(
        self,
        principal: Principal,
        project_id: str,
        name: str = "",
        steps: Steps = (),
        seed: int | None = None,
        subsets: tuple[str, ...] = ("original",),
    ) -> DatasetVersion:
        """Begin to freeze a project; with steps a job of the caller's runs them first.

        Raises `InvalidInput` for what a job would be refused for, and for an empty project.
        """
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        for subset in subsets:
            if subset not in SUBSETS:
                raise InvalidInput.at("subsets", f"The subsets are {', '.join(SUBSETS)}.")
        if steps and len(subsets) != 1:
            raise InvalidInput.at("subsets", "Steps are run over one subset: name one.")
        if not sum(sum(project.counts[subset].values()) for subset in subsets):
            raise InvalidInput.at("subsets", "The project has no files of these subsets.")
        if steps and await self.datasets.working(project.id):
            message = "A task of the project is at work, and steps would see half of what it does: "
            raise Conflict(f"{message}make the version when it has ended.", state="working")
        job = await self._job(principal, project, name, steps, seed, subsets) if steps else None
        resolved = [] if job is None else [
            {"operation": step.operation, "parameters": step.parameters} for step in job.steps
        ]  # fmt: skip
        request = {
            "steps": resolved, "seed": seed if job is None else job.seed, "subsets": list(subsets),
        }  # fmt: skip
        return await self._begin(principal, project, name, request, "" if job is None else job.id)

    async def _job(
        self, principal: Principal, project: Project, name: str, steps: Steps, seed: int | None,
        subsets: tuple[str, ...],
    ) -> Any:  # fmt: skip
        named = Named(project=project.id, subset=subsets[0])
        title = f"{project.name}: {name or 'version'}"[:200]
        request = JobRequest(named=named, steps=steps, seed=seed, name=title)
        return await self.jobs.submit(principal, request)

    async def _begin(
        self, principal: Principal, project: Project, name: str, request: dict[str, Any], job: str
    ) -> DatasetVersion:
        """Write the version under the next number, together with its task."""
        while True:
            number, now = project.last_version + 1, await self.units.store.now()
            task = ProjectTask(
                project=project.id, id=new_id("task"), kind="version", user=principal.user,
                request={"version": number}, total=project.files, created=now,
            )  # fmt: skip
            version = DatasetVersion(
                project=project.id, number=number, owner=project.owner, user=principal.user,
                name=name, request=request, job=job, task=task.id, created=now,
            )  # fmt: skip
            counted = Update(
                Project, (project.id,), set={"last_version": number},
                when=(Equals("last_version", number - 1), Equals("deleted", None)),
            )  # fmt: skip
            try:
                await self.units.insert(
                    [task_unit(task, project.owner, now)], counted,
                    Put(task, (Absent(),)), Put(version, (Absent(),)),
                )  # fmt: skip
            except ConditionFailed:
                project = await self.access.load(principal, Project, project.id, Right.EDIT)
            else:
                break
        log.info("version begun", action="version_begun", job=job, **version.log_context())
        await self.bell.ring("work:transfer")
        return version

    async def list(
        self, principal: Principal, project_id: str, after: str | None, limit: int
    ) -> Page[DatasetVersion]:
        """List the versions of a project, newest first."""
        project = await self.access.load(principal, Project, project_id)
        page = await self.datasets.versions(project.id, after, limit)
        return Page(tuple(row for row in page.rows if row.deleted is None), page.after)

    async def get(
        self, principal: Principal, project_id: str, number: int, right: Right = Right.VIEW
    ) -> DatasetVersion:
        """Return one version; raises `NotFound`, `Forbidden`."""
        project = await self.access.load(principal, Project, project_id, right)
        version = await self.datasets.version(project.id, number)
        if version is None or version.deleted is not None:
            raise NotFound(f"There is no version {number}.")
        return version

    async def wait(
        self, principal: Principal, project_id: str, number: int, seconds: float
    ) -> DatasetVersion:
        """Return a version once it is made, or as it is when the time has run out."""
        store, patience = self.units.store, Patience()
        until = await store.now() + seconds * 1000
        while True:
            version = await self.get(principal, project_id, number)
            left = (until - await store.now()) / 1000
            if version.state is not VersionState.BUILDING or left <= 0:
                return version
            await patience.wait(left)

    async def delete(self, principal: Principal, project_id: str, number: int) -> None:
        """Remove a version for good; the project's files stay."""
        version = await self.get(principal, project_id, number, Right.EDIT)
        now = await self.units.store.now()
        gone = Update(DatasetVersion, version.key_values(), set={"deleted": now})
        unit = Unit.chore(
            PURGE, f"forget:{version.root}", 0, version.owner, cost=1.0, now=now, due=now,
            project=version.project, version=number,
        )  # fmt: skip
        with suppress(ConditionFailed):  # deleted twice at the same moment
            await self.units.insert([unit], gone)
        note("version_deleted", version.project, owner=version.owner, version=version.number)
        await self.bell.ring("work:housekeeping")

    # -- compared -------------------------------------------------------------------------------

    async def difference(
        self, principal: Principal, project_id: str, number: int, other: int | None = None
    ) -> Difference:
        """Tell how a version differs from another one, else from the one before it.

        Raises `NotFound`, `Gone`, `Conflict`.
        """
        if other is None:
            other = await self._before(await self.get(principal, project_id, number))
        versions = [await self.get(principal, project_id, n) for n in (number, other)]
        for version in versions:
            _require_whole(version)
        if sum(version.files for version in versions) > MOST_COMPARED:
            raise Conflict(f"Versions of more than {MOST_COMPARED:,} images are not compared.")
        return await compared(self.blobs, *versions)

    async def _before(self, version: DatasetVersion) -> int:
        """Return the number of the last version that was ready before one."""
        after: str | None = None
        while True:
            page = await self.datasets.versions(version.project, after)
            for row in page.rows:
                if (row.number < version.number and row.deleted is None
                        and row.state is VersionState.READY):  # fmt: skip
                    return row.number
            if (after := page.after) is None:
                message = f"There is no version before {version.number}: name one with `to`."
                raise NotFound(message)

    # -- exported -------------------------------------------------------------------------------

    async def document(self, principal: Principal, project_id: str, number: int) -> Content:
        """Return the canonical document, whose SHA-256 is the version's hash."""
        version = await self.get(principal, project_id, number)
        _require_whole(version)
        key = f"{version.root}/document"
        size = (await self.blobs.info(key)).size
        name = f"version-{number}.jsonl"

        def read(start: int, stop: int) -> AsyncIterator[bytes]:
            return self.blobs.read(key, start, stop)

        return Content(name, "application/jsonl", size, version.hash[:40], read)

    async def export(
        self,
        principal: Principal,
        project_id: str,
        number: int,
        wanted: Wanted,
        seconds: float = 0,
        *,
        rest: bool = False,
    ) -> Content:
        """Return a version in a format, as a zip or a tar, laid out within so many seconds.

        Its owner gets the bytes that were frozen, others what is left without metadata.

        Raises `Conflict` with the progress until it is laid out, or why it could not be; `Gone`
        when images of it had to go, unless the `rest` is asked for; `NotFound` for a shard beyond
        the last.
        """
        version = await self.get(principal, project_id, number)
        _require_whole(version, rest=rest)
        _require_shard(version, wanted)
        if version.owner != principal.user:
            wanted = replace(wanted, cut=VERSION)
        key = blob_at(version.root, wanted, version.lost)
        laid = await self._laid(version, wanted, key, seconds)
        if laid.error:
            await self.blobs.delete(key)
            message = f"The export failed, and is tried again when you ask again: {laid.error}"
            raise Conflict(message, state="failed")
        if wanted.shard is not None and laid.files == 0:
            raise NotFound(f"There is no shard {wanted.shard}.")
        project = await self.access.load(principal, Project, project_id)
        tarred = wanted.form == "webdataset"
        ending, media_type = ("tar", TAR) if tarred else ("zip", ZIP)
        name = f"{safe_name(project.name)}-v{number}-{wanted.key}.{ending}"

        def lines() -> AsyncIterator[layout.Member]:
            return members_of(self.blobs, key)

        def read(start: int, stop: int) -> AsyncIterator[bytes]:
            stream = tar.stream if tarred else layout.stream
            return stream(lines, self._bytes, start, stop)

        return Content(name, media_type, laid.size, laid.etag, read)

    def _bytes(self, blob: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """Read a blob of a layout where it lies."""
        home = self.results if blob.startswith(FROZEN) else self.blobs
        return home.read(blob, start, stop)

    async def _laid(
        self, version: DatasetVersion, wanted: Wanted, key: str, seconds: float
    ) -> Laid:
        store, patience = self.units.store, Patience()
        until = await store.now() + seconds * 1000
        while (laid := await laid_at(self.blobs, key)) is None:
            unit = export_unit(version, wanted, await store.now())
            with suppress(ConditionFailed):  # somebody has asked before
                await self.units.insert([unit])
                await self.bell.ring(f"work:{unit.klass}")
            left = (until - await store.now()) / 1000
            if left <= 0:
                known = await self.units.get(unit.group, unit.seq)
                _not_yet(0.0 if known is None else known.progress)
            await patience.wait(left)
        return laid


def _require_shard(version: DatasetVersion, wanted: Wanted) -> None:
    """Raise for a size that no shards have, and for a shard beyond the last."""
    if wanted.shard is None:
        return
    if wanted.shard_size not in SHARD_SIZES:
        sizes = ", ".join(f"{size:,}" for size in SHARD_SIZES)
        raise InvalidInput.at("shard_size", f"A shard has one of {sizes} images.")
    splits: dict[str, int] = version.summary["splits"]
    count = version.files
    if wanted.split is not None:
        unsplit = splits.get("", 0) if wanted.split == "train" and len(splits) > 1 else 0
        count = splits.get(wanted.split, 0) + unsplit
    if wanted.shard * wanted.shard_size >= count:
        raise NotFound(f"There is no shard {wanted.shard}.")


def _not_yet(progress: float) -> NoReturn:
    message = f"The export is being prepared ({progress:.0%}): ask again in a moment."
    raise Conflict(message, state="preparing", progress=round(progress, 3), retry_after=1)


def _require_whole(version: DatasetVersion, *, rest: bool = False) -> None:
    """Raise what keeps a version from being read."""
    if version.state is VersionState.BUILDING:
        raise Conflict("The version is being made: ask again in a moment.", state="building",
                       retry_after=1)  # fmt: skip
    if version.state is VersionState.FAILED:
        raise Conflict(f"The version could not be made: {version.error}", state="failed")
    if version.lost and not rest:
        raise Gone(
            f"{version.lost:,} of {version.files:,} images of version {version.number} had to go "
            "when they expired: its hash holds no more. `rest=true` gives what is left.",
            lost=version.lost, files=version.files, bytes=version.lost_bytes,
        )  # fmt: skip
