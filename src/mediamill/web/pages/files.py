"""The pages of files: all of them, one of them, and the trash."""

from fastapi import APIRouter, Response

from mediamill.media.sniff import ZIP
from mediamill.services.files.listing import Kind, kind_of
from mediamill.store.repositories.files import File, FileState
from mediamill.web.pages.rendering import page
from mediamill.web.pages.trees import tree
from mediamill.web.parsing import FileId
from mediamill.web.security import Caller, Mill
from mediamill.web.serving import INLINE
from mediamill.web.views.files import file_view

KINDS: tuple[Kind, ...] = ("image", "video", "archive", "other")
SOURCES = ("upload", "stream", "import")
"""Where files of the list come from; results stand with their jobs."""
STATES = tuple(state for state in FileState if state is not FileState.TRASHED)
PLAYED = frozenset({"video/mp4", "video/webm", "video/ogg", "video/quicktime"})
"""Types that some browser plays, if it knows how they are coded."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home_page(caller: Caller, mill: Mill) -> Response:
    """Show the caller's files; the list itself comes by the API."""
    return page(
        "home.html",
        user=await mill.accounts.profile(caller),
        kinds=KINDS,
        sources=SOURCES,
        states=STATES,
        any=bool((await mill.files.list(caller, None, 1)).rows),
        usage=await mill.repositories.usages.get(caller.user),
        quota=(await mill.repositories.usages.limits(caller.user)).bytes,
    )


@router.get("/trash")
async def trash_page(caller: Caller, mill: Mill) -> Response:
    """Show what the caller deleted and can bring back; it comes by the API."""
    return page("trash.html", user=await mill.accounts.profile(caller))


@router.get("/files/{file_id}")
async def file_page(file_id: FileId, caller: Caller, mill: Mill) -> Response:
    """Show one file: its picture, what is known of it, and where it comes from."""
    file = await mill.kept.dated_one(await mill.files.get(caller, file_id))
    own = file.owner == caller.user
    return page(
        "file.html",
        user=await mill.accounts.profile(caller),
        file=file_view(file, for_workers=await mill.waiting.file(file)),
        shown=_shown(file),
        projects=(await mill.datasets.members.holding(caller, file.id, None, 100)).rows,
        changeable=own and file.source != "result",
        kind=file.media_type.partition("/")[2][:12].upper(),
        parent=file.lineage.get("input"),
        job=file.lineage.get("job"),
        origin=file.lineage.get("origin"),
        lineage=tree(file.lineage),
        archive=file.media_type == ZIP and not file.obstacle,
    )


def _shown(file: File) -> str:
    """Tell how a browser shows a file: as `image`, `video`, `thumbnail`, or not at all."""
    if file.obstacle:
        return ""
    if file.media_type in INLINE:
        return "image"
    if file.media_type in PLAYED:
        return "video"
    drawn = file.thumbnail or (file.thumbnail is None and kind_of(file.media_type) == "image")
    return "thumbnail" if drawn else ""
