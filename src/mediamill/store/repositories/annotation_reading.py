"""Annotations of the members of projects, and the classes of a project, as they are now."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from mediamill.annotations.book import Book
from mediamill.annotations.model import Category, ImageAnnotations
from mediamill.blobs.port import Blobs
from mediamill.core.errors import NotFound
from mediamill.store.port import Page, Store, key_index
from mediamill.store.repositories.annotation_rows import AnnotationBook, FileAnnotations

BATCH = 100


@dataclass(frozen=True)
class Known:
    """A project's book, and the revision that it was read at; 0 where there is none yet."""

    book: Book
    revision: int
    blob: str = ""


class AnnotationReads:
    """Reads; contents come with the names of classes unless it is said."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self.store, self.blobs = store, blobs

    async def book(self, project: str) -> Known:
        """Return a project's classes."""
        while True:
            row = await self.store.get(AnnotationBook, project)
            if row is None:
                return Known(Book(), 0)
            with suppress(NotFound):  # replaced between the two reads: look again
                content = await self._content(row.content, row.blob)
                return Known(msgspec.json.decode(content, type=Book), row.revision, row.blob)

    async def categories(self, project: str) -> tuple[Category, ...]:
        """Return the classes of a project, by number."""
        return (await self.book(project)).book.categories

    async def rows(self, project: str, files: Sequence[str]) -> dict[str, FileAnnotations]:
        """Return the rows of files, of those that have one."""
        found: dict[str, FileAnnotations] = {}
        for start in range(0, len(files), BATCH):
            keys = [(project, file) for file in files[start : start + BATCH]]
            rows = await self.store.get_many(FileAnnotations, keys)
            found |= {row.file: row for row in rows if row is not None}
        return found

    async def page(self, project: str, after: str | None, limit: int) -> Page[FileAnnotations]:
        """List the rows of a project by file."""
        index = key_index(FileAnnotations)
        return await self.store.query(FileAnnotations, index, project, after=after, limit=limit)

    async def stored(self, row: FileAnnotations) -> ImageAnnotations:
        """Return the content of a row, with numbers for classes, or what came in its place.

        Nothing is drawn where the row itself is gone meanwhile.
        """
        now: FileAnnotations | None = row
        while now is not None:
            with suppress(NotFound):  # replaced between the two reads: look again
                return ImageAnnotations.decode(await self._content(now.content, now.blob))
            seen, now = now, await self.store.get(FileAnnotations, row.project, row.file)
            if now is not None and now.revision == seen.revision:
                raise NotFound(f"What is drawn on {row.file} is lost.")
        return ImageAnnotations(0, 0)

    async def of(self, project: str, files: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is drawn on files, encoded; those without anything are left out."""
        rows = await self.rows(project, files)
        if not rows:
            return {}
        book = (await self.book(project)).book
        found: dict[str, bytes] = {}
        for file, row in rows.items():
            content = book.resolved(await self.stored(row))
            if content.annotations or content.labels or content.extra:
                found[file] = content.encode()
        return found

    async def classes(self, project: str, files: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the names of the classes on each of some files, of those that have any."""
        rows = await self.rows(project, files)
        meant = (await self.book(project)).book.meant() if rows else {}
        found = {
            file: tuple(dict.fromkeys(meant[n].name for n in sorted(row.classes) if n in meant))
            for file, row in rows.items()
        }
        return {file: names for file, names in found.items() if names}

    async def with_class(
        self, project: str, name: str, after: str | None, limit: int
    ) -> Page[FileAnnotations]:
        """List the rows of files with a class; a page may hold few, and more may follow."""
        meant = (await self.book(project)).book.meant()
        numbers = {number for number, category in meant.items() if category.name == name}
        page = await self.page(project, after, limit) if numbers else Page(())
        rows = tuple(row for row in page.rows if numbers & row.classes.keys())
        return Page(rows, page.after)

    async def _content(self, content: bytes, blob: str) -> bytes:
        return await self.blobs.get(blob) if blob else content


async def walked(annotations: AnnotationReads, project: str) -> AsyncIterator[FileAnnotations]:
    """Visit the rows of a project by file."""
    after: str | None = None
    while True:
        page = await annotations.page(project, after, BATCH)
        for row in page.rows:
            yield row
        if (after := page.after) is None:
            return
