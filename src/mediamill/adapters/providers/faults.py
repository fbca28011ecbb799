"""The errors of providers, made one way; what each means says the port.

`lost` in the details of an error says that the question went out and no whole answer came, so it
may have been paid for; `slow` that time ran out. No text holds what a server said beyond a short
line of it without anything that may be a secret.
"""

import asyncio
import email.utils
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mediamill.adapters.providers.port import Deadline
from mediamill.core.errors import (
    InvalidAnswer,
    MediamillError,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
    RateLimited,
)

LONGEST_LINE = 300
LONGEST_WAIT = 3600.0
SECRET = re.compile(
    r"(?i)\b(?:sk|hf|pk|rk|gsk|key|xai)[-_][\w*.-]{6,}|\b(?:AKIA|ASIA)[A-Z0-9]{8,}"
    r"|\bbearer\s+\S+|[A-Za-z0-9+/_=-]{40,}|\barn:\S+|\b\d{12}\b"
)
"""What may be a key, an account or data in a server's words: some quote the key they refuse."""


def away(name: str, why: str, *, lost: bool = False, slow: bool = False) -> ProviderUnavailable:
    """Say that a provider does not answer now."""
    said = {key: True for key, so in (("lost", lost), ("slow", slow)) if so}
    return ProviderUnavailable(f"{name} {why}.", provider=name, **said)


def limited(name: str, after: float | None = None, why: str = "is asked too often") -> RateLimited:
    """Say that a provider is asked too often; `after` is in seconds."""
    more = {} if after is None else {"retry_after": after}
    return RateLimited(f"{name} {why}.", provider=name, **more)


def misconfigured(name: str, why: str) -> ProviderRefused:
    """Say that a provider will answer nothing as it is set up."""
    return ProviderRefused(f"{name} {why}.", provider=name)


def declined(name: str, why: str) -> QuestionRefused:
    """Say that a provider will not answer this question."""
    return QuestionRefused(f"{name} {why}.", provider=name)


def invalid(name: str, why: str) -> InvalidAnswer:
    """Say that an answer is not what its protocol says."""
    return InvalidAnswer(f"{name} {why}.", provider=name)


@asynccontextmanager
async def within(name: str, deadline: Deadline, most: float) -> AsyncIterator[None]:
    """End the block at the deadline, or after `most` seconds if that is sooner.

    Raises `ProviderUnavailable` then.
    """
    seconds = min(deadline.left, most)
    if seconds <= 0:
        raise away(name, "was not asked: no time was left", slow=True)
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        why = f"does not answer within {seconds:.1f} s"
        raise away(name, why, lost=True, slow=True) from None


def by_status(name: str, status: int, why: str = "", after: float | None = None) -> MediamillError:
    """Return the error that an HTTP status means; `why` is a line of what the server said."""
    told = f"answers {status}{f': {line}' if (line := harmless(why)) else ''}"
    if status == 429:
        return limited(name, after, told)
    if status in (503, 529) and after is not None:
        return limited(name, after, told)
    if status >= 500 or status in (408, 409, 425):
        return away(name, told)
    if status in (400, 413, 415, 422):
        return declined(name, told)
    return misconfigured(name, told)


def harmless(text: object) -> str:
    """Return the first line of a server's words, short, printable, with no key in it."""
    lines = str(text or "").strip().splitlines()
    line = "".join(c if c.isprintable() else " " for c in lines[0]) if lines else ""
    return SECRET.sub("…", line[: 2 * LONGEST_LINE])[:LONGEST_LINE].rstrip(" .")


def seconds_of(retry_after: str | None) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3); None where it is neither."""
    text = (retry_after or "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII):
        return min(float(text), LONGEST_WAIT)
    try:
        left = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(left, 0.0), LONGEST_WAIT)
