"""Lists of a caller's files by what is known of them.

One condition chooses the list that is walked: the trash, a project, the files with certain bytes,
with a tag, or all. The others are looked at on the way, within a bound, so a page may hold few
files, or none, and still be followed by more.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mediamill.core.access import Principal
from mediamill.core.clock import DAY
from mediamill.core.ids import encode
from mediamill.media.sniff import ZIP
from mediamill.services.files.trash import Trash
from mediamill.services.projects.service import ProjectService
from mediamill.services.sifting import sift
from mediamill.store.port import Page
from mediamill.store.repositories.files import File, Files, FileState
from mediamill.store.repositories.lookup import FileLookup

PAGES_LOOKED_AT = 20
"""So many pages are looked through for one page of files that fit."""
STEP = 200
"""Rows of a page that is looked through."""
APART_MS = 2 * DAY
"""How much earlier a file's id may be made than its row: uploads and imports take their time."""

Kind = Literal["image", "video", "archive", "other"]
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
    kind: Kind | None = None
    since: int | None = None
    """When it came at the earliest (ms)."""
    until: int | None = None
    """When it came at the latest, that moment not included (ms)."""

    @property
    def first(self) -> str | None:
        """The least id that can fit, by when ids are made."""
        return None if self.since is None else _id_of(self.since - APART_MS)

    @property
    def last(self) -> str | None:
        """The greatest id that can fit."""
        return None if self.until is None else _id_of(self.until + APART_MS)

    def fits(self, file: File) -> bool:
        """Tell whether a file fulfils every condition."""
        return (
            (file.trash is not None if self.state is FileState.TRASHED else not file.hidden)
            and self.state in (None, file.state)
            and self.source in (None, file.source)
            and self.sha256 in (None, file.sha256)
            and (self.tag is None or self.tag in file.tags)
            and (self.name is None or self.name.casefold() in file.name.casefold())
            and (self.media_type is None or _is_of(file.media_type, self.media_type))
            and self.kind in (None, kind_of(file.media_type))
            and (self.since is None or file.created >= self.since)
            and (self.until is None or file.created < self.until)
        )


EVERYTHING = Wanted()


def kind_of(media_type: str) -> Kind:
    """Return what people call a file of a media type; documents are `other`."""
    match media_type.partition("/")[0]:
        case "image":
            return "image"
        case "video":
            return "video"
    return "archive" if media_type == ZIP else "other"


def _id_of(time: int) -> str:
    """Return the least id of a file that is made at a time (ms), or at the end of all time."""
    return f"file_{encode(min(max(time, 0), (1 << 48) - 1) << 80)}"


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
    lookup: FileLookup

    async def page(
        self, principal: Principal, wanted: Wanted, after: str | None, limit: int
    ) -> Page[File]:
        """List files, newest first; the trash, what was deleted last first."""
        if wanted.project is not None:
            await self.projects.get(principal, wanted.project)
        return await sift(
            self._walk(principal, wanted), wanted.fits, after, limit,
            pages=PAGES_LOOKED_AT, step=STEP,
        )  # fmt: skip

    async def named(
        self, principal: Principal, wanted: Wanted, ids: Sequence[str]
    ) -> tuple[File, ...]:
        """Return the caller's own files among these that are wanted, in the order given.

        Of a project, those of others who share it too; raises `NotFound` for one that is not seen.
        """
        chosen = list(dict.fromkeys(ids))
        if wanted.project is not None:
            await self.projects.get(principal, wanted.project)
            found = await self.projects.those(principal, wanted.project, chosen)
        else:
            looked_up = await self.lookup.get_many(chosen)
            found = [file for file in looked_up if file and file.owner == principal.user]
        return tuple(file for file in found if wanted.fits(file))

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
            return lambda after, limit: self.files.tagged(
                owner, tag, after, limit, wanted.first, wanted.last
            )
        return lambda after, limit: self.files.of_owner(
            owner, after, limit, wanted.first, wanted.last
        )
