"""Errors as RFC 9457 problems: one function decides what every error looks like outside.

Expected errors carry their own status, code and message. Those of ours that may pass by themselves,
such as a full disk, are logged in one line with `action="request_unserved"`; unexpected ones with
`action="request_failed"` and answered as `internal`, with nothing of what happened. An answer that
has begun can only be cut off: `action="answer_broken_off"` where the content is to blame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mediamill.core.errors import MediamillError, QuotaExceeded, Restoring
from mediamill.core.wording import plainly

MEDIA_TYPE = "application/problem+json"
NOTHING = "There is nothing at this address."
CODES = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    411: "length_required",
    412: "precondition_failed",
    413: "limit_exceeded",
    415: "unsupported_media",
    416: "range_not_satisfiable",
    421: "misdirected",
    422: "invalid_input",
}
FURTHER_TITLES = {460: "Checksum Mismatch"}
"""Of statuses that only tus knows."""
MAX_ERRORS = 100
MAX_POINTER, MAX_MESSAGE = 200, 1_000
"""Characters: an answer stays small whatever was sent, and names enough to start with."""
RETRY_SECONDS = {409: 1, 423: 2, 429: 10, 503: 5, 507: 60}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Report:
    """What a caller is told about an error."""

    status: int
    code: str
    detail: str
    errors: Sequence[dict[str, str]] = ()
    retryable: bool = False
    details: dict[str, Any] = field(default_factory=dict)
    """Further facts that are safe to show."""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return FURTHER_TITLES.get(self.status) or HTTPStatus(self.status).phrase


def report_of(error: Exception) -> Report:
    """Decide what a caller is told about an error."""
    match error:
        case MediamillError():
            return _of_ours(error)
        case RequestValidationError():
            return _of_validation(error)
        case HTTPException():
            return _of_http(error)
    return Report(500, "internal", "Something went wrong on our side; it has been recorded.")


def render(report: Report, instance: str = "") -> Response:
    """Write a report as `application/problem+json`."""
    body = {
        "type": f"/problems/{report.code}",
        "title": report.title,
        "status": report.status,
        "detail": report.detail,
        "code": report.code,
        "errors": list(report.errors),
        "retryable": report.retryable,
        "instance": instance,
        **({"details": report.details} if report.details else {}),
    }
    content = to_json(body, fallback=str)
    return Response(content, report.status, dict(report.headers), MEDIA_TYPE)


def request_id(request: Request) -> str:
    """Return the id that the log knows a request by."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def log_failure(error: BaseException, **context: Any) -> None:
    """Record an error of ours: in one line if it may pass by itself, else with its traceback."""
    if isinstance(error, MediamillError) and error.retryable:
        cause = repr(error.__cause__) if error.__cause__ else ""
        said = {"code": error.code, "error": error.message, "cause": cause[:500]}
        log.warning("request unserved", action="request_unserved", **said, **context)
    else:
        log.error("request failed", action="request_failed", exc_info=error, **context)


def log_broken_off(error: Exception, **context: Any) -> None:
    """Record what ended an answer that had begun; in one line if it is what the content was like.

    Starlette wraps an error that it would have answered, had nothing been sent yet.
    """
    cause = error.__cause__ if isinstance(error.__cause__, MediamillError) else error
    if isinstance(cause, MediamillError) and (cause.status < 500 or cause.retryable):
        said = {"code": cause.code, "error": cause.message}
        log.warning("answer broken off", action="answer_broken_off", **said, **context)
    else:
        log_failure(cause, **context)


def _of_ours(error: MediamillError) -> Report:
    details = {name: value for name, value in error.details.items() if name != "errors"}
    headers: dict[str, str] = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retryable and error.status in RETRY_SECONDS:
        headers["Retry-After"] = str(RETRY_SECONDS[error.status])
    if "retry_after" in details:  # a state that passes, as what is being prepared
        headers["Retry-After"] = str(details["retry_after"])
    if isinstance(error, Restoring | QuotaExceeded) and error.retry_after:
        headers["Retry-After"] = str(error.retry_after)
    errors = error.details.get("errors", ())[:MAX_ERRORS]
    return Report(
        error.status, error.code, error.message, errors, error.retryable, details, headers
    )


def _of_validation(error: RequestValidationError) -> Report:
    """Name each wrong field; an id in the path that cannot be one is simply not there."""
    found = error.errors()
    if any(item["loc"][:1] == ("path",) for item in found):
        return Report(404, "not_found", NOTHING)
    errors = [
        {
            "pointer": ".".join(str(part) for part in item["loc"][1:])[:MAX_POINTER],
            "message": plainly(_untold(item))[:MAX_MESSAGE],
        }
        for item in found[:MAX_ERRORS]
    ]
    first = errors[0]
    detail = f"{first['pointer']}: {first['message']}" if first["pointer"] else first["message"]
    return Report(422, "invalid_input", detail, errors)


def _untold(item: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was sent: it may be a password."""
    return {key: value for key, value in item.items() if key != "input"}


def _of_http(error: HTTPException) -> Report:
    code = CODES.get(error.status_code, f"http_{error.status_code}")
    detail = str(error.detail)
    if error.status_code == 404 and detail == HTTPStatus(404).phrase:
        detail = NOTHING
    if error.status_code == 405:
        detail = "This address does not take this method."
    return Report(error.status_code, code, detail, headers=dict(error.headers or {}))
