"""Sets of annotations that come and go whole: imports as tasks, exports as streams."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec
import structlog

from mediamill.annotations.index import Finding
from mediamill.annotations.model import ImageAnnotations
from mediamill.annotations.write import LEFT_OUT, RENAMED, Format, Losses, Pictured, written
from mediamill.annotations.write_yolo import SPLITS, stem_of
from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal, Right
from mediamill.core.errors import InvalidInput, NotFound
from mediamill.handlers.datasets.annotate import KIND, blob_at, path_of
from mediamill.media.archive.names import Names
from mediamill.media.archive.write import ArchiveWriter
from mediamill.services.access import Access
from mediamill.services.projects.tasks import TaskService
from mediamill.store.port import Page
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.datasets import ProjectTask
from mediamill.store.repositories.files import File
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.projects import Project, Projects

log = structlog.get_logger(__name__)

MAX_BYTES = 2 << 30
"""Of a file that is imported."""
BATCH = 500
CHUNK = 1 << 18


@dataclass(frozen=True)
class Exported:
    """An export: its bytes, how many there are, its type and what it is called."""

    chunks: AsyncIterator[bytes]
    size: int
    media_type: str
    name: str


@dataclass
class TransferService:
    """What a caller may do with sets of annotations."""

    access: Access
    annotations: Annotations
    projects: Projects
    lookup: FileLookup
    tasks: TaskService
    blobs: Blobs
    scratch: Path

    async def begin(
        self,
        principal: Principal,
        project_id: str,
        file_id: str,
        form: str = "",
        *,
        dry_run: bool = False,
        skip_invalid: bool = False,
        apply_splits: bool = False,
    ) -> ProjectTask:
        """Have a file's annotations checked and, unless it is a dry run, put on the members.

        `apply_splits` also moves members to the splits that the set says.
        """
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        file = await self.access.load(principal, File, file_id)
        if why := file.obstacle:
            raise InvalidInput.at("file", why)
        if file.size > MAX_BYTES:
            raise InvalidInput.at("file", f"Sets may have at most {MAX_BYTES:,} bytes.")
        request = {"file": file.id, "format": form, "dry_run": dry_run,
                   "skip_invalid": skip_invalid, "apply_splits": apply_splits}  # fmt: skip
        return await self.tasks.begin(principal, project, KIND, request)

    async def findings(
        self, principal: Principal, project_id: str, task_id: str, after: str | None, limit: int
    ) -> Page[Finding]:
        """List what is wrong with a set that was checked, in the order it was found.

        Raises `NotFound` for no such import, while it is not checked, and from a day after it.
        """
        task = await self.tasks.get(principal, project_id, task_id)
        if task.kind != KIND:
            raise NotFound(f"{task_id} is no import of annotations.")
        if after is not None and not (after.isascii() and after.isdigit() and len(after) < 9):
            raise ValueError(after)
        first = int(after or 0)
        try:
            data = await self.blobs.get(blob_at(task, "findings"))
        except NotFound:
            message = "There are no findings: they come with the check, and stay a day."
            raise NotFound(message) from None
        lines = data.splitlines()
        rows = [msgspec.json.decode(line, type=Finding) for line in lines[first : first + limit]]
        more = first + limit < len(lines)
        return Page(tuple(rows), str(first + limit) if more else None)

    async def export(self, principal: Principal, project_id: str, form: Format) -> Exported:
        """Write all annotations of a project: COCO as one file, YOLO and VOC as a zip.

        What those cannot hold is counted in their `not-exported.json`. Labels of YOLO are called
        after their picture without its ending: of `cat.jpg` and `cat.png` in a split the second is
        `cat (2).png`, and `renamed.json` tells so, with the split.
        """
        project = await self.access.load(principal, Project, project_id)
        book = (await self.annotations.book(project.id)).book
        pictures = tempfile.TemporaryFile(dir=self.scratch)  # noqa: SIM115 - closed with `out`
        out = tempfile.TemporaryFile(dir=self.scratch)  # noqa: SIM115 - closed by `_chunks`
        try:
            naming = Naming(form)
            await self._spool(project, pictures, naming)
            write, losses = _coco if form == "coco" else _zip, Losses()
            files = written(form, book.categories, _pictured(pictures), book.document, losses)
            beside = {LEFT_OUT: losses.counts, RENAMED: naming.renamed}
            size = await asyncio.to_thread(write, files, out, beside)
        except BaseException:
            out.close()
            raise
        finally:
            pictures.close()
        kind = "application/json" if form == "coco" else "application/zip"
        name = f"{project.name}-{form}.{kind.rpartition('/')[2]}"
        return Exported(_chunks(out), size, kind, name)

    async def _spool(self, project: Project, out: IO[bytes], naming: "Naming") -> None:
        """Write a line for each picture that is a member."""
        batch: list[Any] = []
        async for row in self.projects.walk(project.id):
            batch.append(row)
            if len(batch) == BATCH:
                await self._batch(project.id, batch, naming, out)
                batch = []
        await self._batch(project.id, batch, naming, out)
        out.seek(0)

    async def _batch(self, project: str, rows: list[Any], naming: "Naming", out: IO[bytes]) -> None:
        ids = [row.file for row in rows]
        drawn = await self.annotations.of(project, ids)
        lines: list[bytes] = []
        for row, file in zip(rows, await self.lookup.get_many(ids), strict=True):
            if file is None or file.hidden or not file.width:
                continue
            content = ImageAnnotations(file.width, file.height)
            if file.id in drawn:
                content = ImageAnnotations.decode(drawn[file.id])
            picture = Pictured(naming.claim(path_of(file), row.split), content, row.split)
            lines.append(msgspec.json.encode(picture) + b"\n")
        await asyncio.to_thread(out.writelines, lines)


class Naming:
    """Names pictures, each once; as YOLO calls labels once in its split, without the ending."""

    def __init__(self, form: Format) -> None:
        self._names, self._stems = Names(), form == "yolo"
        self.renamed: dict[str, str] = {}
        """Where pictures are called otherwise, as their own name was taken, and that name.

        By split (`train/cat (2).png`) where names are told apart within it.
        """

    def claim(self, path: str, split: str) -> str:
        """Return what a picture of a split is called."""
        folder, stem = (f"{SPLITS[split]}/", stem_of(path)) if self._stems else ("", path)
        found = self._names.claim(folder + stem).removeprefix(folder) + path[len(stem) :]
        if found != path:
            self.renamed[folder + found] = path
        return found


def _pictured(lines: IO[bytes]) -> Iterator[Pictured]:
    decoder = msgspec.json.Decoder(Pictured)
    for line in lines:
        yield decoder.decode(line)


def _coco(files: Iterator[Any], out: IO[bytes], beside: Mapping[str, Any]) -> int:
    for _, chunks in files:
        out.writelines(chunks)
    size = out.tell()
    out.seek(0)
    return size


def _zip(files: Iterator[Any], out: IO[bytes], beside: Mapping[str, Any]) -> int:
    """Write files as a stored zip, and what is to be told beside them; return its size."""
    with ArchiveWriter(out) as archive:
        for name, chunks in files:
            archive.add(name, b"".join(chunks))
        for name, told in beside.items():
            if told:
                archive.add(name, msgspec.json.encode(told, order="sorted"))
    size = out.tell()
    out.seek(0)
    return size


async def _chunks(out: IO[bytes]) -> AsyncIterator[bytes]:
    with out:
        while chunk := await asyncio.to_thread(out.read, CHUNK):
            yield chunk
