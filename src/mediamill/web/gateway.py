"""What stands between callers and this service where that bounds each exchange.

A gateway in front of a function hands over whole requests and takes whole answers, of a few
megabytes, within half a minute. Where nothing of that kind is, `gateway_of` says so: no limits.
"""

import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from mediamill.core.errors import AnswerTooLarge

KEY = "mediamill.gateway"
"""Where a request's scope has it."""
MARGIN_SECONDS = 2.0
"""What writing an answer takes at most, beside waiting."""
LONGEST_SECONDS = 55.0
"""How long is waited at most, whatever was asked for: proxies and CloudFront give up at 60."""


@dataclass(frozen=True)
class Gateway:
    """The limits of one exchange."""

    most: int | None = None
    """Bytes of a request's body and of an answer's; None: as many as there are."""
    until: float = float("inf")
    """When the answer must be there, by the monotonic clock."""
    host: str = ""
    """The name by which the gateway was asked; it is ours."""
    prefix: str = ""
    """What stands before our paths outside, such as `/prod`."""

    @property
    def whole(self) -> bool:
        """Whether answers are handed over whole, so that none can go on and on."""
        return self.most is not None

    def patience(self, seconds: float) -> float:
        """Return how long may be waited of the seconds that somebody wants to."""
        left = self.until - time.monotonic() - MARGIN_SECONDS
        return max(0.0, min(seconds, LONGEST_SECONDS, left))

    def exceeds(self, size: int) -> bool:
        """Tell whether so many bytes do not pass."""
        return self.most is not None and size > self.most

    def refuse(self, size: int, *, ranged: bool) -> None:
        """Raise `AnswerTooLarge` for more bytes than pass."""
        if self.most is not None and size > self.most:
            raise too_large(self.most, f"These are {size:,} bytes, and an answer", ranged=ranged)


def too_large(most: int, what: str = "An answer", *, ranged: bool = False) -> AnswerTooLarge:
    """Return the refusal of an answer that does not pass."""
    instead = "ask for ranges of them." if ranged else "ask for less."
    return AnswerTooLarge(
        f"{what} has at most {most:,} bytes here: {instead}", most=most, ranged=ranged
    )


NONE = Gateway()


def gateway_of(scope: Scope) -> Gateway:
    """Return what bounds a request's exchange."""
    found: Gateway = scope.get(KEY, NONE)
    return found


def announced(headers: Headers) -> int:
    """Return how many bytes a request says that its body has; 0 for what says nothing."""
    length = headers.get("content-length", "")
    return int(length) if length.isdigit() and len(length) < 20 else 0
