"""Changes of files: rename, tag, delete, bring back; one file or many at once."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from mediamill.core.errors import InvalidInput, Outdated
from mediamill.services.files.bulk import Outcome, each
from mediamill.services.files.labels import MAX_TAGS, clean_tags
from mediamill.web.documents import Sha256
from mediamill.web.parsing import PROBLEM, Body, FileId, StrictRoute, shown
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import View
from mediamill.web.views.files import FileView, etag, file_view

router = APIRouter(prefix="/v1", tags=["files"], responses=PROBLEM, route_class=StrictRoute)

Tags = Annotated[list[str], Field(max_length=2 * MAX_TAGS, examples=[["holiday", "raw"]])]
Ids = Annotated[list[Annotated[str, Field(max_length=100)]], Field(min_length=1, max_length=1000)]


class ChangeBody(Body):
    """What to change; a field that is left out stays as it is."""

    name: str | None = Field(None, min_length=1, max_length=2000)
    tags: Tags | None = Field(None, description="These instead of those it has.")
    project: str | None = Field(None, max_length=100, description="A project to join as well.")


class FilesBody(Body):
    files: Ids


class DeleteBody(FilesBody):
    now: bool = Field(
        False, description="Without the day to undo; also of files in the trash.", strict=True
    )


class RetagBody(FilesBody):
    model_config = shown(files=["file_…"], add=["night"])

    add: Tags = Field(default_factory=list)
    remove: Tags = Field(default_factory=list)


class DigestsBody(Body):
    sha256: list[Sha256] = Field(min_length=1, max_length=1000)


class OutcomeView(View):
    """What became of one file of many."""

    file: str
    ok: bool
    code: str = Field(description="Why not; empty when it was done.", examples=["not_found"])
    error: str


class OutcomesView(View):
    data: list[OutcomeView] = Field(description="One entry per file, in the order given.")
    failed: int


class RetaggedView(OutcomeView):
    """What became of the tags of one file of many."""

    added: list[str] = Field(description="What it did not have before.")
    removed: list[str] = Field(description="What it had before.")


class RetaggedsView(View):
    data: list[RetaggedView] = Field(description="One entry per file, in the order given.")
    failed: int


class KnownView(View):
    sha256: str
    file: str | None = Field(description="Your newest ready file with these bytes, or null.")


class KnownsView(View):
    data: list[KnownView]


class EmptiedView(View):
    removed: int
    has_more: bool = Field(description="There is more in the trash: ask again.")


def _outcomes(found: Sequence[Outcome]) -> OutcomesView:
    data = [OutcomeView(**_outcome(one)) for one in found]
    return OutcomesView(data=data, failed=sum(not one.ok for one in data))


def _outcome(one: Outcome) -> dict[str, Any]:
    """Name what an `OutcomeView` holds."""
    code, error = (one.error.code, one.error.message) if one.error else ("", "")
    return {"file": one.id, "ok": one.error is None, "code": code, "error": error}


def _retagged(one: Outcome) -> RetaggedView:
    added, removed = ([], []) if one.error else (one.told.added, one.told.removed)
    return RetaggedView(**_outcome(one), added=list(added), removed=list(removed))


def _revision(if_match: str | None) -> int | None:
    """Read `If-Match`: the revision that the caller saw; raises `Outdated` for any other tag."""
    if if_match is None or if_match.strip() == "*":
        return None
    tag = if_match.strip()
    digits = tag[2:-1]
    known = tag.startswith('"r') and tag.endswith('"') and digits.isascii() and digits.isdigit()
    if not known or len(digits) > 18:
        raise Outdated("If-Match does not hold this file’s ETag: read it again.")
    return int(digits)


@router.post("/files/check")
async def check_files(body: DigestsBody, caller: Caller, mill: Mill) -> KnownsView:
    """Tell which bytes are here already, by SHA-256, so that they need not be sent again."""
    found = await mill.files.known(caller, list({digest.lower() for digest in body.sha256}))
    data = []
    for digest in body.sha256:
        file = found[digest.lower()]
        data.append(KnownView(sha256=digest.lower(), file=file.id if file else None))
    return KnownsView(data=data)


@router.post("/files/delete")
async def delete_files(body: DeleteBody, caller: Caller, mill: Mill) -> OutcomesView:
    """Delete files; each has an outcome of its own."""
    return _outcomes(
        await each(body.files, lambda one: mill.files.delete(caller, one, now=body.now))
    )


@router.post("/files/restore")
async def restore_files(body: FilesBody, caller: Caller, mill: Mill) -> OutcomesView:
    """Bring deleted files back; each has an outcome of its own."""
    return _outcomes(await each(body.files, lambda one: mill.trash.restore(caller, one)))


@router.post("/files/tags")
async def tag_files(body: RetagBody, caller: Caller, mill: Mill) -> RetaggedsView:
    """Add tags to files, and take some away; each file has an outcome of its own."""
    if not body.add and not body.remove:
        message = "Give tags to add or to remove."
        raise InvalidInput.at("add", message)
    add, remove = clean_tags(body.add, "add"), clean_tags(body.remove, "remove")
    found = await each(body.files, lambda one: mill.labels.retag(caller, one, add, remove))
    data = [_retagged(one) for one in found]
    return RetaggedsView(data=data, failed=sum(not one.ok for one in data))


@router.patch("/files/{file_id}")
async def change_file(
    file_id: FileId,
    body: ChangeBody,
    caller: Caller,
    mill: Mill,
    response: Response,
    if_match: Annotated[
        str | None, Header(max_length=100, description="`ETag` of what you read; else 412.")
    ] = None,
) -> FileView:
    """Rename a file, replace its tags, or let it join a project."""
    revision = _revision(if_match)
    if body.project is not None:
        await mill.projects.welcome(caller, body.project, file_id)
    file = await mill.files.get(caller, file_id)
    if body.name is not None or body.tags is not None or revision is not None:
        file = await mill.labels.edit(
            caller, file_id, name=body.name, tags=body.tags, revision=revision
        )
    if body.project is not None:
        await mill.projects.add(caller, body.project, [file_id])
    response.headers["ETag"] = etag(file)
    return file_view(await mill.kept.dated_one(file))


@router.delete("/files/{file_id}", status_code=204)
async def delete_file(
    file_id: FileId,
    caller: Caller,
    mill: Mill,
    now: Annotated[
        bool, Query(description="Without the day to undo; also of a file in the trash.")
    ] = False,
) -> None:
    """Hide a file at once; its bytes go after a day."""
    await mill.files.delete(caller, file_id, now=now)


@router.post("/files/{file_id}/restore")
async def restore_file(file_id: FileId, caller: Caller, mill: Mill) -> FileView:
    """Bring a file back within a day of its deletion; 409 when that is over, then 404."""
    file = await mill.trash.restore(caller, file_id)
    return file_view(await mill.kept.dated_one(file))


@router.delete("/trash")
async def empty_trash(caller: Caller, mill: Mill) -> EmptiedView:
    """Remove what is in the trash for good, a thousand files at a time."""
    removed, more = await mill.trash.empty(caller)
    return EmptiedView(removed=removed, has_more=more)
