"""Errors that a caller can act on.

MediamillError                 status code               retryable
├── InvalidInput               422    invalid_input      no    the request or the media is wrong
│   ├── UnsupportedMedia       415    unsupported_media  no    not a type or container we open
│   ├── BrokenMedia            422    broken_media       no    known type, cannot be decoded
│   ├── LimitExceeded          413    limit_exceeded     no    too many bytes, pixels, frames
│   │   ├── AnswerTooLarge     413    answer_too_large   no    more bytes than the gateway takes
│   │   └── BodyTooLarge       413    body_too_large     no    more bytes than the gateway brings
│   ├── AddressRefused         422    address_refused    no    an address that is not asked
│   ├── FetchFailed            422    fetch_failed       no    an address that gives no file
│   ├── ChecksumMismatch       460    checksum_mismatch  yes   what came is not what was sent
│   ├── QuestionRefused        422    question_refused   no    no model will answer this question
│   └── KeyReused              422    idempotency_key_reused  no  same key, other request
├── Unauthenticated            401    unauthenticated    no    who are you?
│   └── SecondFactorRequired   401    second_factor_required  no  the password is right: and a code
├── Forbidden                  403    forbidden          no    known, and may not
│   ├── AccountClosing     403    account_closing    no    it is being deleted, and may be kept
│   ├── SecondFactorNeeded     403    second_factor_needed  no  set one up before anything else
│   ├── Unverified             403    unverified         no    the mail address first, then this
│   └── ConfirmationNeeded     403    confirmation_needed  no  prove once more who you are, first
├── NotFound                   404    not_found          no    absent, or not yours to see
│   └── Gone                   410    gone               no    it was there and has expired
├── Conflict                   409    conflict           no    the state does not allow it (yet)
│   ├── Outdated               412    outdated           no    it has changed since it was read
│   ├── Locked                 423    locked             yes   another request is at it
│   ├── ConditionFailed        409    condition_failed   no    a guarded write lost its race (store)
│   ├── ProjectFull            409    project_full       no    it takes no more files, as it is set
│   └── InProgress             409    idempotency_in_progress  yes  the same request still runs
├── DeliveryRefused            502    delivery_refused   no    who it is for will never take it
├── Throttled                  429    throttled          yes   too often wrong, or too often asked
├── QuotaExceeded              429    quota_exceeded     yes   try later, or ask for more
│   └── TooManyRequests        429    rate_limited       yes   requests come too fast
├── BudgetExceeded             402    budget_exceeded    no    it might cost more than it may
├── ProviderRefused            502    provider_refused   no    its key, rights or model are wrong
├── InvalidAnswer              502    invalid_answer     yes   a model's answer will not do
├── Unavailable                503    unavailable        yes   a store, broker or provider is away
│   ├── StorageFull            507    storage_full       yes   no room for more bytes
│   ├── Restoring              503    restoring          yes   in cold storage, on its way back
│   ├── Packing                503    packing            yes   being put together as one object
│   ├── NewerVersion           503    newer_version      yes   only a newer program knows it
│   ├── SourceUnavailable      503    source_unavailable yes   an address does not answer well
│   └── ProviderUnavailable    503    provider_unavailable  yes  a model does not answer now
│       └── RateLimited        503    provider_busy      yes   it is asked too often
├── SlotFailure                500    slot_failed        yes   a worker process died under an item
│   ├── OutOfMemory            500    out_of_memory      yes
│   └── TimedOut               500    timed_out          yes
├── Unsealable                 500    unsealable         no    a kept secret cannot be opened
└── ConfigurationError         500    configuration      no    a setting is wrong; names it

`retryable` says whether the same request may succeed later unchanged. `details` are safe to show.
Adapters wrap their SDK's errors here: no foreign exception class leaves an adapter.
"""

from typing import Any, ClassVar, Self


def cause_of(error: BaseException) -> str:
    """Name what became an error of ours, for `details`: its class, and the system's number of it.

    The words for people say that a file is damaged; the log shows whether it was the disk, or we.
    """
    number = getattr(error, "errno", None)
    return type(error).__name__ + ("" if number is None else f" {number}")


def wrong(pointer: str, message: str) -> dict[str, str]:
    """Make an entry of `details["errors"]`: what is wrong with the field that `pointer` names."""
    return {"pointer": pointer, "message": message}


