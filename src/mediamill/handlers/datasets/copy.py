"""`copy`: make a project of another's members, all or some drawn by a seed.

Files of whoever copies become members of both projects; those of others are copied, with a second
key for their bytes where that is possible, and are then files of their own; originals without what
they say of place, time, device and person.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mediamill.annotations.model import ImageAnnotations
from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConditionFailed, Forbidden, InvalidInput
from mediamill.engine.cutting import Cutting, write_cut
from mediamill.engine.inputs import home_of
from mediamill.handlers.datasets.bringing import AT_ONCE, Taking, id_of
from mediamill.handlers.datasets.task import Plain, Work
from mediamill.store.repositories.annotation_bringing import bring
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.datasets import Datasets
from mediamill.store.repositories.files import File
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.projects import ProjectFile, Projects, joining, member


@dataclass
class CopyMembers(Plain):
    """Fills a new project from another one."""

    projects: Projects
    datasets: Datasets
    lookup: FileLookup
    annotations: Annotations
    taking: Taking
    blobs: Blobs
    made: Blobs
    cutting: Cutting

    async def run(self, work: Work) -> dict[str, Any]:
        request, user = work.task.request, work.task.user
        source = await self.projects.get(request["source"])
        shared = await self.datasets.share(user, request["source"])
        if source is None or source.hidden or (source.owner != user and shared is None):
            raise InvalidInput("The project that is copied is not there any more.")
        rows = [row async for row in self.projects.walk(source.id)]
        rows = drawn(rows, request["files"], request["seed"])
        categories = await self.annotations.categories(source.id)
        copied, told = 0, Counter[str]()
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            files = await self.lookup.get_many([row.file for row in some])
            pairs = [
                (row, file)
                for row, file in zip(some, files, strict=True)
                if file is not None and not file.hidden and not file.obstacle
            ]
            ids = await self._members(work, pairs, told)
            marked = await self.annotations.of(source.id, list(ids))
            contents = {ids[file]: ImageAnnotations.decode(data) for file, data in marked.items()}
            await bring(
                self.annotations, work.project.id, contents, categories, user=work.task.user,
                over=False,
            )  # fmt: skip
            copied += len(ids)
            await work.show(copied, len(rows))
        return {"copied": copied, "left_out": len(rows) - copied, **told, "total": len(rows)}

    async def _members(
        self, work: Work, pairs: Sequence[tuple[ProjectFile, File]], told: Counter[str]
    ) -> dict[str, str]:
        """Make members of some files; return the id that each has in the copy, by the old one.

        What only its owner gets is left out, and counted as `withheld`.
        """
        own, others = list[ProjectFile](), list[tuple[File, ProjectFile]]()
        ids: dict[str, str] = {}
        for row, file in pairs:
            mine = file.owner == work.task.user
            known = file.id if mine else id_of(work.task, file.id)
            fresh = member(
                work.project.id, known, work.task.created, subset=row.subset,
                split=row.split, group=row.group,
            )  # fmt: skip
            if mine:
                own.append(fresh)
            else:
                copy = file.evolve(
                    id=known, created=work.task.created, lineage={"copy_of": file.id}
                )
                try:
                    others.append((await self._bytes(file, copy, work.task.user), fresh))
                except Forbidden:
                    told["withheld"] += 1
                    continue
            ids[file.id] = known
        await self._join(work, own)
        await self.taking.adopt(work.task.user, others)
        return ids

    async def _bytes(self, file: File, copy: File, user: str) -> File:
        """Give a file's bytes a second key, without metadata where others own it; return the copy.

        By way of here where they lie in another store, or are cut. Raises `Forbidden`.
        """
        home, key, parts = home_of(file, self.blobs, self.made), f"files/{copy.id}", None
        if not file.open_to(user):
            cut = await self.cutting.of(home, file.blob, file.name, file.size)
            parts = None if cut.whole else cut.parts
        if parts is None and home is self.blobs:
            await home.copy(file.blob, key)
            return copy
        made = await write_cut(home, file.blob, parts or ((0, file.size),), self.blobs, key)
        return copy.evolve(size=made.size, sha256=made.sha256, crc32=made.crc32)

    async def _join(self, work: Work, rows: Sequence[ProjectFile]) -> None:
        project = work.project
        while True:
            there = await self.projects.holding(project.id, [row.file for row in rows])
            fresh = [row for row in rows if row.file not in there]
            if not fresh:
                return
            try:
                await self.projects.store.transact(*joining(project, fresh))
            except ConditionFailed:
                current = await self.projects.get(project.id)
                if current is None or current.hidden:
                    raise InvalidInput("The copy was deleted meanwhile.") from None
                current.require_room(len(fresh))
                project = current
            else:
                return


def drawn(rows: Sequence[ProjectFile], count: int | None, seed: int) -> list[ProjectFile]:
    """Return so many members, the same for the same seed; all for None."""
    if count is None or count >= len(rows):
        return list(rows)

    def lot(row: ProjectFile) -> str:
        return hashlib.sha256(f"{seed}:{row.file}".encode()).hexdigest()

    chosen = {row.file for row in sorted(rows, key=lot)[:count]}
    return [row for row in rows if row.file in chosen]
