"""`annotations`: read a set of annotations, check it, and put it on the members of a project.

A slot reads; nothing is stored before all of it is checked, and nothing at all while there are
errors, unless they are to be skipped. What was checked is kept in blobs first, so that a task that
was cut goes on with the same. It is stored some files at a time, so readers see part of it while
that lasts; what somebody draws meanwhile stays. What fails on the way is taken back, and `undo`
takes all of it back later.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from mediamill.annotations.book import Book
from mediamill.annotations.checks import Annotated
from mediamill.annotations.index import FileFacts
from mediamill.annotations.model import ImageAnnotations
from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConditionFailed, MediamillError, NotFound, by_code
from mediamill.engine.inputs import call_item, home_of, opened, scratch_file
from mediamill.engine.slots import Call, CallItem, Failed, Progress, SlotPool, Succeeded
from mediamill.handlers.datasets.moving import Move, Mover, Place
from mediamill.handlers.datasets.task import Work
from mediamill.handlers.datasets.undo import take_back
from mediamill.store.repositories.annotation_bringing import bring
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.datasets import ProjectTask
from mediamill.store.repositories.files import File
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.projects import ProjectFile, Projects

KIND = "annotations"
NAMES = ("annotated", "findings", "book")
BATCH = 1_000
AT_ONCE = 200
FOLDER = "folder:"
"""What begins the tag that says where a pushed file stood."""
READ = 0.5
"""The part of the progress that reading and checking is."""


def blob_at(task: ProjectTask, name: str) -> str:
    """Return where one of `NAMES` of an import lies."""
    return f"annotations/{task.project}/imports/{task.id}/{name}"


@dataclass
class Annotate:
    """Imports sets of annotations."""

    annotations: Annotations
    projects: Projects
    lookup: FileLookup
    blobs: Blobs
    results: Blobs
    slots: SlotPool
    scratch: Path
    mover: Mover

    async def run(self, work: Work) -> dict[str, Any]:
        task = work.task
        counts = await self._checked(task)
        if counts is None:
            counts = await self._check(work)
        clean = not counts["errors"] or task.request["skip_invalid"]
        stored = bool(clean and not task.request["dry_run"])
        if stored:
            with suppress(NotFound):  # an earlier claim stored all of it
                if task.request.get("apply_splits"):
                    await self._plan(task)
                counts["drawn_since"] = await self._store(work, int(counts["images"]))
                if task.request.get("apply_splits"):
                    counts["moved"], _ = await self.mover.follow(task.project, task.plan)
            await self.blobs.delete(blob_at(task, "annotated"))
        return {**counts, "stored": stored, "total": counts["images"]}

    async def give_up(self, work: Work, error: MediamillError) -> None:
        """Take back what was stored before it failed."""
        task = work.task
        with suppress(NotFound):
            await self.mover.follow(task.project, task.plan, back=True)
        await take_back(self.annotations, task.project, task.id, task.user)
        for name in (*NAMES, "counts"):
            await self.blobs.delete(blob_at(task, name))

    async def _plan(self, task: ProjectTask) -> None:
        """Write down which members change their split, as the set says it."""
        said = {one.file: one.split async for one in self._lines(task) if one.split}
        rows = await self.projects.holding(task.project, list(said))
        await self.mover.write(task.plan, [_move(row, said[file]) for file, row in rows.items()])

    async def _checked(self, task: ProjectTask) -> dict[str, Any] | None:
        """Return the counts of a check that is over; None where there is none yet."""
        try:
            found = msgspec.json.decode(await self.blobs.get(blob_at(task, "counts")))
        except NotFound:
            return None
        return dict(found)

    async def _check(self, work: Work) -> dict[str, Any]:
        task = work.task
        (file,) = await self.lookup.get_many([task.request["file"]])
        if file is None or file.hidden:
            raise NotFound("The file with the annotations is not there any more.")
        async with AsyncExitStack() as stack:
            home = home_of(file, self.blobs, self.results)
            descriptor = await stack.enter_async_context(opened(home, file.blob, self.scratch))
            listed, size = await self._listed(task.project)
            stack.callback(os.close, listed)
            files = CallItem(0, listed, "files.jsonl", "application/x-ndjson", size)
            known, size = await self._known(task.project)
            stack.callback(os.close, known)
            book = CallItem(0, known, "book.json", "application/json", size)
            item = replace(call_item(0, file, descriptor), partners=(files, book))
            slot = await stack.enter_async_context(self.slots.acquire())
            call = Call(((task.request["format"], {}),), (item,), kind="annotations")
            async for event in slot.run(call):
                if isinstance(event, Progress):
                    await work.show(round(READ * 1000 * event.fraction), 1000)
                elif isinstance(event, Failed):
                    raise by_code(event.code)(event.message)
                elif isinstance(event, Succeeded):
                    for name, output in zip(NAMES, event.outcome.files, strict=True):
                        await self.blobs.adopt(blob_at(task, name), output.path)
                    counts = dict(event.outcome.data or {})
        await self.blobs.put(blob_at(task, "counts"), msgspec.json.encode(counts))
        return counts

    async def _listed(self, project: str) -> tuple[int, int]:
        """Write what files a project has, a line each; return a descriptor and the size."""
        descriptor = scratch_file(self.scratch)
        with os.fdopen(os.dup(descriptor), "wb") as out:
            async for batch in self._batches(project):
                files = await self.lookup.get_many(batch)
                facts = (
                    FileFacts(file.id, path_of(file), file.width, file.height)
                    for file in files
                    if file is not None and not file.hidden
                )
                lines = b"".join(msgspec.json.encode(fact) + b"\n" for fact in facts)
                await asyncio.to_thread(out.write, lines)
        return descriptor, os.fstat(descriptor).st_size

    async def _known(self, project: str) -> tuple[int, int]:
        """Write the classes of a project; return a descriptor and the size."""
        data = msgspec.json.encode((await self.annotations.book(project)).book)
        descriptor = scratch_file(self.scratch)
        with os.fdopen(os.dup(descriptor), "wb") as out:
            await asyncio.to_thread(out.write, data)
        return descriptor, len(data)

    async def _batches(self, project: str) -> AsyncIterator[list[str]]:
        batch: list[str] = []
        async for row in self.projects.walk(project):
            batch.append(row.file)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    async def _store(self, work: Work, total: int) -> int:
        """Put what was checked on the members; return on how many somebody has drawn since.

        What an earlier claim stored is found there, and what was drawn on since is left alone.
        """
        task = work.task
        book = msgspec.json.decode(await self.blobs.get(blob_at(task, "book")), type=Book)
        await self._keep_document(task.project, book)
        waiting: dict[str, ImageAnnotations] = {}
        done = left = 0
        async for one in self._lines(task):
            waiting[one.file] = one.content
            if len(waiting) == AT_ONCE:
                done += len(waiting)
                left += await self._bring(task, waiting, book)
                await work.show(round(total * (READ + (1 - READ) * done / max(1, total))), total)
                waiting = {}
        return left + await self._bring(task, waiting, book)

    async def _bring(
        self, task: ProjectTask, contents: dict[str, ImageAnnotations], book: Book
    ) -> int:
        there = await self.projects.holding(task.project, list(contents))
        kept = {file: content for file, content in contents.items() if file in there}
        return await bring(
            self.annotations, task.project, kept, book.categories, user=task.user, task=task.id,
            since=task.created,
        )  # fmt: skip

    async def _keep_document(self, project: str, book: Book) -> None:
        """Keep what a COCO file says of itself (`info`, `licenses`), for its export."""
        while True:
            known = await self.annotations.book(project)
            if not book.document or known.book.document == book.document:
                return
            changed = msgspec.structs.replace(known.book, document=book.document)
            with suppress(ConditionFailed):
                await self.annotations.write_book(project, known, changed)

    async def _lines(self, task: ProjectTask) -> AsyncIterator[Annotated]:
        rest = b""
        async for chunk in self.blobs.read(blob_at(task, "annotated")):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield msgspec.json.decode(line, type=Annotated)


def path_of(file: File) -> str:
    """Return a file's name with the folders that it came in: of an archive, or pushed."""
    place = str(file.lineage.get("path", ""))
    tags = (tag.removeprefix(FOLDER) for tag in file.tags if tag.startswith(FOLDER))
    folder = place.rpartition("/")[0] or next(tags, "")
    return f"{folder}/{file.name}" if folder else file.name


def _move(row: ProjectFile, split: str) -> Move:
    place = Place.of(row)
    return Move(row.file, place, msgspec.structs.replace(place, split=split))
