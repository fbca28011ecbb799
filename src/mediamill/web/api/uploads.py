"""Uploads that survive cut connections: tus 1.0 (https://tus.io), judged by tus-js-client."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import Unavailable
from mediamill.core.metrics import UPLOADED
from mediamill.services.uploads.holding import Hash
from mediamill.services.uploads.resumable import Body
from mediamill.store.repositories.uploads import Upload
from mediamill.web import tus
from mediamill.web.gateway import gateway_of
from mediamill.web.parsing import PROBLEM, UploadId
from mediamill.web.security import Caller, Mill
from mediamill.web.views.uploads import UploadView, upload_view

router = APIRouter(prefix="/v1/uploads", tags=["uploads"], responses=PROBLEM,
                   route_class=tus.TusRoute)  # fmt: skip

_binary = {"schema": {"type": "string", "format": "binary"}}
_offset = {
    "name": "Upload-Offset", "in": "header", "required": True,
    "schema": {"type": "integer", "minimum": 0}, "description": "Where the bytes go.",
}  # fmt: skip
_length = {
    "name": "Upload-Length", "in": "header", "schema": {"type": "integer", "minimum": 1},
    "description": "Bytes of the whole file; or say `Upload-Defer-Length: 1`.",
}  # fmt: skip
_metadata = {
    "name": "Upload-Metadata", "in": "header", "schema": {"type": "string"},
    "description": "`key base64` pairs by commas: filename, tags (by commas), project, sha256.",
}  # fmt: skip
CREATE = {
    "parameters": [_length, _metadata],
    "requestBody": {"content": {tus.CONTENT: _binary}},
}
APPEND = {
    "parameters": [_offset],
    "requestBody": {"required": True, "content": {tus.CONTENT: _binary}},
}


@router.options("", status_code=204, response_class=Response)
async def describe_uploads(mill: Mill, request: Request) -> Response:
    """Say which version and extensions of tus are spoken.

    `Mediamill-Max-Body` is there where a request's body may have no more bytes: send parts.
    """
    return _described(mill, request)


@router.options("/{upload_id}", status_code=204, response_class=Response)
async def describe_upload(upload_id: UploadId, mill: Mill, request: Request) -> Response:
    """Say which version and extensions of tus are spoken."""
    return _described(mill, request)


@router.post("", status_code=201, response_class=Response, openapi_extra=CREATE)
async def create_upload(caller: Caller, mill: Mill, request: Request) -> Response:
    """Begin an upload, with its first bytes if the request has any; `Location` is where it is."""
    tus.require_version(request)
    check = tus.checksum(request)
    upload = await mill.resumable.create(caller, tus.announced(request))
    headers = {"Location": f"/v1/uploads/{upload.id}"}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == tus.CONTENT:
        upload = await _append(request, mill, caller, upload.id, 0, check)
    return Response(status_code=201, headers={**headers, **tus.upload_headers(upload)})


@router.head("/{upload_id}", response_class=Response)
async def ask_upload(upload_id: UploadId, caller: Caller, mill: Mill, request: Request) -> Response:
    """Tell up to which byte an upload is here: go on from there."""
    await _known(request, mill, caller, upload_id)
    upload = await mill.resumable.settled(caller, upload_id)
    return Response(headers=tus.upload_headers(upload))


@router.get("/{upload_id}")
async def get_upload(upload_id: UploadId, caller: Caller, mill: Mill) -> UploadView:
    """Show an upload: its state, and the file that it has become or why it was rejected."""
    upload = await mill.resumable.get(caller, upload_id)
    return upload_view(upload, for_workers=await mill.waiting.upload(upload))


@router.patch("/{upload_id}", status_code=204, response_class=Response, openapi_extra=APPEND)
async def append_upload(
    upload_id: UploadId, caller: Caller, mill: Mill, request: Request
) -> Response:
    """Append bytes; answered when they are durable, with the last ones `Mediamill-File`.

    A large file is checked after the answer: its state is at `GET /v1/uploads/{upload_id}`.
    """
    await _known(request, mill, caller, upload_id)
    tus.require_content_type(request)
    offset, check = tus.require_offset(request), tus.checksum(request)
    upload = await _append(request, mill, caller, upload_id, offset, check)
    return Response(status_code=204, headers=tus.upload_headers(upload))


@router.delete("/{upload_id}", status_code=204, response_class=Response)
async def delete_upload(
    upload_id: UploadId, caller: Caller, mill: Mill, request: Request
) -> Response:
    """Give an upload up and remove its bytes; a file that it has become stays."""
    if not (await mill.resumable.get(caller, upload_id)).direct:
        tus.require_version(request)
    await mill.resumable.delete(caller, upload_id)
    return Response(status_code=204)


@router.post("/{upload_id}", status_code=204, response_class=Response)
async def override_upload(
    upload_id: UploadId, caller: Caller, mill: Mill, request: Request
) -> Response:
    """Do what `X-HTTP-Method-Override` says, for clients that can send nothing but POST."""
    match request.headers.get("x-http-method-override", "").upper():
        case "PATCH":
            return await append_upload(upload_id, caller, mill, request)
        case "DELETE":
            return await delete_upload(upload_id, caller, mill, request)
    await mill.resumable.get(caller, upload_id)
    raise HTTPException(405, headers={"Allow": "GET, HEAD, PATCH, DELETE"})


def _described(mill: App, request: Request) -> Response:
    at_once = gateway_of(request.scope).most
    most, direct = mill.settings.max_upload_bytes, mill.direct.offered
    return tus.options(most, direct=direct, at_once=at_once)


async def _known(request: Request, mill: App, caller: Principal, upload_id: str) -> None:
    """Raise `NotFound` before anything is said about how to ask, then 412 for another tus."""
    await mill.resumable.get(caller, upload_id)
    tus.require_version(request)


async def _append(
    request: Request,
    mill: App,
    caller: Principal,
    upload_id: str,
    offset: int,
    check: tuple[Hash, bytes] | None,
) -> Upload:
    hashing, expected = check or (None, None)
    length, size = tus.number(request, "content-length"), tus.number(request, "upload-length")
    body = Body(_chunks(request), length, size, hashing, expected)
    upload, file = await mill.resumable.append(caller, upload_id, offset, body)
    if file is not None and length != 0:
        mill.parts.numbers.count(UPLOADED, more=file.size)
    return upload


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """Read the body; one that pauses too long is to be resumed, as one that was cut."""
    try:
        async for chunk in request.stream():
            yield chunk
    except HTTPException as error:
        message = "The body came too slowly. What came is kept: ask for the offset and go on."
        raise Unavailable(message) from error
