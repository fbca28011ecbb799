"""Uploads out of a request's body: raw, or the files of a form; streamed, never spooled."""

from collections.abc import AsyncIterator
from urllib.parse import unquote

from fastapi import Request
from python_multipart.multipart import parse_options_header

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput, MediamillError, UnsupportedMedia
from mediamill.store.repositories.files import File
from mediamill.web.multipart import FormReader

UNNAMED = "upload"


async def receive(request: Request, app: App, principal: Principal) -> list[File]:
    """Store the files that a request brings; all of them, or none."""
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _form(request, app, principal, content_type)
    if kind == "application/json":
        raise UnsupportedMedia("Send the file’s bytes as the body, or a multipart form.")
    length = request.headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() else None
    return [await app.uploads.receive(principal, _name(request), request.stream(), size)]


async def _form(request: Request, app: App, principal: Principal, content_type: str) -> list[File]:
    """Store every file of a form; when one is refused, those before it go again."""
    kept: list[File] = []
    try:
        async for head, chunks in FormReader(content_type, request.stream()).parts():
            if head.filename is not None:
                kept.append(await _part(app, principal, head.filename, chunks))
        if not kept:
            raise InvalidInput("The form holds no file.")
    except BaseException:
        for file in kept:
            await app.files.delete(principal, file.id, now=True)
        raise
    return kept


async def _part(app: App, principal: Principal, name: str, chunks: AsyncIterator[bytes]) -> File:
    """Store one file of a form; an error says which."""
    try:
        return await app.uploads.receive(principal, name or UNNAMED, chunks, None)
    except MediamillError as error:
        error.message = f"{name[:200]}: {error.message}"
        raise


def _name(request: Request) -> str:
    """Find a raw body's name: `?name=`, else X-Filename, else Content-Disposition."""
    if given := request.query_params.get("name"):
        return given
    if header := request.headers.get("x-filename"):
        return unquote(header.encode("latin-1").decode("utf-8", "replace"))
    _, options = parse_options_header(request.headers.get("content-disposition", ""))
    return options.get(b"filename", b"").decode("utf-8", "replace") or UNNAMED
