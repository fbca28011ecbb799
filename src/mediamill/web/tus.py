"""What tus 1.0 says in headers (https://tus.io/protocols/resumable-upload), read and written."""

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mediamill.core.errors import MediamillError, UnsupportedMedia
from mediamill.services.files.labels import clean_tags
from mediamill.services.uploads.holding import Hash
from mediamill.services.uploads.resumable import Announced
from mediamill.store.repositories.uploads import Upload
from mediamill.web.parsing import StrictRoute
from mediamill.web.problems import log_failure, render, report_of, request_id

VERSION = "1.0.0"
EXTENSIONS = (
    "creation", "creation-with-upload", "creation-defer-length", "expiration", "checksum",
    "termination",
)  # fmt: skip
CONTENT = "application/offset+octet-stream"
MAX_METADATA = 4_000
"""Characters of `Upload-Metadata`."""
EXPOSED = (
    "Location, Tus-Resumable, Upload-Offset, Upload-Length, Upload-Expires, Upload-Metadata, "
    "Upload-Defer-Length, Mediamill-File"
)
UNNAMED = "upload"

_SHA256 = re.compile("[0-9a-fA-F]{64}")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Crc32:
    """CRC-32 with the interface of `hashlib`; four bytes, the highest first."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


ALGORITHMS: dict[str, Callable[[], Hash]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "crc32": Crc32,
}


class TusRoute(StrictRoute):
    """A route whose every answer, also that of an error, says which protocol it speaks."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()

        async def versioned(request: Request) -> Response:
            try:
                response = await handler(request)
            except (MediamillError, HTTPException, RequestValidationError) as error:
                report = report_of(error)
                if report.status >= 500 and not isinstance(error.__cause__, HTTPException):
                    log_failure(error, path=request.url.path)
                response = render(report, request_id(request))
            response.headers["Tus-Resumable"] = VERSION
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
            return response

        return versioned


def options(most: int, *, direct: bool, at_once: int | None = None) -> Response:
    """Say what this server can do; `most` is the largest upload, in bytes.

    With `direct`, clients may ask for requests to the bucket (`POST /v1/uploads/presigned`). A
    request's body has at most `at_once` bytes.
    """
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Max-Size": str(most),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }
    if direct:
        headers["Mediamill-Direct"] = "presigned"
    if at_once is not None:
        headers["Mediamill-Max-Body"] = str(at_once)
    return Response(status_code=204, headers=headers)


def upload_headers(upload: Upload) -> dict[str, str]:
    """Write where an upload stands."""
    headers = {
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": formatdate(upload.expires / 1000, usegmt=True),
    }
    if upload.size is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(upload.size)
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    if upload.file:
        headers["Mediamill-File"] = upload.file
    return headers


def announced(request: Request) -> Announced:
    """Read what a creation says of the file; raises `HTTPException` 400 or `InvalidInput`."""
    text = request.headers.get("upload-metadata", "")
    said = metadata(text)
    size = number(request, "upload-length")
    deferred = request.headers.get("upload-defer-length")
    if deferred not in (None, "1") or (size is None) != (deferred == "1"):
        raise HTTPException(400, "Say Upload-Length, or Upload-Defer-Length: 1.")
    name = said.get("filename") or said.get("name") or UNNAMED
    tags = clean_tags(filter(None, said.get("tags", "").split(",")))
    return Announced(name, size, text, tags, said.get("project", ""), _sha256(said))


def metadata(text: str) -> dict[str, str]:
    """Read `key base64,key base64`; values are UTF-8."""
    if len(text) > MAX_METADATA:
        raise HTTPException(400, f"Upload-Metadata may have at most {MAX_METADATA:,} characters.")
    found = {}
    for pair in filter(str.strip, text.split(",")):
        key, _, value = pair.strip().partition(" ")
        found[key] = _decoded(value, f"Upload-Metadata: “{key[:40]}”").decode("utf-8", "replace")
        if "\0" in found[key]:
            raise HTTPException(400, "Upload-Metadata holds a NUL character.")
    return found


def number(request: Request, header: str) -> int | None:
    """Read a header that counts bytes; None without it."""
    text = request.headers.get(header)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise HTTPException(400, f"{header.title()} is no number of bytes.")
    return int(text)


def checksum(request: Request) -> tuple[Hash, bytes] | None:
    """Read `Upload-Checksum`: what takes it, and what it must come to."""
    text = request.headers.get("upload-checksum")
    if text is None:
        return None
    name, _, value = text.partition(" ")
    if name not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise HTTPException(400, f"Upload-Checksum: we know {known}, and not this algorithm.")
    return ALGORITHMS[name](), _decoded(value, "Upload-Checksum")


def require_content_type(request: Request) -> None:
    """Raise `UnsupportedMedia` unless the body is said to be bytes of an upload."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != CONTENT:
        raise UnsupportedMedia(f"Send bytes of an upload as {CONTENT}.")


def require_offset(request: Request) -> int:
    """Read `Upload-Offset`; raises `HTTPException` 400."""
    offset = number(request, "upload-offset")
    if offset is None:
        raise HTTPException(400, "Say at which byte these go: Upload-Offset.")
    return offset


def _decoded(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise HTTPException(400, f"{where} is not base64.") from None


def _sha256(said: dict[str, str]) -> str | None:
    found = said.get("sha256")
    if found is None:
        return None
    if not _SHA256.fullmatch(found):
        raise HTTPException(400, "Upload-Metadata: sha256 is no SHA-256 in hexadecimal.")
    return found.lower()


def require_version(request: Request) -> None:
    """Refuse another version of tus; who only reads need not say any."""
    spoken = request.headers.get("tus-resumable")
    if spoken != VERSION and not (spoken is None and request.method in ("GET", "HEAD")):
        message = f"This server speaks tus {VERSION}: say Tus-Resumable: {VERSION}."
        raise HTTPException(412, message, headers={"Tus-Version": VERSION})
