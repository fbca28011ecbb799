"""What DynamoDB's errors mean here.

Collided     the write was not made: by its conditions, or because others write the same
Again        worth asking again; `sure` when nothing can have been written
Unavailable  not worth it: the credentials are refused, for example
"""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, of which the built-in one is no kind
    ConnectTimeoutError,
    HTTPClientError,
)

from mediamill.core.errors import MediamillError, Unavailable
from mediamill.store.watching import Reason

REFUSED = "ConditionalCheckFailed"
BUSY = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
"""Reasons of a cancelled transaction that pass by themselves."""
THROTTLING = BUSY - {"TransactionConflict"}
THROTTLED = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "ThrottlingError",
    "RequestLimitExceeded",
    "LimitExceededException",
}
FORBIDDEN = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
}


class Collided(Exception):
    """A transaction was refused: by its conditions, or because others write the same."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(", ".join(reasons))
        self.reasons = reasons

    @property
    def reason(self) -> Reason:
        """Why it is tried again, if it is."""
        return "throttled" if THROTTLING & {*self.reasons} else "collided"

    @property
    def first_refused(self) -> int | None:
        """Position of the first action whose condition failed; None when only others were busy."""
        if BUSY & {*self.reasons}:
            return None
        return self.reasons.index(REFUSED) if REFUSED in self.reasons else None


class Again(Exception):
    """The service was too busy, failed, or did not answer."""

    def __init__(self, message: str, *, sure: bool, reason: Reason = "failed") -> None:
        super().__init__(message)
        self.sure = sure
        """Whether nothing was written. Without an answer, or with a failure, nobody knows."""
        self.reason = reason


def translated(error: Exception) -> Exception:
    """Turn the driver's error into one of ours."""
    if isinstance(error, ClientError):
        code, message = said(error)
        return _answered(error, code, message)
    message = f"The database cannot be reached: {error or type(error).__name__}"
    if isinstance(error, BotoCoreError) and not _passing(error):
        return Unavailable(message)
    return Again(message, sure=isinstance(error, ConnectTimeoutError), reason="away")


def said(error: ClientError) -> tuple[str, str]:
    """Return the code and the message of an answer that is an error."""
    told = error.response.get("Error", {})
    code = told.get("Code", "")
    return code, told.get("Message") or code


def _answered(error: ClientError, code: str, message: str) -> Exception:
    if code in THROTTLED:
        return Again(f"The database is too busy: {message}", sure=True, reason="throttled")
    if code in FORBIDDEN:
        return Unavailable(f"The database refuses this program: {message}")
    match code:
        case "TransactionCanceledException":
            return _cancelled(error, message)
        case "ValidationException":
            return ValueError(f"A value does not fit: {message}")
        case "ResourceNotFoundException":
            return MediamillError(f"The database does not fit this program: {message}")
    return Again(f"The database failed: {message}", sure=False)


def _passing(error: BotoCoreError) -> bool:
    """Tell a network's failure from a missing region, profile or credentials."""
    return isinstance(error, HTTPClientError | ConnectionError)


def _cancelled(error: ClientError, message: str) -> Exception:
    reasons: Any = error.response.get("CancellationReasons", ())
    codes = [reason.get("Code", "None") for reason in reasons]
    if "ValidationError" in codes:
        return ValueError(f"A value does not fit: {message}")
    return Collided(codes)