class MediamillError(Exception):
    """Base of every error that is shown to a caller."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, /, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    @classmethod
    def at(cls, pointer: str, message: str, **details: Any) -> Self:
        """Make an error about one field of a request, which `pointer` names."""
        return cls(message, errors=[wrong(pointer, message)], **details)


class InvalidInput(MediamillError):
    status, code = 422, "invalid_input"


class UnsupportedMedia(InvalidInput):
    status, code = 415, "unsupported_media"


class BrokenMedia(InvalidInput):
    code = "broken_media"


class LimitExceeded(InvalidInput):
    status, code = 413, "limit_exceeded"


class AnswerTooLarge(LimitExceeded):
    """An answer that what stands before this service would not take; `most` bytes pass."""

    code = "answer_too_large"


class BodyTooLarge(LimitExceeded):
    """A body that what stands before this service would not bring; `upload` is another way."""

    code = "body_too_large"


class AddressRefused(InvalidInput):
    code = "address_refused"


class FetchFailed(InvalidInput):
    code = "fetch_failed"


class ChecksumMismatch(InvalidInput):
    status, code, retryable = 460, "checksum_mismatch", True


class QuestionRefused(InvalidInput):
    code = "question_refused"


class KeyReused(InvalidInput):
    code = "idempotency_key_reused"


class Unauthenticated(MediamillError):
    status, code = 401, "unauthenticated"


class SecondFactorRequired(Unauthenticated):
    """The password is right, and a code of the second factor is missing or is not."""

    code = "second_factor_required"


class Forbidden(MediamillError):
    status, code = 403, "forbidden"


class AccountClosing(Forbidden):
    """The account is being deleted; its owner, who has just proved it, may still keep it."""

    code = "account_closing"


class SecondFactorNeeded(Forbidden):
    """Who asks has no second factor, and this installation wants one."""

    code = "second_factor_needed"


class Unverified(Forbidden):
    """Who asks has yet to show that mails to their address reach them, as is demanded here."""

    code = "unverified"


class ConfirmationNeeded(Forbidden):
    """What is asked for needs password and code to have been given within the last minutes."""

    code = "confirmation_needed"


class NotFound(MediamillError):
    status, code = 404, "not_found"


class Gone(NotFound):
    status, code = 410, "gone"


class Conflict(MediamillError):
    status, code = 409, "conflict"


class Outdated(Conflict):
    status, code = 412, "outdated"


class Locked(Conflict):
    status, code, retryable = 423, "locked", True


class ConditionFailed(Conflict):
    """A guarded write found another state; `action` is the position of the action that failed."""

    code = "condition_failed"

    def __init__(self, message: str, /, action: int = 0, **details: Any) -> None:
        super().__init__(message, **details)
        self.action = action


class ProjectFull(Conflict):
    code = "project_full"


class InProgress(Conflict):
    """The request with this `Idempotency-Key` is being worked on; ask again in a moment."""

    code, retryable = "idempotency_in_progress", True


class DeliveryRefused(MediamillError):
    """A mail or a message that the other side refuses for good."""

    status, code = 502, "delivery_refused"


class Throttled(MediamillError):
    """Somebody guessed too often, or asks for too many mails; `retry_after` is in seconds."""

    status, code, retryable = 429, "throttled", True


class QuotaExceeded(MediamillError):
    """More than one may have or do; `retry_after` is in seconds where it passes by itself."""

    status, code, retryable = 429, "quota_exceeded", True

    def __init__(self, message: str, /, retry_after: int | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class TooManyRequests(QuotaExceeded):
    """Requests come too fast; `details` name the limit."""

    code = "rate_limited"


class Unavailable(MediamillError):
    status, code, retryable = 503, "unavailable", True


class StorageFull(Unavailable):
    status, code = 507, "storage_full"


class Restoring(Unavailable):
    """An object in cold storage, whose return has been asked for; `retry_after` is in seconds."""

    code = "restoring"

    def __init__(self, message: str, /, retry_after: int = 300, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class Packing(Unavailable):
    """A download that is being put together; ask again in a moment."""

    code = "packing"


class NewerVersion(Unavailable):
    """Something that another version of the program wrote; that one can do it."""

    code = "newer_version"


class SourceUnavailable(Unavailable):
    code = "source_unavailable"


class ProviderUnavailable(Unavailable):
    code = "provider_unavailable"


class RateLimited(ProviderUnavailable):
    """A provider is asked too often; `retry_after` in seconds where it says so."""

    code = "provider_busy"


class BudgetExceeded(MediamillError):
    """A call might cost more than is left; `budget` names which."""

    status, code = 402, "budget_exceeded"


class ProviderRefused(MediamillError):
    """A provider will not answer in this configuration, whatever it is asked."""

    status, code = 502, "provider_refused"


class InvalidAnswer(MediamillError):
    """A provider answered what will not do: empty, of the wrong shape, against what was asked."""

    status, code, retryable = 502, "invalid_answer", True


class SlotFailure(MediamillError):
    code, retryable = "slot_failed", True


class OutOfMemory(SlotFailure):
    code = "out_of_memory"


class TimedOut(SlotFailure):
    code = "timed_out"


class Unsealable(MediamillError):
    """A sealed secret was changed, lies where it does not belong, or has lost its key."""

    code = "unsealable"


class ConfigurationError(MediamillError):
    code = "configuration"


def by_code(code: str) -> type[MediamillError]:
    """Find the error class of a code, so that an error can cross a process boundary as data."""
    pending: list[type[MediamillError]] = [MediamillError]
    while pending:
        found = pending.pop()
        if found.code == code:
            return found
        pending.extend(found.__subclasses__())
    return MediamillError
