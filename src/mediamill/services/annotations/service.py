"""Annotations of one file in a project: read, replaced, changed, taken back.

Who changes them says which revision they saw, so two editors never overwrite each other unseen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from mediamill.annotations.book import Book, with_ids
from mediamill.annotations.checks import problems
from mediamill.annotations.model import Annotation, Category, ImageAnnotations
from mediamill.core.access import Principal, Right
from mediamill.core.errors import ConditionFailed, Conflict, InvalidInput, NotFound, Outdated, wrong
from mediamill.services.access import Access
from mediamill.store.port import Page
from mediamill.store.repositories.annotation_rows import FileAnnotations
from mediamill.store.repositories.annotations import Annotations, Change
from mediamill.store.repositories.files import File
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.projects import Project, Projects

log = structlog.get_logger(__name__)

MAX_ANNOTATIONS = 10_000
"""Of one file."""
PAGES_LOOKED_AT = 10
OUTDATED = "Somebody changed these annotations meanwhile: read them again, then make your change."


@dataclass(frozen=True)
class Drawn:
    """What is drawn on a file, with the names of classes."""

    file: File
    content: ImageAnnotations
    revision: int = 0
    kept: int = 0
    """Changes that can be taken back."""
    changed: int | None = None
    user: str = ""


@dataclass(frozen=True)
class Patch:
    """A change of some annotations of a file."""

    add: Sequence[Annotation] = ()
    change: Sequence[Annotation] = ()
    """In the place of those with their ids."""
    remove: Sequence[int | str] = ()
    labels: Sequence[str] | None = None


@dataclass
class AnnotationService:
    """What a caller may do with the annotations of a project."""

    access: Access
    annotations: Annotations
    projects: Projects
    lookup: FileLookup

    async def get(self, principal: Principal, project_id: str, file_id: str) -> Drawn:
        """Return what is drawn on a member; raises `NotFound`."""
        project, file = await self._member(principal, project_id, file_id, Right.VIEW)
        rows = await self.annotations.rows(project.id, [file.id])
        book = (await self.annotations.book(project.id)).book
        return await self._drawn(file, rows.get(file.id), book)

    async def page(
        self,
        principal: Principal,
        project_id: str,
        after: str | None,
        limit: int,
        category: str | None = None,
    ) -> Page[Drawn]:
        """List members with annotations by file id, of one class if it is named.

        A page may hold few when most are not meant.
        """
        project = await self.access.load(principal, Project, project_id)
        book = (await self.annotations.book(project.id)).book
        found: list[Drawn] = []
        for _ in range(PAGES_LOOKED_AT):
            page = await self._rows(project.id, category, after, limit - len(found))
            rows = [row for row in page.rows if row.count]
            there = await self.projects.holding(project.id, [row.file for row in rows])
            files = await self.lookup.get_many([row.file for row in rows])
            for row, file in zip(rows, files, strict=True):
                if file is not None and not file.hidden and row.file in there:
                    drawn = await self._drawn(file, row, book)
                    if drawn.content.annotations or drawn.content.labels:
                        found.append(drawn)
            after = page.after
            if after is None or len(found) >= limit:
                break
        return Page(tuple(found), after)

    async def put(
        self, principal: Principal, project_id: str, file_id: str, content: ImageAnnotations,
        revision: int | None,
    ) -> Drawn:  # fmt: skip
        """Replace all that is drawn on a file; `revision` is the one seen, None whichever.

        Sizes of the content are those of the file. Raises `Outdated`, `InvalidInput`.
        """
        return await self._write(
            principal, project_id, file_id, lambda before: content, revision, once=True
        )

    async def patch(
        self, principal: Principal, project_id: str, file_id: str, patch: Patch,
        revision: int | None,
    ) -> Drawn:  # fmt: skip
        """Add, change and remove some annotations; without a revision, of what is there now."""
        return await self._write(
            principal, project_id, file_id, lambda before: _patched(before, patch), revision
        )

    async def undo(
        self, principal: Principal, project_id: str, file_id: str, revision: int | None
    ) -> Drawn:
        """Take the last change back; raises `Conflict` when none is kept, `Outdated`."""
        project, file = await self._member(principal, project_id, file_id, Right.EDIT)
        row = (await self.annotations.rows(project.id, [file.id])).get(file.id)
        if revision is not None and revision != (row.revision if row else 0):
            raise Outdated(OUTDATED)
        try:
            if row is None or not row.kept:
                raise NotFound("")
            back = await self.annotations.undo(
                row, principal.user, await self.annotations.store.now()
            )
        except NotFound:
            raise Conflict("Nothing is kept that could be brought back.", kept=0) from None
        except ConditionFailed:
            raise Outdated(OUTDATED) from None
        return await self._drawn(file, back, (await self.annotations.book(project.id)).book)

    async def _write(
        self, principal: Principal, project_id: str, file_id: str,
        change: Callable[[ImageAnnotations], ImageAnnotations], revision: int | None,
        *, once: bool = False,
    ) -> Drawn:  # fmt: skip
        project, file = await self._member(principal, project_id, file_id, Right.EDIT)
        if not file.width or not file.height:
            raise InvalidInput(f"{file.name} is no picture whose size is known.")
        while True:
            known = await self.annotations.book(project.id)
            row = (await self.annotations.rows(project.id, [file.id])).get(file.id)
            if revision is not None and revision != (row.revision if row else 0):
                raise Outdated(OUTDATED)
            before = (await self._drawn(file, row, known.book)).content
            now = await self.annotations.store.now()
            content = _checked(change(before), before, file, known.book, now)
            numbered = known.book.numbered(content)
            try:
                (row,) = await self.annotations.write(
                    project.id, [Change(file.id, row, numbered)], principal.user, now
                )
            except ConditionFailed:
                if once or revision is not None:
                    raise Outdated(OUTDATED) from None
                continue
            log.info(
                "annotated", action="annotated", count=row.count, file=file.id,
                **project.log_context(),
            )  # fmt: skip
            return await self._drawn(file, row, known.book)

    async def _member(
        self, principal: Principal, project_id: str, file_id: str, right: Right
    ) -> tuple[Project, File]:
        project = await self.access.load(principal, Project, project_id, right)
        if not await self.projects.holding(project.id, [file_id]):
            raise NotFound(f"There is no file {file_id} in this project.")
        (file,) = await self.lookup.get_many([file_id])
        if file is None or file.hidden:
            raise NotFound(f"There is no file {file_id} in this project.")
        return project, file

    async def _rows(
        self, project: str, category: str | None, after: str | None, limit: int
    ) -> Page[FileAnnotations]:
        if category is None:
            return await self.annotations.page(project, after, limit)
        return await self.annotations.with_class(project, category, after, limit)

    async def _drawn(self, file: File, row: FileAnnotations | None, book: Book) -> Drawn:
        if row is None:
            return Drawn(file, ImageAnnotations(file.width, file.height))
        content = book.resolved(await self.annotations.stored(row))
        return Drawn(file, content, row.revision, row.kept, row.changed, row.user)


def _patched(before: ImageAnnotations, patch: Patch) -> ImageAnnotations:
    """Return annotations after a change; raises `InvalidInput` for ids that are not there."""
    there = {one.id: one for one in before.annotations}
    gone = [number for number in patch.remove if number not in there]
    gone += [one.id for one in patch.change if one.id not in there]
    if gone:
        raise InvalidInput(f"There is no annotation {gone[0]} on this file.")
    there |= {one.id: one for one in patch.change}
    kept = [there[number] for number in there if number not in set(patch.remove)]
    labels = before.labels if patch.labels is None else tuple(patch.labels)
    return msgspec.structs.replace(before, annotations=(*kept, *patch.add), labels=labels)


def _checked(
    content: ImageAnnotations, before: ImageAnnotations, file: File, book: Book, now: int
) -> ImageAnnotations:
    """Return content fit to be stored; raises `InvalidInput` naming what is wrong.

    What is as it was `before` passes: its class may have got other key points since.
    """
    if len(content.annotations) > MAX_ANNOTATIONS:
        raise InvalidInput(f"A file may have at most {MAX_ANNOTATIONS:,} annotations.")
    content = msgspec.structs.replace(content, width=file.width, height=file.height)
    categories: dict[str, Category] = {one.name: one for one in book.categories}
    errors: list[dict[str, str]] = []
    stored = {one.id: one for one in before.annotations}
    for place, one in enumerate(content.annotations):
        if stored.get(one.id) == one:
            continue
        category = categories.get(one.category)
        at = f"annotations.{place}"
        if category is None:
            words = f"There is no class {one.category[:200]}: add it first."
            errors.append(wrong(f"{at}.class", words))
            continue
        found = problems(one, category, file.width, file.height)
        errors += [wrong(at, words) for error, _, words in found if error]
    errors += [
        wrong("labels", f"There is no class {label[:200]}: add it first.")
        for label in content.labels
        if label not in categories
    ]
    if errors:
        raise InvalidInput(errors[0]["message"], errors=errors[:100])
    return with_ids(content, now << 12)
