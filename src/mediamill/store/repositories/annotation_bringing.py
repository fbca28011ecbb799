"""Annotations that come to a project in number."""

from collections.abc import Mapping, Sequence

from mediamill.annotations.book import Book
from mediamill.annotations.model import Category, ImageAnnotations
from mediamill.core.errors import ConditionFailed
from mediamill.store.repositories.annotation_rows import FileAnnotations
from mediamill.store.repositories.annotations import Annotations, Change

AT_ONCE = 25
"""Files of one transaction: each may take three rows."""
NUMBERED_ANEW = -1
"""Of a class whose number the project chooses."""


async def bring(
    annotations: Annotations,
    project: str,
    contents: Mapping[str, ImageAnnotations],
    categories: Sequence[Category] = (),
    *,
    user: str = "",
    task: str = "",
    over: bool = True,
    since: int | None = None,
) -> int:
    """Put annotations on members; missing classes are added.

    They take the place of what was there, or, without `over`, are left out where something was.
    What is the same already is left alone, so bringing it again changes nothing. So is what
    somebody has drawn `since` (ms): on how many members, comes back.
    """
    known = {one.name for one in categories}
    used = dict.fromkeys(name for one in contents.values() for name in _names(one))
    new = (Category(NUMBERED_ANEW, name) for name in used if name not in known)
    book = (await annotations.add_classes(project, [*categories, *new])).book
    files, left = list(contents), 0
    for start in range(0, len(files), AT_ONCE):
        some = {file: contents[file] for file in files[start : start + AT_ONCE]}
        left += await _step(
            annotations, project, book, some, user=user, task=task, over=over, since=since
        )
    return left


async def _step(
    annotations: Annotations,
    project: str,
    book: Book,
    contents: Mapping[str, ImageAnnotations],
    *,
    user: str,
    task: str,
    over: bool,
    since: int | None,
) -> int:
    numbered = {file: book.numbered(content) for file, content in contents.items()}
    while True:
        rows = await annotations.rows(project, list(numbered))
        drawn = {file for file, row in rows.items() if _drawn(row, since)}
        stay = drawn if over else rows.keys()
        changes = [
            Change(file, rows.get(file), content)
            for file, content in numbered.items()
            if file not in stay
        ]
        try:
            await annotations.write(project, changes, user, await annotations.store.now(), task)
        except ConditionFailed:  # somebody drew at this moment: look again
            continue
        return len(drawn)


def _drawn(row: FileAnnotations, since: int | None) -> bool:
    """Tell whether somebody, no import, has drawn on a file since a time."""
    return since is not None and not row.task and row.changed > since


def _names(content: ImageAnnotations) -> tuple[str, ...]:
    return (*(one.category for one in content.annotations), *content.labels)
