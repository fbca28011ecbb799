"""Annotations of the members of projects, with what they were before, and a project's classes.

A row holds what is drawn on one file in one project; over 8 kB it names a blob under
`annotations/{project}/{file}/`, whose key is new with each change, so a reader never sees half of
one. A change puts what was before into the history, of which the last `KEPT` are kept. All these
bytes count for the owner of the project (`charged`).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from mediamill.annotations.book import Book, bounded, counted
from mediamill.annotations.model import Category, ImageAnnotations
from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConditionFailed, NotFound, QuotaExceeded
from mediamill.core.ids import new_id
from mediamill.store.port import (
    MAX_ACTIONS,
    Absent,
    Action,
    Delete,
    Equals,
    Put,
    Store,
    key_index,
)
from mediamill.store.repositories.annotation_reading import AnnotationReads, Known
from mediamill.store.repositories.annotation_rows import (
    KEPT,
    AnnotationBook,
    AnnotationHistory,
    FileAnnotations,
)
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.results import parse_result_file
from mediamill.store.repositories.usage import Usages

INLINE = 8 << 10


@dataclass(frozen=True)
class Change:
    """New content of a file, with numbers for classes, over the row that was read."""

    file: str
    before: FileAnnotations | None
    content: ImageAnnotations


class Annotations(AnnotationReads):
    """Reads and writes; contents come and go with the names of classes unless it is said."""

    def __init__(self, store: Store, blobs: Blobs, usages: Usages | None = None) -> None:
        super().__init__(store, blobs)
        self.usages = usages or Usages(store)

    def unbounded(self) -> "Annotations":
        """Return the same, which counts bytes too, but past the quota."""
        return Annotations(self.store, self.blobs)

    # -- classes --------------------------------------------------------------------------------

    async def write_book(self, project: str, known: Known, book: Book) -> Known:
        """Replace the book that was read; raises `ConditionFailed` if it has changed since.

        Its bytes count to nobody's quota, so they are few: raises `InvalidInput` for more.
        """
        data = msgspec.json.encode(book)
        bounded(len(data))
        content, blob = await self._kept(f"{_root(project)}book", data)
        revision = known.revision + 1
        row = AnnotationBook(project=project, revision=revision, content=content, blob=blob)
        guard = Equals("revision", known.revision) if known.revision else Absent()
        try:
            await self.store.transact(Put(row, (guard,)))
        except ConditionFailed:
            await self._drop([blob])
            raise
        await self._drop([known.blob])
        return Known(book, revision, blob)

    async def add_classes(self, project: str, categories: Sequence[Category]) -> Known:
        """See to it that classes of these names are there; return the book."""
        while True:
            known = await self.book(project)
            wanted = known.book.with_added(categories)
            if wanted == known.book:
                return known
            with suppress(ConditionFailed):  # somebody else added some
                return await self.write_book(project, known, wanted)

    # -- writing --------------------------------------------------------------------------------

    async def write(
        self, project: str, changes: Sequence[Change], user: str, now: int, task: str = ""
    ) -> list[FileAnnotations]:
        """Write contents, all or none; raises `ConditionFailed` if one has changed since.

        At most 25 at a time, of an import (`task`) or of a user. What is as it was is not written.
        Raises `QuotaExceeded` when the owner of the project has no room.
        """
        rows: list[FileAnnotations] = []
        actions: list[Action] = []
        fresh, gone = list[str](), list[str]()
        more = 0
        for change in changes:
            data, before = change.content.encode(), change.before
            if before is not None and await self._as_read(before) == data:
                rows.append(before)
                continue
            freed = 0
            if before is not None:
                remembered, freed = await self._remember(before, gone)
                actions += remembered
            row = await self._row(project, change, data, user, now)
            row = row.evolve(charged=row.charged - freed, task=task)
            more += row.charged - (before.charged if before is not None else 0)
            guard = Absent() if before is None else Equals("revision", before.revision)
            actions.append(Put(row, (guard,)))
            rows.append(row)
            fresh.append(row.blob)
        if actions:
            try:
                await self._transact(project, more, actions)
            except (ConditionFailed, QuotaExceeded):
                await self._drop(fresh)
                raise
            await self._drop(gone)
        return rows

    async def _as_read(self, row: FileAnnotations) -> bytes:
        """Return the content of a row that was read; raises `ConditionFailed` if it changed."""
        try:
            return await self._content(row.content, row.blob)
        except NotFound:
            raise ConditionFailed("it has changed since") from None

    async def _row(
        self, project: str, change: Change, data: bytes, user: str, now: int
    ) -> FileAnnotations:
        before = change.before
        content, blob = await self._kept(f"{_root(project)}{change.file}", data)
        made = parse_result_file(change.file)
        classes = counted(change.content)
        return FileAnnotations(
            project=project,
            file=change.file,
            job=None if made is None else made[0],
            revision=1 if before is None else before.revision + 1,
            edits=1 if before is None else before.edits + 1,
            kept=0 if before is None else min(before.kept + 1, KEPT),
            content=content,
            blob=blob,
            size=len(data),
            charged=len(data) + (0 if before is None else before.charged),
            count=sum(classes.values()),
            classes=classes,
            user=user,
            changed=now,
        )

    async def _remember(self, before: FileAnnotations, gone: list[str]) -> tuple[list[Action], int]:
        """Put a row into the history and take out what is too old; return how many bytes that is.

        Its blob is added to `gone`.
        """
        earlier = AnnotationHistory(
            project=before.project, file=before.file, edit=before.edits, content=before.content,
            blob=before.blob, size=before.size, task=before.task, user=before.user,
            changed=before.changed,
        )  # fmt: skip
        actions: list[Action] = [Put(earlier)]
        if before.kept < KEPT:
            return actions, 0
        key = (before.project, before.file, before.edits - KEPT)
        oldest = await self.store.get(AnnotationHistory, *key)
        if oldest is None:
            return actions, 0
        gone.append(oldest.blob)
        return [*actions, Delete(AnnotationHistory, key)], oldest.size

    async def undo(self, row: FileAnnotations, user: str, now: int) -> FileAnnotations:
        """Bring back what was before the last change; raises `NotFound`, `ConditionFailed`."""
        key = (row.project, row.file, row.edits - 1)
        earlier = await self.store.get(AnnotationHistory, *key) if row.kept else None
        try:
            if earlier is None:
                raise NotFound("Nothing is kept of what was before.")
            data = await self._content(earlier.content, earlier.blob)
        except NotFound:
            now_there = await self.store.get(FileAnnotations, row.project, row.file)
            if now_there is None or now_there.revision == row.revision:
                raise
            raise ConditionFailed("it has changed since") from None
        classes = counted(ImageAnnotations.decode(data))
        back = row.evolve(
            revision=row.revision + 1, edits=row.edits - 1, kept=row.kept - 1,
            content=earlier.content, blob=earlier.blob, size=earlier.size, task=earlier.task,
            charged=row.charged - row.size, count=sum(classes.values()),
            classes=classes, user=user, changed=now,
        )  # fmt: skip
        guard = Equals("revision", row.revision)
        actions = Put(back, (guard,)), Delete(AnnotationHistory, key)
        await self._transact(row.project, -row.size, actions)
        await self._drop([row.blob])
        return back

    async def take_back(self, row: FileAnnotations, user: str, now: int) -> FileAnnotations:
        """Undo the last change, also the first one, after which nothing is drawn any more.

        Raises `ConditionFailed`.
        """
        if row.kept:
            return await self.undo(row, user, now)
        stored = await self.stored(row)
        data = ImageAnnotations(stored.width, stored.height).encode()
        back = row.evolve(
            revision=row.revision + 1, content=data, blob="", size=len(data), task="",
            charged=len(data), count=0, classes={}, user=user, changed=now,
        )  # fmt: skip
        more = back.charged - row.charged
        await self._transact(row.project, more, [Put(back, (Equals("revision", row.revision),))])
        await self._drop([row.blob])
        return back

    async def _transact(self, project: str, more: int, actions: Sequence[Action]) -> None:
        """Write rows, and charge the project's owner for so many more bytes, or fewer."""
        found = await self.store.get(Project, project)
        charge = () if found is None else await self.usages.charge(found.owner, more)
        if found is None or not charge:
            await self.store.transact(*actions)
            return
        async with self.usages.refusing(found.owner, charge):
            await self.store.transact(*charge, *actions)

    # -- removing -------------------------------------------------------------------------------

    async def forget_members(self, project: str, files: Sequence[str]) -> None:
        """Remove all that is drawn on files that are no members any more."""
        while rows := await self.rows(project, files):
            for row in rows.values():
                await self._forget(row)

    async def forget_file(self, file: str) -> None:
        """Remove all that is drawn on a file that is being purged, in every project."""
        index = FileAnnotations.index("annotations_of_file")
        while rows := (await self.store.query(FileAnnotations, index, file)).rows:
            for row in rows:
                await self._forget(row)

    async def forget_job(self, job: str) -> None:
        """Remove what is drawn on the results of a job that is being purged."""
        index = FileAnnotations.index("annotations_of_job")
        while rows := (await self.store.query(FileAnnotations, index, job)).rows:
            for row in rows:
                await self._forget(row)

    async def forget_project(self, project: str) -> None:
        """Remove all that is drawn in a project, and its classes."""
        async for blob in self.blobs.list(_root(project)):
            await self.blobs.delete(blob.key)
        index, many = key_index(FileAnnotations), MAX_ACTIONS - 1
        while rows := (await self.store.query(FileAnnotations, index, project, limit=many)).rows:
            gone = [_removal(row) for row in rows]
            with suppress(ConditionFailed):  # a file was purged at this moment: look again
                await self._transact(project, -sum(row.charged for row in rows), gone)
        index = key_index(AnnotationHistory)
        while old := (await self.store.query(AnnotationHistory, index, project, limit=many)).rows:
            await self.store.transact(*(Delete(AnnotationHistory, row.key_values()) for row in old))
        await self.store.transact(Delete(AnnotationBook, (project,)))

    async def _forget(self, row: FileAnnotations) -> None:
        """Remove a row with its history, unless it changes at this moment."""
        earlier = await self.store.query(
            AnnotationHistory, key_index(AnnotationHistory), row.project,
            at_least=row.file, at_most=row.file, limit=MAX_ACTIONS - 2,
        )  # fmt: skip
        history = [Delete(AnnotationHistory, one.key_values()) for one in earlier.rows]
        with suppress(ConditionFailed):  # whoever looks again finds it again
            await self._transact(row.project, -row.charged, [_removal(row), *history])
            await self._drop([row.blob, *(one.blob for one in earlier.rows)])

    # -- contents -------------------------------------------------------------------------------

    async def _kept(self, folder: str, data: bytes) -> tuple[bytes, str]:
        """Return what a row holds of bytes: themselves, or the blob they were put in."""
        if len(data) <= INLINE:
            return data, ""
        blob = f"{folder}/{new_id('notes')}"
        await self.blobs.put(blob, data)
        return b"", blob

    async def _drop(self, blobs: Sequence[str]) -> None:
        for blob in filter(None, blobs):
            await self.blobs.delete(blob)


def _removal(row: FileAnnotations) -> Delete:
    return Delete(FileAnnotations, row.key_values(), (Equals("revision", row.revision),))


def _root(project: str) -> str:
    return f"annotations/{project}/"
