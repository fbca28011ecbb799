"""`import`: make the members of archives files of a project.

Members are taken in the order of the archive, a portion at a time; the task's row says how many
are done, in the transaction that follows theirs, and their ids are told by the task and their
place among those that are wanted. So a task that is cut goes on, and what it had taken already is
found by its id. While a portion gets its rows, the next one is written and looked at, and the one
after that is read.

Folders say the split of an image where one is called so (`train`, `valid`, `val`, `validation`,
`test`), and its class where that is asked for: the last folder that is no split and none of those
in which sets keep images. Annotations are not taken here: their names are told.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from mediamill.annotations.model import ImageAnnotations
from mediamill.annotations.tree import split_called, split_of
from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConditionFailed, InvalidInput, MediamillError, NotFound
from mediamill.core.threads import to_end
from mediamill.engine.gathering.ahead import ahead
from mediamill.engine.gathering.members import selection
from mediamill.engine.inputs import home_of, opened
from mediamill.handlers.datasets.bringing import Bringing, Taking, id_of
from mediamill.handlers.datasets.portions import Held, Portion, Reading, portions
from mediamill.handlers.datasets.task import Plain, Work
from mediamill.handlers.files.thumbnails import drawing_later
from mediamill.media.archive.read import Member, read_members
from mediamill.operations.work import Source
from mediamill.store.repositories.annotation_bringing import bring
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.datasets import ProjectTask, noting
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Jobs
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.projects import member
from mediamill.store.repositories.results import Results

ZIP = "application/zip"
KEEPING = frozenset({"images", "image", "jpegimages", "data", "img", "imgs", "photos"})
MARKINGS = (".json", ".xml", ".yaml", ".yml", ".txt", ".jsonl", ".csv", ".md")
"""Endings of what describes images, rather than being some."""
PICTURES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".heic", ".heif", ".avif",
})  # fmt: skip
TURN_SECONDS = 300
SHOWN = 50
"""Failures, and annotations, that the task names."""


@dataclass(frozen=True)
class Bag:
    """An archive to be emptied, and the group of what is in it."""

    file: File
    group: str = ""


@dataclass
class ImportMembers(Plain):
    """Empties archives into projects."""

    lookup: FileLookup
    jobs: Jobs
    results: Results
    annotations: Annotations
    taking: Taking
    blobs: Blobs
    made: Blobs
    scratch: Path

    async def run(self, work: Work) -> dict[str, Any] | None:
        told: dict[str, Any] = {
            "taken": 0, "failed": 0, "failures": [], "annotations": [], **work.task.outcome,
        }  # fmt: skip
        began, place = time.monotonic(), 0
        wanted = await self._wanted(work.task)
        with suppress(ConditionFailed):  # it is there already
            await work.lease.units.insert([drawing_later(work.task)])
        work.lease.woken.add("housekeeping")
        for bag in await self._bags(work):
            home = home_of(bag.file, self.blobs, self.made)
            async with opened(home, bag.file.blob, self.scratch) as descriptor:
                source = Source(descriptor, bag.file.name, ZIP, bag.file.size)
                members = await asyncio.to_thread(_members, source, wanted)
                if place >= work.task.done:
                    coming = [id_of(work.task, n) for n in _pictures(members, place)]
                    await self.taking.require_room(work.project.id, coming)
                due = (one for one in portions(members, place) if one.end > work.task.done)
                place += len(members)
                looking = self._looked(work, bag, source, due)
                async with aclosing(ahead(looking)) as looked:
                    async for some in looked:
                        await self._take(work, some, told)
                        total = max(some.end, len(members))
                        await work.lease.write(
                            noting(work.task, done=some.end, total=total, outcome=told)
                        )
                        if time.monotonic() - began > TURN_SECONDS:
                            await work.lease.release()
                            return None
        if wanted and not place:
            raise InvalidInput.at("members", "Nothing in there is called so.")
        return {**told, "total": place}

    async def _wanted(self, task: ProjectTask) -> Sequence[str]:
        """Return the names that the task was told; none for all members."""
        if "members_planned" in task.request:
            return msgspec.json.decode(await self.blobs.get(task.plan), type=list[str])
        return list(task.request.get("members", ()))

    async def _bags(self, work: Work) -> list[Bag]:
        """Return the archives that are asked for; raises `InvalidInput`."""
        request = work.task.request
        if request.get("file"):
            file = await self.lookup.get(request["file"])
            if file is None or file.media_type != ZIP:
                raise InvalidInput.at("file", "There is no such zip archive any more.")
            made = file.source == "result"
            return [Bag(file, (await self.lookup.root(file.id) or "") if made else "")]
        job = await self.jobs.get(request["job"])
        if job is None or job.hidden:
            raise NotFound(f"There is no job {request['job']} any more.")
        found: list[Bag] = []
        async for row in self.results.walk_stage(job.id, job.stage):
            ids = [row.file_id(n) for n, made in enumerate(row.files) if made.media_type == ZIP]
            files = await self.lookup.get_many(ids)
            there = (file for file in files if file is not None and not file.hidden)
            found.extend(Bag(file, row.root or row.input) for file in there)
        if not found:
            raise InvalidInput.at("job", "The job has made no archives: name `output_project`.")
        return found

    async def _looked(
        self, work: Work, bag: Bag, source: Source, due: Iterator[Portion]
    ) -> AsyncGenerator[Portion, None]:
        """Yield portions whose members were written and looked at; those after them are read."""
        held = Held()
        async with aclosing(ahead(self._read(work, bag, source, due, held))) as coming:
            async for some in coming:
                some.looked = await self.taking.look(work.task.user, some.coming)
                some.coming = [replace(one, data=b"") for one in some.coming]
                held.give(some.size)
                yield some

    async def _read(
        self, work: Work, bag: Bag, source: Source, due: Iterator[Portion], held: Held
    ) -> AsyncGenerator[Portion, None]:
        """Yield portions whose members were read."""
        reading = Reading(source, cut=not bag.file.open_to(work.task.user))
        for some in due:
            images = list[tuple[int, Member, PurePosixPath]]()
            for n, one in enumerate(some.members, some.start):
                path = PurePosixPath(one.name)
                if path.suffix.lower() in MARKINGS and not _aside(path):
                    some.aside.append(one.name)
                elif not _aside(path):
                    images.append((n, one, path))
            await held.take(some.size)
            contents = await to_end(reading.all, [one for _, one, _ in images])
            for (n, one, path), data in zip(images, contents, strict=True):
                if isinstance(data, MediamillError):
                    some.failed.append((one.name, data))
                else:
                    self._add(work, bag, some, n, path, data)
            yield some

    def _add(
        self, work: Work, bag: Bag, some: Portion, place: int, path: PurePosixPath, data: bytes
    ) -> None:
        """Add an image to a portion."""
        split, label = read_folders(path, work.task.request["folders"])
        row = member(
            work.project.id, id_of(work.task, place), work.task.created, split=split,
            group=bag.group,
        )  # fmt: skip
        lineage = {"archive": bag.file.id, "path": some.members[place - some.start].name}
        some.coming.append(Bringing(row.file, path.name, data, row, lineage))
        if label:
            some.labels[row.file] = label

    async def _take(self, work: Work, some: Portion, told: dict[str, Any]) -> None:
        """Give members their rows; note what came of each."""
        told["annotations"] = [*told["annotations"], *some.aside][:SHOWN]
        for name, error in some.failed:
            _failed(told, name, error)
        if some.looked is None or not some.coming:
            return
        refused = await self.taking.join(some.looked, draw=False)
        for brought, wrong in zip(some.coming, refused, strict=True):
            if wrong is not None:
                _failed(told, str(brought.lineage["path"]), wrong)
                some.labels.pop(brought.file, None)
            else:
                told["taken"] += 1
        if some.labels:
            await self._label(work, some.labels)

    async def _label(self, work: Work, labels: dict[str, str]) -> None:
        """Mark images with the classes that folders say."""
        files = await self.lookup.get_many(list(labels))
        contents = {
            file.id: ImageAnnotations(file.width, file.height, labels=(labels[file.id],))
            for file in files
            if file is not None and file.width
        }
        user = work.task.user
        await bring(self.annotations, work.project.id, contents, user=user, over=False)


def read_folders(path: PurePosixPath, folders: str) -> tuple[str, str]:
    """Return the split and the class that a member's folders say; empty for none."""
    if folders == "none":
        return "", ""
    split = split_of(str(path), named=False)
    if folders != "split-and-class":
        return split, ""
    names = (name for name in path.parts[:-1] if not split_called(name))
    rest = [name for name in names if name.lower() not in KEEPING]
    return split, rest[-1][:200] if rest else ""


def _pictures(members: Sequence[Member], first: int) -> list[int]:
    """Return the places of the members that are images by their names, from a place on."""
    paths = [PurePosixPath(one.name) for one in members]
    return [
        place for place, path in enumerate(paths, first)
        if path.suffix.lower() in PICTURES and not _aside(path)
    ]  # fmt: skip


def _aside(path: PurePosixPath) -> bool:
    """Tell whether a member is only there for a desktop."""
    return path.name.startswith(".") or path.parts[0] == "__MACOSX"


def _members(source: Source, patterns: Sequence[str]) -> list[Member]:
    """Return the members of an archive that are called as wanted; all where nothing says how."""
    with source.open() as stream:
        members = read_members(stream)
    if not patterns:
        return members
    wanted = selection(patterns, lambda _: True, {one.name for one in members})
    return [one for one in members if wanted(one.name)]


def _failed(told: dict[str, Any], name: str, error: MediamillError) -> None:
    told["failed"] += 1
    if len(told["failures"]) < SHOWN:
        failure = {"path": name[:200], "code": error.code, "error": error.message[:200]}
        told["failures"] = [*told["failures"], failure]
