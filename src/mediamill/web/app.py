"""The web application: the API and the pages over one `App`."""

import re
from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

from mediamill import __version__
from mediamill.app import App
from mediamill.core.errors import MediamillError
from mediamill.services.uploads.destination import destination
from mediamill.web import problems
from mediamill.web.api import ROUTERS
from mediamill.web.auditing import Auditing
from mediamill.web.compressing import Compressing
from mediamill.web.cors import Cors, read_origins
from mediamill.web.documents import Documents
from mediamill.web.limits import MAX_BODY, MAX_FILE_BODY, MAX_SIGN_IN_BODY, BodyGuard
from mediamill.web.metrics.allowing import read_watchers
from mediamill.web.observing import Observing
from mediamill.web.openapi import describe, operation_id
from mediamill.web.pages import error_card, error_page, router, wants_page
from mediamill.web.proxies import Proxies, read_trusted
from mediamill.web.rates import Counted, count_open, count_refused
from mediamill.web.security import HostGuard, identified, refuse_cross_site
from mediamill.web.statics import Statics
from mediamill.web.uploading import is_json


def create_app(app: App) -> FastAPI:
    """Build the web application over an open `App`, which the caller closes.

    Raises `ConfigurationError` for proxies, watchers or origins that cannot be read.
    """
    web = FastAPI(
        title="Mediamill",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        routes=routes(),
    )
    web.state.mill = app
    web.state.documents = Documents()
    web.state.counted = Counted(identified)
    web.state.watchers = read_watchers(app.settings.metrics_allow)
    for kind in (MediamillError, HTTPException, RequestValidationError):
        web.add_exception_handler(kind, answer)
    web.openapi = description  # type: ignore[method-assign]  # as FastAPI's manual says
    web.add_middleware(HostGuard, settings=app.settings)
    web.add_middleware(BodyGuard, most=most_bytes)
    web.add_middleware(Cors, origins=read_origins(app.settings.cors_origins))
    web.add_middleware(Auditing, trail=app.trail)
    web.add_middleware(Proxies, trusted=read_trusted(app.settings.trusted_proxies))
    web.add_middleware(Compressing)
    web.add_middleware(
        Observing,
        numbers=app.parts.numbers,
        tracer=app.parts.tracer,
        failure=failure,
        bucket=destination(app.direct),
    )
    return web


@cache
def routes() -> list[BaseRoute]:
    """Make the routes: they know no installation, so all applications of a process share them."""
    table = APIRouter(
        dependencies=[Depends(refuse_cross_site), Depends(count_open)],
        generate_unique_id_function=operation_id,
    )
    for noun in (*ROUTERS, router):
        table.include_router(noun)
    table.mount("/static", Statics(), name="static")
    return table.routes


@cache
def description() -> dict[str, Any]:
    """Describe the routes: this takes two seconds, and is the same for all applications."""
    return describe(routes())


def takes_uploads(scope: Scope) -> bool:
    """Tell whether a request's body is a file, whose size `Uploads` limits."""
    return bool(scope["path"] == "/v1/files" or scope["path"].startswith("/v1/uploads"))


def most_bytes(scope: Scope) -> int | None:
    """Return how many bytes a request's body may have, None where `Uploads` limits them."""
    if scope["path"].startswith("/v1/auth/"):
        return MAX_SIGN_IN_BODY
    if not takes_uploads(scope):
        return MAX_BODY
    if scope["path"] == "/v1/files" and is_json(Headers(scope=scope).get("content-type", "")):
        return MAX_FILE_BODY
    return None


async def answer(request: Request, error: Exception) -> Response:
    """Answer an expected error."""
    try:
        await count_refused(request)
    except MediamillError as refused:
        error = refused
    report = problems.report_of(error)
    if report.status >= 500:
        problems.log_failure(error, path=request.url.path)
    if report.status == 405:
        report.headers["Allow"] = ", ".join(sorted(methods_of(request)))
    if wants_page(request):
        return await error_page(request, report)
    return problems.render(report, problems.request_id(request))


def failure(request: Request, error: Exception) -> Response:
    """Answer an error that nobody expected."""
    report = problems.report_of(error)
    if wants_page(request):
        return error_card(request, report)
    return problems.render(report, problems.request_id(request))


def methods_of(request: Request) -> set[str]:
    """Return every method of a request's address, whichever route serves it.

    Where several match, the address is the one with the fewest characters left to parameters, as
    OpenAPI puts `/files/delete` before `/files/{file_id}`.
    """
    path: str = request.scope["path"]
    matching: dict[str, set[str]] = {}
    for route in iter_route_contexts(request.app.routes):
        if route.path and route.methods and route.path_regex.match(path):
            matching.setdefault(re.sub("{.*?}", "", route.path), set()).update(route.methods)
    return matching[max(matching, key=len)] if matching else set()
