"""What a bucket's answers mean here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aiohttp import ClientError as TransportError
from botocore.exceptions import BotoCoreError, ClientError

from mediamill.core.errors import MediamillError, NotFound, StorageFull, Unavailable

ABSENT = frozenset({"NoSuchKey", "404", "NotFound", "NoSuchVersion"})
REFUSED = frozenset(
    {
        "403", "AccessDenied", "AllAccessDisabled", "AuthorizationHeaderMalformed", "ExpiredToken",
        "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired",
    }
)  # fmt: skip
FULL = frozenset({"InsufficientStorage", "QuotaExceeded", "StorageFull", "XMinioStorageFull"})
SPOILT = frozenset(
    {
        "BadDigest", "IncompleteBody", "InvalidDigest", "RequestTimeout",
        "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch",
    }
)  # fmt: skip
UNKNOWN = frozenset(
    {"InvalidArgument", "InvalidRequest", "InvalidStorageClass", "NotImplemented", "501"}
)
COLD = frozenset({"InvalidObjectState", "ObjectNotInActiveTierError"})
TAKEN = frozenset({"412", "ConditionalRequestConflict", "PreconditionFailed"})
BEYOND = frozenset({"416", "InvalidRange"})
NO_UPLOAD = "NoSuchUpload"
NOT_NOW = "GlacierExpeditedRetrievalNotAvailable"
WRONG_PARTS = frozenset({"EntityTooSmall", "InvalidPart", "InvalidPartOrder", "MalformedXML"})


class Spoilt(Unavailable):
    """The bucket got, or gave, other bytes than were sent: the same request may do."""


class Unknown(Unavailable):
    """The server, or the bucket, knows no such request."""


class Refused(MediamillError):
    """An answer that its caller understands, by its code; it leaves this package never."""

    def __init__(self, code: str) -> None:
        super().__init__(f"The bucket answers {code}.")
        self.reason = code


UNDERSTOOD = COLD | TAKEN | BEYOND | WRONG_PARTS | {NO_UPLOAD, NOT_NOW, "RestoreAlreadyInProgress"}


SAID: Sequence[tuple[frozenset[str], type[Unavailable], str]] = (
    (SPOILT, Spoilt, "What arrived at the bucket is not what was sent."),
    (FULL, StorageFull, "The bucket is full."),
    (REFUSED, Unavailable, "The bucket refuses our credentials ({})."),
    (UNKNOWN, Unknown, "The bucket takes no such request ({}): see docs/how-to/s3.md."),
    (frozenset({"NoSuchBucket"}), Unavailable, "There is no such bucket."),
)


@contextmanager
def told(key: str) -> Iterator[None]:
    """Turn what a client of S3 raises into our errors, said without the request."""
    try:
        yield
    except ClientError as error:
        raise meaning(str(error.response.get("Error", {}).get("Code", "")), key) from error
    except (BotoCoreError, TransportError, OSError) as error:
        name = type(error).__name__
        raise Unavailable(f"The bucket cannot be reached, or does not answer ({name}).") from error


def meaning(code: str, key: str) -> MediamillError:
    """Return what a code says."""
    if code in ABSENT:
        return NotFound(f"There is no object “{key}”.", key=key)
    if code in UNDERSTOOD:
        return Refused(code)
    for codes, kind, message in SAID:
        if code in codes:
            return kind(message.format(code))
    return Unavailable(f"The bucket does not answer well ({code or 'no code'}).")
