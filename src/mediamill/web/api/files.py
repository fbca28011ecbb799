"""Files: put in, list, read, look inside archives, delete."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response

from mediamill.web.archives import members_page
from mediamill.web.parsing import PROBLEM, After, FileId, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.serving import KEPT, serve
from mediamill.web.uploading import receive
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.files import FileView, MemberView, file_view

router = APIRouter(prefix="/v1/files", tags=["files"], responses=PROBLEM, route_class=StrictRoute)

_binary = {"schema": {"type": "string", "format": "binary"}}
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes.", "content": {"*/*": _binary}},
    206: {"description": "The range that was asked for.", "content": {"*/*": _binary}},
    304: {"description": "What the caller has is still right."},
    416: {"description": "There is nothing in this range."},
}
_form = {"type": "object", "properties": {"file": {"type": "array", "items": _binary["schema"]}}}
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": _binary,
            "multipart/form-data": {"schema": _form},
        },
    }
}


@router.post("", status_code=201, openapi_extra=UPLOAD)
async def upload_file(
    request: Request,
    caller: Caller,
    mill: Mill,
    name: Annotated[str, Query(max_length=2000, description="Name of a raw body.")] = "",
) -> FileView | Listed[FileView]:
    """Store a file: its bytes as the body, or a form with one or several files.

    Answered when the bytes are durable. Of a form's files all are kept or none.
    """
    files = await receive(request, mill, caller)
    request.app.state.metrics.uploaded.inc(sum(file.size for file in files))
    views = [file_view(file) for file in files]
    return views[0] if len(views) == 1 else listed(views, None)


@router.get("")
async def list_files(
    caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[FileView]:
    """List the caller's files, newest first."""
    with cursor(after):
        page = await mill.files.list(caller, after, limit)
    return listed([file_view(file) for file in page.rows], page.after)


@router.get("/{file_id}")
async def get_file(file_id: FileId, caller: Caller, mill: Mill) -> FileView:
    """Show one file: an uploaded one, or one that a job made."""
    return file_view(await mill.files.get(caller, file_id))


@router.delete("/{file_id}", status_code=204)
async def delete_file(
    file_id: FileId,
    caller: Caller,
    mill: Mill,
    now: Annotated[bool, Query(description="Remove its bytes without the day to undo.")] = False,
) -> None:
    """Hide a file at once; its bytes go after a day."""
    await mill.files.delete(caller, file_id, now=now)


@router.head("/{file_id}/content", responses=BYTES, response_class=Response)
@router.get("/{file_id}/content", responses=BYTES, response_class=Response)
async def get_content(file_id: FileId, caller: Caller, mill: Mill, request: Request) -> Response:
    """Download a file, whole or a range of it."""
    return serve(request, await mill.files.content(caller, file_id))


@router.get("/{file_id}/thumbnail", responses=BYTES, response_class=Response)
async def get_thumbnail(file_id: FileId, caller: Caller, mill: Mill, request: Request) -> Response:
    """Show a small picture of a file; 404 with `pending` while it is being made."""
    content = await mill.files.thumbnail(caller, file_id)
    return serve(request, content, inline=True, cache=KEPT)


@router.get("/{file_id}/members")
async def list_members(
    file_id: FileId, caller: Caller, mill: Mill, after: After = None, limit: Limit = 100
) -> Listed[MemberView]:
    """List what is in an archive, in its order, without unpacking it."""
    members, following = await members_page(mill, caller, file_id, after, limit)
    here = f"/v1/files/{file_id}/members"
    views = [
        MemberView(
            path=member.name,
            size=member.size,
            crc32=f"{member.crc32:08x}",
            url=f"{here}/{quote(member.name)}",
        )
        for member in members
    ]
    return listed(views, following)


@router.head("/{file_id}/members/{path:path}", responses=BYTES, response_class=Response)
@router.get("/{file_id}/members/{path:path}", responses=BYTES, response_class=Response)
async def get_member(
    file_id: FileId,
    path: Annotated[str, Path(max_length=2000)],
    caller: Caller,
    mill: Mill,
    request: Request,
) -> Response:
    """Read one member of an archive in place; pictures may be shown in a page."""
    content = await mill.downloads.member(caller, file_id, path)
    return serve(request, content, inline=True, cache=KEPT)
