"""Lists of what fulfils a condition that no index knows: others are looked at on the way."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mediamill.store.port import Page

T = TypeVar("T")


async def sift(
    walk: Callable[[str | None, int], Awaitable[Page[T]]],
    fits: Callable[[T], bool],
    after: str | None,
    limit: int,
    *,
    pages: int,
    step: int,
) -> Page[T]:
    """Return up to `limit` rows of a walk that fit; it may hold few, or none, and go on.

    `walk` reads a page behind a cursor, of at most so many rows. At most so many `pages` are looked
    through, each after the first of `step` rows, however few are wanted.
    """
    found: list[T] = []
    most = limit
    for _ in range(pages):
        page = await walk(after, most)
        places = [place for place, row in enumerate(page.rows, 1) if fits(row)]
        if len(places) > (room := limit - len(found)):
            page = await walk(after, places[room - 1])  # so that the cursor is behind the last
        found += [row for row in page.rows if fits(row)][:room]
        after, most = page.after, step
        if after is None or len(found) >= limit:
            break
    return Page(tuple(found), after)
