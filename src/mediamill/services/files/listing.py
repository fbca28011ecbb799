"""Lists of a caller's files by what is known of them.

One condition chooses the list that is walked: the trash, a project, the files with certain bytes,
with a tag, or all. The others are looked at on the way, within a bound, so a page may hold few
files, or none, and still be followed by more.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.services.files.trash import Trash
from mediamill.services.projects.service import ProjectService
from mediamill.store.port import Page
from mediamill.store.repositories.files import File, Files, FileState

PAGES_LOOKED_AT = 20
"""So many pages are looked through for one page of files that fit."""
STEP = 200
"""Rows of a page that is looked through."""

Walk = Callable[[str | None, int], Awaitable[Page[File]]]
"""Reads a page behind a cursor, of at most so many rows."""


@dataclass(frozen=True)
class Wanted:
    """Which files a list is to hold; what is None does not matter."""

    media_type: str | None = None
    """A media type, or a whole kind such as `image/*` or `image`."""
    source: str | None = None
    tag: str | None = None
    name: str | None = None
    """Part of the name, in whatever case."""
    state: FileState | None = None
    """None is every state but `trashed`."""
    sha256: str | None = None
    project: str | None = None
    """Its id; its files may be results, and those of others who share it."""

    def fits(self, file: File) -> bool:
        """Tell whether a file fulfils every condition."""
        return (
            (file.hidden if self.state is FileState.TRASHED else not file.hidden)
            and self.state in (None, file.state)
            and self.source in (None, file.source)
            and self.sha256 in (None, file.sha256)
            and (self.tag is None or self.tag in file.tags)
            and (self.name is None or self.name.casefold() in file.name.casefold())
            and (self.media_type is None or _is_of(file.media_type, self.media_type))
        )


EVERYTHING = Wanted()


def _is_of(media_type: str, wanted: str) -> bool:
    kind, _, form = wanted.lower().partition("/")
    if form in ("", "*"):
        return media_type.startswith(f"{kind}/")
    return media_type == wanted.lower()


@dataclass
class Listing:
    """Walks the list that fits best."""

    files: Files
    trash: Trash
    projects: ProjectService

    async def page(
        self, principal: Principal, wanted: Wanted, after: str | None, limit: int
    ) -> Page[File]:
        """List files, newest first; the trash, what was deleted last first."""
        if wanted.project is not None:
            await self.projects.get(principal, wanted.project)
        return await sift(self._walk(principal, wanted), wanted.fits, after, limit)

    def _walk(self, principal: Principal, wanted: Wanted) -> Walk:
        owner = principal.user
        if wanted.state is FileState.TRASHED and wanted.project is None:
            return lambda after, limit: self.trash.list(principal, after, limit)
        if wanted.project is not None:
            project = wanted.project
            return lambda after, limit: self.projects.newest(principal, project, after, limit)
        if wanted.sha256 is not None and wanted.state in (None, FileState.READY):
            sha256 = wanted.sha256
            return lambda after, limit: self.files.with_digest(owner, sha256, after, limit)
        if wanted.tag is not None:
            tag = wanted.tag
            return lambda after, limit: self.files.tagged(owner, tag, after, limit)
        return lambda after, limit: self.files.of_owner(owner, after, limit)


async def sift(
    walk: Walk, fits: Callable[[File], bool], after: str | None, limit: int
) -> Page[File]:
    """Return up to `limit` files of a walk that fit, looking at a bounded number of rows."""
    found: list[File] = []
    step = limit
    for _ in range(PAGES_LOOKED_AT):
        page = await walk(after, step)
        places = [place for place, file in enumerate(page.rows, 1) if fits(file)]
        if len(places) > (room := limit - len(found)):
            page = await walk(after, places[room - 1])  # so that the cursor is behind the last
        found += [file for file in page.rows if fits(file)][:room]
        after, step = page.after, STEP
        if after is None or len(found) >= limit:
            break
    return Page(tuple(found), after)
