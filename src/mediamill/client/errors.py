"""What a call of the client can end with.

ClientError                 everything below
├── Problem                 the server answered with an error (RFC 9457)
│   ├── Unauthorized        401: no token, or one that does not count any more
│   ├── Forbidden           403: the token lacks the scope, or the user the role
│   ├── NotFound            404, 410
│   ├── Conflict            409, 412: something else came first
│   ├── InvalidInput        400, 413, 415, 422: what was sent is wrong; see `errors`
│   ├── TooManyRequests     429: see `retry_after`
│   └── ServerError         5xx
├── Unreachable             no server answered
├── Unexpected              what answered is no Mediamill, or this would go elsewhere
├── Busy                    another process fetches the same to the same place
├── Changed                 what is read changed meanwhile
├── Corrupt                 what arrived is not what was sent
├── Ended                   a job ended otherwise than it was expected to
└── TimedOut                the time that the caller gave is over
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mediamill.client.models import FieldError, JobView


class ClientError(Exception):
    """A call that failed; `message` says why, in one sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Problem(ClientError):
    """The server's answer where it refuses, with the fields of RFC 9457 and ours."""

    def __init__(
        self, status: int, document: Mapping[str, Any], retry_after: float | None = None
    ) -> None:
        title = str(document.get("title") or "")
        detail = str(document.get("detail") or title)
        super().__init__(detail or f"The server answered {status} without saying why.")
        self.status = status
        self.type = str(document.get("type") or "about:blank")
        self.title, self.detail = title, detail
        self.code = str(document.get("code") or "")
        """Stable: what programs should look at."""
        self.errors: Sequence[FieldError] = document.get("errors") or ()
        self.instance = str(document.get("instance") or "")
        """Id of the request, as in the server's log."""
        self.details: Mapping[str, Any] = document.get("details") or {}
        self.retryable: bool | None = document.get("retryable")
        """Whether the same request may succeed later; None where the server does not say."""
        self.retry_after = retry_after
        """Seconds that the server asks to wait; None where it does not."""


class Unauthorized(Problem):
    """There is no token, or it does not count any more."""


class Forbidden(Problem):
    """The token lacks the scope, or the user the role."""


class NotFound(Problem):
    """It is not there, or not for this user."""


class Conflict(Problem):
    """Something else came first."""


class InvalidInput(Problem):
    """What was sent is wrong; `errors` says where."""


class TooManyRequests(Problem):
    """A quota or a rate is used up; `retry_after` says until when."""


class ServerError(Problem):
    """The server failed, or is not ready."""


class Unreachable(ClientError):
    """No server answered; `sent` tells whether the request may have reached it."""

    def __init__(self, message: str, *, sent: bool = True, reason: str = "") -> None:
        super().__init__(message)
        self.sent = sent
        self.reason = reason
        """What the connection failed of; empty where the server answered, but otherwise."""


class Unexpected(ClientError):
    """What answered is no Mediamill: a redirect, a page of a proxy; or an address leads elsewhere.

    Nothing is known to have been done.
    """


class Busy(ClientError):
    """Another process is fetching the same to the same place."""


class Changed(ClientError):
    """What is read changed meanwhile: what came already does not belong to what follows."""


class Corrupt(ClientError):
    """What arrived is not what was sent."""


class Ended(ClientError):
    """A job ended otherwise than it was expected to; `job` is its last state."""

    def __init__(self, job: JobView) -> None:
        why = f": {job['error']}" if job.get("error") else "."
        super().__init__(f"The job {job['id']} is {job['state']}{why}")
        self.job = job


class TimedOut(ClientError):
    """The time that the caller gave is over; nothing was cancelled."""


_BY_STATUS: dict[int, type[Problem]] = {
    401: Unauthorized, 403: Forbidden, 404: NotFound, 410: NotFound, 409: Conflict, 412: Conflict,
    400: InvalidInput, 413: InvalidInput, 415: InvalidInput, 422: InvalidInput,
    429: TooManyRequests,
}  # fmt: skip


def problem_of(
    status: int, document: Mapping[str, Any], retry_after: float | None = None
) -> Problem:
    """Return what an answer's problem document says, as the class of its status."""
    kind = ServerError if status >= 500 else _BY_STATUS.get(status, Problem)
    return kind(status, document, retry_after)
