"""Members of archives: list, read, delete."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from mediamill.web.api.files import BYTES
from mediamill.web.archives import members_page
from mediamill.web.parsing import PROBLEM, After, Body, FileId, Limit, StrictRoute
from mediamill.web.security import Caller, Mill
from mediamill.web.serving import KEPT, serve
from mediamill.web.views.files import ArchiveMemberList, RemovedMembersView, file_view

router = APIRouter(prefix="/v1/files", tags=["files"], responses=PROBLEM, route_class=StrictRoute)

MemberPath = Annotated[str, Path(max_length=2000)]


class MemberPaths(Body):
    """Members by the paths that the list gives."""

    paths: list[Annotated[str, Field(min_length=1, max_length=2000)]] = Field(
        min_length=1, max_length=1000
    )


@router.get("/{file_id}/members")
async def list_members(
    file_id: FileId,
    caller: Caller,
    mill: Mill,
    after: After = None,
    limit: Limit = 100,
    prefix: Annotated[
        str, Query(max_length=2000, description="Only paths that begin so: `train/`.")
    ] = "",
) -> ArchiveMemberList:
    """List what is in an archive, in its order, without unpacking it.

    `after` is how many members come before, so that a page may begin at any of them.
    """
    return await members_page(mill, caller, file_id, after, limit, prefix)


@router.head("/{file_id}/members/{path:path}", responses=BYTES, response_class=Response)
@router.get("/{file_id}/members/{path:path}", responses=BYTES, response_class=Response)
async def get_member(
    file_id: FileId, path: MemberPath, caller: Caller, mill: Mill, request: Request
) -> Response:
    """Read one member of an archive in place; pictures may be shown in a page.

    Stored members answer ranges, deflated ones up to 64 MiB too; `Accept-Ranges` says so.
    """
    content = await mill.downloads.member(caller, file_id, path)
    return serve(request, content, inline=True, cache=KEPT)


@router.delete("/{file_id}/members/{path:path}", status_code=204)
async def delete_member(file_id: FileId, path: MemberPath, caller: Caller, mill: Mill) -> None:
    """Delete a member of an uploaded archive for good; the others stay as they were packed."""
    await mill.members.delete(caller, file_id, [path])


@router.post("/{file_id}/members/delete")
async def delete_members(
    file_id: FileId, body: MemberPaths, caller: Caller, mill: Mill
) -> RemovedMembersView:
    """Delete up to a thousand members at once; those that are not there are reported."""
    removed = await mill.members.delete(caller, file_id, list(dict.fromkeys(body.paths)))
    return RemovedMembersView(
        file=file_view(await mill.kept.dated_one(removed.file)),
        deleted=removed.count,
        missing=list(removed.missing),
    )
