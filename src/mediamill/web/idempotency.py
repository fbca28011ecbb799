"""`Idempotency-Key`: a POST that creates may be sent again, and is done once.

Every such route of the API takes the header; none has code of its own for it. A request with a
JSON body is the same as another when method, path, query and content are. The bytes of an upload
are not known before they are read: it is compared by its headers first, and what is sent to be
answered from memory is read and compared by SHA-256.
"""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from fastapi import HTTPException, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput, KeyReused, LimitExceeded, MediamillError
from mediamill.services.repeats.once import REUSED, Answer
from mediamill.store.repositories.idempotency import KeyedRequest
from mediamill.web.limits import refuse_too_many
from mediamill.web.multipart import FormReader
from mediamill.web.security import (
    identified,
    refuse_cross_site,
    require_what_it_asks,
    the_app,
)

HEADER = "Idempotency-Key"
LONGEST = 255
CREATING = (201, 202)
MAX_JSON = 16 << 20
"""Bytes of a JSON body that brings a file; other bodies are limited before they come here."""
TELLING = ("x-filename", "content-disposition", "upload-length", "upload-metadata")
"""Headers that say what an upload is."""
NOT_KEPT = frozenset({"content-length", "set-cookie", "date"})

Handler = Callable[[Request], Awaitable[Response]]
F = TypeVar("F", bound=Callable[..., Any])


def shown_once(endpoint: F) -> F:
    """Mark an endpoint whose answer holds a secret: it is never stored, nor given again."""
    endpoint.__shown_once__ = True  # type: ignore[attr-defined]  # a mark on a function
    return endpoint


def signed_anew(endpoint: F) -> F:
    """Mark an endpoint whose answer is never stored: each repeat is one more attempt.

    It must find what an earlier attempt made (`made_before`).
    """
    endpoint.__signed_anew__ = True  # type: ignore[attr-defined]  # a mark on a function
    return endpoint


def takes_keys(route: APIRoute) -> bool:
    """Tell whether a route creates something for a caller."""
    creates = "POST" in (route.methods or ()) and route.status_code in CREATING
    return creates and _needs_caller(route.dependant)


def _needs_caller(dependant: Dependant) -> bool:
    return any(d.call is identified or _needs_caller(d) for d in dependant.dependencies)


async def answer_once(request: Request, route: APIRoute, handler: Handler) -> Response:
    """Answer a request, from memory if it was answered under its key before."""
    key = _key(request)
    if key is None:
        return await handler(request)
    refuse_cross_site(request)
    app = the_app(request)
    principal = await identified(request, app, None, None)
    await require_what_it_asks(route.dependant, principal, app)
    with _place(request, principal):
        return await _once(request, route, handler, app, principal, key)


def _place(request: Request, principal: Principal) -> AbstractContextManager[None]:
    """Hold the place that a file within JSON takes, before its body is read."""
    if request.url.path != "/v1/files" or _streams(request):
        return nullcontext()
    place: AbstractContextManager[None] = request.app.state.documents.place(request, principal.user)
    return place


async def _once(
    request: Request, route: APIRoute, handler: Handler, app: App, principal: Principal, key: str
) -> Response:
    secret = getattr(route.endpoint, "__shown_once__", False)
    begun = await app.once.begin(principal.user, key, await _fingerprint(request), secret=secret)
    if isinstance(begun, Answer):
        return await _again(request, begun)
    try:
        async with app.once.attempt(begun):
            response = await _attempt(request, handler, begun)
        if getattr(route.endpoint, "__signed_anew__", False):
            await app.once.abandon(begun, refused=False)
        else:
            await app.once.complete(begun, _answer(request, response, secret=secret))
    finally:
        app.once.let_go(begun)
    return response


async def _attempt(request: Request, handler: Handler, row: KeyedRequest) -> Response:
    """Do the work; a request that was refused frees its key, unless an attempt before was not."""
    try:
        return await handler(request)
    except BaseException as error:
        await the_app(request).once.abandon(row, refused=row.attempt == 1 and _refused(error))
        raise


def _refused(error: BaseException) -> bool:
    """Tell whether an error says that nothing was made, rather than that something broke."""
    match error:
        case MediamillError():
            return error.status < 500 and not error.retryable
        case HTTPException():
            return error.status_code < 500
    return isinstance(error, RequestValidationError)


async def _again(request: Request, given: Answer) -> Response:
    """Give an answer again, to the same bytes only."""
    if given.digests is not None and await _digests(request) != given.digests:
        raise KeyReused(REUSED)
    return Response(given.body, given.status, {**given.headers, "Idempotency-Replayed": "true"})


def _answer(request: Request, response: Response, *, secret: bool) -> Answer:
    headers = {name: value for name, value in response.headers.items() if name not in NOT_KEPT}
    body = bytes(getattr(response, "body", b""))
    digests = _digests_told(body) if _streams(request) else None
    return Answer(response.status_code, headers, body, digests, secret)


def _key(request: Request) -> str | None:
    """Read the header; raises `InvalidInput` for what is no key."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    key = given[0]
    if len(given) > 1 or not 1 <= len(key) <= LONGEST or not all("!" <= c <= "~" for c in key):
        message = f"{HEADER} is one key of 1 to {LONGEST} visible ASCII characters."
        raise InvalidInput.at(HEADER, message)
    return key


# -- what a request asks for --------------------------------------------------------------------


async def _fingerprint(request: Request) -> str:
    """Hash all that is known of a request without reading a file."""
    query = sorted(parse_qsl(request.url.query, keep_blank_values=True))
    told = [request.headers.get(name, "") for name in TELLING]
    parts: list[Any] = [request.method, request.url.path, query, told]
    if _streams(request):
        kind = _kind(request)
        length = "" if kind == "multipart/form-data" else request.headers.get("content-length", "")
        parts += [kind, length]
    else:
        parts.append(_canonical(await _small_body(request)))
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _streams(request: Request) -> bool:
    """Tell whether the body is a file rather than something to be parsed."""
    kind = _kind(request)
    json = kind == "application/json" or kind.endswith("+json")
    empty = request.headers.get("content-length", "0") == "0"
    return not json and not (empty and "transfer-encoding" not in request.headers)


async def _small_body(request: Request) -> bytes:
    """Read a body that is kept in memory, and leave it to be read again."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON:
            raise LimitExceeded(f"A JSON body may have at most {MAX_JSON:,} bytes here.")
    request._body = bytes(body)  # where `Request.body` keeps it too
    return request._body


def _canonical(body: bytes) -> str:
    """Write JSON the same way whatever its spaces and the order of its members."""
    refuse_too_many(body)
    try:
        value = msgspec.json.decode(body) if body else None
    except (ValueError, RecursionError):
        return hashlib.sha256(body).hexdigest()  # refused by who reads it
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


async def _digests(request: Request) -> tuple[str, ...]:
    """Read a streamed body; return the SHA-256 of each file that it brings."""
    if _kind(request) != "multipart/form-data":
        return (await _sha256(request.stream()),)
    reader = FormReader(request.headers.get("content-type", ""), request.stream())
    found = [(head, await _sha256(chunks)) async for head, chunks in reader.parts()]
    return tuple(digest for head, digest in found if head.filename is not None)


async def _sha256(chunks: Any) -> str:
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _digests_told(body: bytes) -> tuple[str, ...] | None:
    """Read the files' SHA-256 out of the answer to an upload; None where it tells of none."""
    try:
        told = msgspec.json.decode(body) if body else {}
        files = told.get("data", [told])
        return tuple(str(file["sha256"]) for file in files)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
