"""The classes of a project: added, renamed, merged, removed, and how many annotations they have."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import structlog

from mediamill.annotations.book import Book
from mediamill.annotations.model import Category
from mediamill.core.access import Principal, Right
from mediamill.core.errors import ConditionFailed, Conflict, InvalidInput, NotFound
from mediamill.services.access import Access
from mediamill.store.repositories.annotation_reading import walked
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.projects import Project

log = structlog.get_logger(__name__)

COUNTED_FILES = 20_000
"""Files whose annotations are counted when classes are listed with counts."""


@dataclass(frozen=True)
class Uses:
    """How often a class is used; `files` and `annotations` are lower bounds where not `whole`."""

    files: int = 0
    annotations: int = 0


@dataclass
class ClassService:
    """What a caller may do with the classes of a project."""

    access: Access
    annotations: Annotations

    async def list(self, principal: Principal, project_id: str) -> tuple[Category, ...]:
        """Return the classes of a project, by number."""
        project = await self.access.load(principal, Project, project_id)
        return await self.annotations.categories(project.id)

    async def uses(self, principal: Principal, project_id: str) -> tuple[Mapping[int, Uses], bool]:
        """Return by number how often classes are used, and whether all files were counted."""
        project = await self.access.load(principal, Project, project_id)
        meant = (await self.annotations.book(project.id)).book.meant()
        found: dict[int, Uses] = {}
        seen = 0
        async for row in walked(self.annotations, project.id):
            if seen == COUNTED_FILES:
                return found, False
            seen += 1
            counts: dict[int, int] = {}
            for number, count in row.classes.items():
                if number in meant:
                    target = meant[number].number
                    counts[target] = counts.get(target, 0) + count
            for number_, count in counts.items():
                before = found.get(number_, Uses())
                found[number_] = Uses(before.files + 1, before.annotations + count)
        return found, True

    async def add(self, principal: Principal, project_id: str, category: Category) -> Category:
        """Add a class; its number is the next. Raises `Conflict` for a name that is there."""
        project = await self.access.load(principal, Project, project_id, Right.EDIT)

        def added(book: Book) -> Book:
            if book.named(category.name) is not None:
                raise Conflict(f"There is a class {category.name} already.")
            return book.with_added([category])

        book = await self._change(project, added)
        return _named(book, category.name)

    async def change(self, principal: Principal, project_id: str, category: Category) -> Category:
        """Put a class in the place of that of its number, which renames it everywhere at once."""
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        await self._need(project, category.number)
        book = await self._change(project, lambda book: book.changed(category))
        return book.need(category.number)

    async def merge(
        self, principal: Principal, project_id: str, number: int, into: int
    ) -> Category:
        """Let all annotations of a class be of another from now on."""
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        await self._need(project, number)
        book = await self._change(project, lambda book: book.merged(number, into))
        log.info("classes merged", action="classes_merged", into=into, **project.log_context())
        return book.need(into)

    async def remove(self, principal: Principal, project_id: str, number: int) -> None:
        """Remove a class, and with it what is drawn of it."""
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        await self._need(project, number)
        await self._change(project, lambda book: book.without(number))
        log.info("class removed", action="class_removed", number=number, **project.log_context())

    async def need(self, principal: Principal, project_id: str, number: int) -> Category:
        """Return a class that is to be changed; raises `NotFound`, `Forbidden`."""
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        return await self._need(project, number)

    async def _need(self, project: Project, number: int) -> Category:
        try:
            return (await self.annotations.book(project.id)).book.need(number)
        except InvalidInput:
            raise NotFound(f"There is no class {number} in this project.") from None

    async def _change(self, project: Project, change: Callable[[Book], Book]) -> Book:
        while True:
            known = await self.annotations.book(project.id)
            changed = change(known.book)
            with suppress(ConditionFailed):  # somebody else changed them: again
                return (await self.annotations.write_book(project.id, known, changed)).book


def _named(book: Book, name: str) -> Category:
    found = book.named(name)
    if found is None:
        raise NotFound(f"There is no class {name}.")
    return found
