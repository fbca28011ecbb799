"""Uploads out of a request's body: raw, the files of a form, or JSON; the first two are streamed.

What is said of the file beside its bytes is checked before they are read: the project it is to
join, its tags, its digest. With `if_absent` a file whose digest the caller has already is not read
at all; the one that is there gets the tags and joins the project.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from fastapi import Request
from python_multipart.multipart import parse_options_header

from mediamill.app import App
from mediamill.core.access import Principal, Right
from mediamill.core.errors import (
    BodyTooLarge,
    InvalidInput,
    MediamillError,
    NotFound,
    ProjectFull,
)
from mediamill.services.files.labels import clean_tags
from mediamill.services.uploads.recording import Label
from mediamill.services.uploads.resumable import Announced
from mediamill.store.repositories.files import File
from mediamill.web.digests import announced_sha256, content_digest, hexadecimal
from mediamill.web.documents import Document
from mediamill.web.gateway import announced, gateway_of
from mediamill.web.multipart import FormReader
from mediamill.web.views.direct import direct_view

UNNAMED = "upload"
PRESIGNED = "/v1/uploads/presigned"
WRAPPED = frozenset({"multipart/form-data", "application/json"})
"""Types of bodies in which files are."""
FIRST = 20
"""Parts whose requests come with the beginning of an upload."""


@dataclass(frozen=True)
class Said:
    """What a request says of the file that it brings, beside its name."""

    tags: tuple[str, ...] = ()
    project: str | None = None
    if_absent: bool = False


@dataclass(frozen=True)
class Arrived:
    """The files that a request brought; or, if `duplicate`, the one that was there already."""

    files: Sequence[File]
    duplicate: bool = False
    project: str | None = None
    """The one that they joined."""


def is_json(content_type: str) -> bool:
    """Tell whether a Content-Type is that of JSON."""
    return _kind(content_type) == "application/json"


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


async def receive(request: Request, app: App, principal: Principal, said: Said) -> Arrived:
    """Store the files that a request brings; all of them, or none."""
    content_type = request.headers.get("content-type", "")
    await _check_project(app, principal, said.project, said)
    if gateway_of(request.scope).exceeds(announced(request.headers)):
        raise await _another_way(request, app, principal, said)
    if _kind(content_type) == "multipart/form-data":
        arrived = await _form(request, app, principal, said)
    elif is_json(content_type):
        with request.app.state.documents.place(request, principal.user):
            return await _document(request, app, principal, said)
    else:
        arrived = await _raw(request, app, principal, said)
    return await _joined(app, principal, said.project, arrived)


async def _another_way(
    request: Request, app: App, principal: Principal, said: Said
) -> BodyTooLarge:
    """Return the refusal of a body that will not come whole, with an upload past the gateway.

    It is ready to use where the bytes are the body; a form's and a document's size is not theirs.
    """
    most, size = gateway_of(request.scope).most, announced(request.headers)
    further: dict[str, Any] = {"most": most, "begin": PRESIGNED}
    if _kind(request.headers.get("content-type", "")) not in WRAPPED and app.direct.offered:
        sha256 = announced_sha256(request.headers)
        wanted = Announced(_name(request), size, "", said.tags, said.project or "", sha256)
        upload = await app.direct.offer(principal, wanted)
        places, more = await app.direct.places(principal, upload.id, limit=FIRST)
        further["upload"] = direct_view(upload, places, more=more).model_dump(mode="json")
    return BodyTooLarge(
        f"A body may have at most {most:,} bytes here: send files past this gateway, by the "
        "requests to the bucket that come with an upload.",
        **further,
    )


async def _check_project(app: App, principal: Principal, project: str | None, said: Said) -> None:
    """Raise `NotFound`, `Forbidden` or `ProjectFull` where the caller cannot add to a project.

    What may be here already may be a member, for which there need be no room.
    """
    if project is None:
        return
    if said.if_absent:
        await app.projects.get(principal, project, Right.EDIT)
    else:
        await app.projects.welcome(principal, project)


async def _joined(app: App, principal: Principal, project: str | None, arrived: Arrived) -> Arrived:
    """Add files to a project, unless it was deleted meanwhile.

    Raises `ProjectFull` where there is no room for all of them: then none of them stays.
    """
    if project is None:
        return arrived
    try:
        await app.projects.add(principal, project, [file.id for file in arrived.files])
    except NotFound:
        return arrived
    except ProjectFull:
        for file in () if arrived.duplicate else arrived.files:
            await app.files.delete(principal, file.id, now=True)
        raise
    return replace(arrived, project=project)


# -- the three kinds of body --------------------------------------------------------------------


async def _raw(request: Request, app: App, principal: Principal, said: Said) -> Arrived:
    length = request.headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() else None
    label = Label(tags=said.tags, sha256=announced_sha256(request.headers))
    return await _received(app, principal, _name(request), request.stream(), size, label, said)


async def _form(request: Request, app: App, principal: Principal, said: Said) -> Arrived:
    """Store every file of a form; when one is refused, those before it go again."""
    if said.if_absent or announced_sha256(request.headers):
        raise InvalidInput("A form’s files have no digests: send a file’s bytes as the body.")
    content_type, kept = request.headers.get("content-type", ""), list[File]()
    label = Label(tags=said.tags)
    try:
        async for head, chunks in FormReader(content_type, request.stream()).parts():
            if head.filename is not None:
                kept.append(await _part(app, principal, head.filename, chunks, label))
        if not kept:
            raise InvalidInput("The form holds no file.")
    except BaseException:
        for file in kept:
            await app.files.delete(principal, file.id, now=True)
        raise
    return Arrived(kept)


async def _part(
    app: App, principal: Principal, name: str, chunks: AsyncIterator[bytes], label: Label
) -> File:
    """Store one file of a form; an error says which."""
    try:
        return await app.uploads.receive(principal, name or UNNAMED, chunks, None, label)
    except MediamillError as error:
        if not error.message.startswith(name):
            error.message = f"{name[:200]}: {error.message}"
        raise


async def _document(request: Request, app: App, principal: Principal, said: Said) -> Arrived:
    """Store the file in a JSON document, or begin to fetch it from the address there."""
    documents = request.app.state.documents
    document: Document = await documents.read(request, content_digest(request.headers))
    body = document.body
    project = body.project or said.project
    if body.project is not None:
        await _check_project(app, principal, project, said)
    said = Said(clean_tags([*body.tags, *said.tags]), project, said.if_absent)
    if body.url is not None:
        arrived = await _fetched(app, principal, document, said)
    else:
        arrived = await _decoded(request, app, principal, document, said)
    return await _joined(app, principal, project, arrived)


async def _decoded(
    request: Request, app: App, principal: Principal, document: Document, said: Said
) -> Arrived:
    if hexadecimal(request.headers) not in (None, document.sha256):
        raise InvalidInput(f"The bytes have the SHA-256 {document.sha256}: send the file again.")
    label = Label(tags=said.tags, sha256=document.sha256)
    name, size = document.body.filename or UNNAMED, len(document.data or b"")
    return await _received(app, principal, name, document.chunks(), size, label, said)


async def _fetched(app: App, principal: Principal, document: Document, said: Said) -> Arrived:
    """Begin to fetch a file from an address."""
    body, sha256 = document.body, (document.body.sha256 or "").lower() or None
    label = Label("import", said.tags, sha256)
    if said.if_absent and (found := await _present(app, principal, label)):
        return found
    return Arrived([await app.imports.begin(principal, body.url or "", body.filename, label)])


async def _received(
    app: App,
    principal: Principal,
    name: str,
    chunks: AsyncIterator[bytes],
    size: int | None,
    label: Label,
    said: Said,
) -> Arrived:
    """Store one stream; with `if_absent`, unless there is such a file before or meanwhile."""
    if not said.if_absent:
        return Arrived([await app.uploads.receive(principal, name, chunks, size, label)])
    if found := await _present(app, principal, label):
        return found
    file, theirs = await app.uploads.receive_once(principal, name, chunks, size, label)
    return await _again(app, principal, file, label) if theirs else Arrived([file])


async def _present(app: App, principal: Principal, label: Label) -> Arrived | None:
    """Return the caller's file with the announced digest, if there is one."""
    if label.sha256 is None:
        message = "if_absent needs the file’s digest: send X-Content-SHA256 or Content-Digest."
        raise InvalidInput.at("if_absent", message)
    file = await app.files.with_bytes(principal, label.sha256)
    return None if file is None else await _again(app, principal, file, label)


async def _again(app: App, principal: Principal, file: File, label: Label) -> Arrived:
    """Give a file that is here already the tags of the request."""
    retagged = await app.labels.retag(principal, file.id, label.tags, ())
    return Arrived([retagged.file], duplicate=True)


def _name(request: Request) -> str:
    """Find a raw body's name: `?name=`, else X-Filename, else Content-Disposition."""
    if given := request.query_params.get("name"):
        return given
    if header := request.headers.get("x-filename"):
        return unquote(header.encode("latin-1").decode("utf-8", "replace"))
    _, options = parse_options_header(request.headers.get("content-disposition", ""))
    return options.get(b"filename", b"").decode("utf-8", "replace") or UNNAMED
