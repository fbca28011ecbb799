"""Files: put in, list, show, read. What changes them is in `changes.py`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from mediamill.core.clock import NO_TIME, read_time
from mediamill.core.errors import InvalidInput
from mediamill.core.metrics import UPLOADED
from mediamill.services.files.labels import MAX_TAG, clean_tags
from mediamill.services.files.listing import Kind, Wanted
from mediamill.store.port import MAX_PAGE
from mediamill.store.repositories.files import FileState
from mediamill.web.documents import FileBody, Sha256
from mediamill.web.parsing import PROBLEM, After, FileId, Limit, StrictRoute, cursor
from mediamill.web.redirecting import redirected
from mediamill.web.security import Caller, Mill
from mediamill.web.serving import KEPT, serve
from mediamill.web.thumbnails import Thumbnails, pictured
from mediamill.web.uploading import Said, receive
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.files import FileView, UploadedView, etag, file_view, upload_view

router = APIRouter(prefix="/v1/files", tags=["files"], responses=PROBLEM, route_class=StrictRoute)

_binary = {"schema": {"type": "string", "format": "binary"}}
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes.", "content": {"*/*": _binary}},
    206: {"description": "The range that was asked for.", "content": {"*/*": _binary}},
    304: {"description": "What the caller has is still right."},
    416: {"description": "There is nothing in this range."},
}
ELSEWHERE: dict[int | str, dict[str, Any]] = {
    **BYTES,
    307: {"description": "The bytes are at the bucket, at this address for a few minutes."},
}
_form = {"type": "object", "properties": {"file": {"type": "array", "items": _binary["schema"]}}}
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": _binary,
            "multipart/form-data": {"schema": _form},
            "application/json": {"schema": FileBody.model_json_schema()},
        },
    },
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": f"SHA-256 that the bytes must have, {how}; else 422, nothing kept.",
            "schema": {"type": "string"},
        }
        for name, how in (
            ("X-Content-SHA256", "in hexadecimal"),
            ("Content-Digest", "as RFC 9530 writes it: `sha-256=:…:`"),
        )
    ],
}
CREATED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "With `if_absent`: the file that was here already.",
        "model": UploadedView,
    },
    202: {"description": "The server fetches the file now.", "model": UploadedView},
}


@router.post("", status_code=201, openapi_extra=UPLOAD, responses=CREATED)
async def upload_file(
    request: Request,
    response: Response,
    caller: Caller,
    mill: Mill,
    name: Annotated[str, Query(max_length=2000, description="Name of a raw body.")] = "",
    tags: Annotated[str, Query(max_length=6000, description="With commas between them.")] = "",
    project: Annotated[str | None, Query(max_length=100, description="One that it joins.")] = None,
    if_absent: Annotated[
        bool, Query(description="If you have these bytes already, answer that file instead.")
    ] = False,
) -> UploadedView | Listed[UploadedView]:
    """Store a file: its bytes as the body, a form with one or several files, or JSON.

    Answered when the bytes are durable. Of a form's files all are kept or none. With `if_absent`
    and a digest, a file that is here already is answered with 200 and `duplicate: true`; it gets
    the tags and joins the project.
    """
    said = Said(clean_tags(tags.split(",")), project, if_absent)
    arrived = await receive(request, mill, caller, said)
    files = arrived.files
    if len(files) > 1:
        mill.parts.numbers.count(UPLOADED, more=sum(file.size for file in files))
        dated = await mill.kept.dated(files)
        return listed([upload_view(file, project=arrived.project) for file in dated], None)
    (file,) = files
    response.headers["Location"] = f"/v1/files/{file.id}"
    if arrived.duplicate:
        response.status_code = 200
    elif file.state is FileState.READY:
        mill.parts.numbers.count(UPLOADED, more=file.size)
    else:
        response.status_code = 202
    file = await mill.kept.dated_one(file)
    return upload_view(file, duplicate=arrived.duplicate, project=arrived.project)


class FileQuery(BaseModel):
    """Conditions of a list; all of them hold."""

    type: str | None = Field(
        None, max_length=200, description="A media type, or a kind: `image/*`, `image`."
    )
    source: str | None = Field(None, max_length=20, examples=["upload", "import"])
    tag: str | None = Field(None, max_length=MAX_TAG)
    name: str | None = Field(None, max_length=200, description="Part of it, in whatever case.")
    project: str | None = Field(None, max_length=100)
    state: FileState | None = Field(None, description="All but `trashed` if left out.")
    sha256: Sha256 | None = None
    kind: Kind | None = Field(None, description="Zips are archives, documents are `other`.")
    since: str | None = Field(
        None, max_length=40, description="When it came at the earliest: a day or time (UTC)."
    )
    until: str | None = Field(
        None, max_length=40, description="Likewise, the first day or time that does not count."
    )

    def wanted(self) -> Wanted:
        sha256 = self.sha256.lower() if self.sha256 else None
        tag = next(iter(clean_tags([self.tag or ""], "tag")), None)
        since, until = _time(self.since, "since"), _time(self.until, "until")
        return Wanted(
            self.type, self.source, tag, self.name, self.state, sha256, self.project, self.kind,
            since, until,
        )  # fmt: skip


def _time(text: str | None, field: str) -> int | None:
    try:
        return None if text is None else read_time(text)
    except ValueError:
        raise InvalidInput.at(field, NO_TIME) from None


_ONE = "file_[0-9A-Za-z-]{1,64}"
Ids = Annotated[
    str | None,
    Query(
        pattern=f"^{_ONE}(,{_ONE}){{0,99}}$",
        description="Up to 100 ids with commas between them: on one page and in this order those "
        "of these files, results too, that are the caller’s and fulfil the conditions.",
    ),
]


@router.get("")
async def list_files(
    caller: Caller,
    mill: Mill,
    query: Annotated[FileQuery, Depends()],
    ids: Ids = None,
    thumbnails: Thumbnails = "own",
    after: After = None,
    limit: Limit = 20,
) -> Listed[FileView]:
    """List the caller's files, newest first; of the trash, what was deleted last first.

    With conditions a page may hold few files, or none, and still have `has_more`: it is the end of
    a bounded search, and `after` goes on with it.
    """
    if ids is not None:
        rows, more = await mill.files.named(caller, ids.split(","), query.wanted()), None
    else:
        with cursor(after):
            page = await mill.files.list(caller, after, limit, query.wanted())
        rows, more = page.rows, page.after
    views = [file_view(file) for file in await mill.kept.dated(rows)]
    return listed(await pictured(mill, rows, views, thumbnails), more)


@router.get("/ids")
async def list_ids(
    caller: Caller,
    mill: Mill,
    query: Annotated[FileQuery, Depends()],
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most ids of a page.")] = MAX_PAGE,
) -> Listed[str]:
    """List only the ids of files, many at once, in the order of the list of files.

    So is known how long that is and what stands where; `ids` of the list shows some of them.
    """
    with cursor(after):
        page = await mill.files.list(caller, after, limit, query.wanted())
    return listed([file.id for file in page.rows], page.after)


@router.get("/{file_id}")
async def get_file(
    file_id: FileId,
    caller: Caller,
    mill: Mill,
    response: Response,
    thumbnails: Thumbnails = "own",
) -> FileView:
    """Show one file: an uploaded one, or one that a job made."""
    file = await mill.kept.dated_one(await mill.files.get(caller, file_id))
    response.headers["ETag"] = etag(file)
    view = file_view(file, for_workers=await mill.waiting.file(file))
    (view,) = await pictured(mill, [file], [view], thumbnails)
    return view


@router.head("/{file_id}/content", responses=BYTES, response_class=Response)
@router.get("/{file_id}/content", responses=ELSEWHERE, response_class=Response)
async def get_content(
    file_id: FileId,
    caller: Caller,
    mill: Mill,
    request: Request,
    direct: Annotated[
        bool | None, Query(description="Redirect to the bucket, where that can be; else the bytes.")
    ] = None,
) -> Response:
    """Download a file, whole or a range of it."""
    content = await mill.files.content(caller, file_id)
    return await redirected(request, mill, content, direct) or serve(request, content)


@router.get("/{file_id}/thumbnail", responses=BYTES, response_class=Response)
async def get_thumbnail(file_id: FileId, caller: Caller, mill: Mill, request: Request) -> Response:
    """Show a small picture of a file; 404 with `pending` while it is being made."""
    content = await mill.files.thumbnail(caller, file_id)
    return serve(request, content, inline=True, cache=KEPT)
