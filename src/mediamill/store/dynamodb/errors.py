"""What DynamoDB's errors mean here."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from mediamill.core.errors import MediamillError, Unavailable

REFUSED = "ConditionalCheckFailed"
AGAIN = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
COLLISIONS = {
    "ConditionalCheckFailedException": REFUSED,
    "TransactionConflictException": "TransactionConflict",
    "TransactionInProgressException": "TransactionConflict",
    "ProvisionedThroughputExceededException": "ThrottlingError",
    "ThrottlingException": "ThrottlingError",
    "RequestLimitExceeded": "ThrottlingError",
}


class Collided(Exception):
    """A write was refused: by its conditions, or because others write the same."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(", ".join(reasons))
        self.reasons = reasons

    @property
    def first_refused(self) -> int | None:
        """Position of the first action whose condition failed; None when only others were busy."""
        if AGAIN & {*self.reasons}:
            return None
        return self.reasons.index(REFUSED) if REFUSED in self.reasons else None


def translated(error: Exception) -> Exception:
    """Turn the driver's error into one of ours."""
    if not isinstance(error, ClientError):
        return Unavailable(f"The database cannot be reached: {error}")
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", code)
    if code == "TransactionCanceledException":
        return _cancelled(error, message)
    if code in COLLISIONS:
        return Collided([COLLISIONS[code]])
    match code:
        case "ValidationException":
            return ValueError(f"A value does not fit: {message}")
        case "ResourceNotFoundException":
            return MediamillError(f"The database does not fit this program: {message}")
    return Unavailable(f"The database failed: {message}")


def _cancelled(error: ClientError, message: str) -> Exception:
    reasons: Any = error.response.get("CancellationReasons", ())
    codes = [reason.get("Code", "None") for reason in reasons]
    if "ValidationError" in codes:
        return ValueError(f"A value does not fit: {message}")
    return Collided(codes)
