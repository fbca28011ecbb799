"""Send again what may be sent again: requests whose answer was lost, and servers that ask to wait.

A request is repeated when that cannot do anything twice: GET, HEAD, PUT and DELETE, a POST with an
`Idempotency-Key`, and whatever certainly never reached the server. `Retry-After` is kept to;
otherwise pauses grow, and are drawn so that clients do not come back together.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mediamill.client.calling import Flow, Open, Pause, Request, Response, whole
from mediamill.client.errors import ClientError, Problem, Unreachable

PASSING = frozenset({408, 423, 425, 429, 502, 503, 504})
"""What passes, where the server does not say whether it does."""
LAST_DOUBLING = 30
UNDONE = frozenset({425, 429})
"""What is answered before anything is done."""
IN_DOUBT = frozenset({500, 502, 504})
"""Answers of which nobody knows whether the request was done."""


@dataclass(frozen=True)
class Retries:
    """How patient a client is; all times are seconds."""

    tries: int = 6
    """Attempts in all."""
    first: float = 0.25
    """The longest pause before the second attempt; it doubles with each."""
    longest: float = 20.0
    """The longest pause of all."""
    total: float = 120.0
    """So long after the first failure nothing is tried again: no pause is begun that ends later."""
    connecting: bool = True
    """Whether a server that is not there at all is waited for."""

    def pauses(self) -> Iterator[float]:
        """Yield how long to wait before each further attempt."""
        for number in range(self.tries - 1):
            longest = min(self.longest, self.first * 2 ** min(number, LAST_DOUBLING))
            yield random.uniform(longest / 2, longest)  # noqa: S311 - spreads retries


NEVER = Retries(tries=1)
"""Each request is sent once."""


class Patience:
    """How often something is still tried; progress renews it."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self.renew()

    def renew(self) -> None:
        """Begin anew, because there was progress."""
        self._pauses = self._retries.pauses()
        self._until: float | None = None

    def wait(self, asked: float | None = None) -> Flow[bool]:
        """Wait before another try, as long as the server asks if it does; False when it is over."""
        pause = next(self._pauses, None)
        if pause is None:
            return False
        seconds, now = pause if asked is None else asked + pause / 4, time.monotonic()
        self._until = self._until or now + self._retries.total  # from the first failure on
        if now + seconds > self._until:
            return False
        yield Pause(seconds)
        return True


def sending(request: Request, retries: Retries) -> Flow[Response]:
    """Send a request until it is answered; raises `Problem` and `Unreachable`.

    A DELETE that is repeated because its answer was lost may find nothing: that was its doing.
    Where one of a known revision finds another then, nobody knows whose: `Unreachable` says so.
    """
    return _patiently(request, request, retries)


def opening(request: Request, retries: Retries, piece: int | None = None) -> Flow[Response]:
    """Open a stream as `sending` sends; its body is then read by `Read`, in pieces so large."""
    return _patiently(request, Open(request, piece), retries)


def _patiently(request: Request, effect: Request | Open, retries: Retries) -> Flow[Response]:
    patience, lost = Patience(retries), False
    while True:
        try:
            response: Response = yield effect
        except Unreachable as error:
            lost = lost or error.sent
            if not _again(request, error, retries) or not (yield from patience.wait()):
                raise
            continue
        if not response.failed:
            return response
        if lost and request.method == "DELETE" and response.status in (404, 410):
            return Response(204, response.headers)
        if isinstance(effect, Open):
            response = yield from whole(response)
        problem = response.problem()
        if lost and problem.status in (409, 412) and "If-Match" in request.headers:
            message = "No answer came, and it has another revision now: read it again."
            raise Unreachable(message) from problem
        lost = lost or response.status in IN_DOUBT
        if not _passes(request, problem) or not (yield from patience.wait(problem.retry_after)):
            raise problem


def _again(request: Request, error: Unreachable, retries: Retries) -> bool:
    """Tell whether a request may be sent again that nobody answered."""
    return request.repeatable if error.sent else retries.connecting


def _passes(request: Request, problem: Problem) -> bool:
    """Tell whether a request may be sent again that was refused."""
    may = request.repeatable or (problem.status in UNDONE and not request.passes_once)
    return may and passes(problem)


def passes(problem: Problem) -> bool:
    """Tell whether the same request may succeed later."""
    return problem.status in PASSING if problem.retryable is None else problem.retryable


def patiently(
    retries: Retries,
    attempt: Callable[[Patience], Flow[str]],
    passing: Callable[[ClientError], bool],
) -> Flow[str]:
    """Do something that may be done twice, again while its failures pass."""
    patience = Patience(retries)
    while True:
        try:
            return (yield from attempt(patience))
        except (Problem, Unreachable) as error:
            asked = error.retry_after if isinstance(error, Problem) else None
            if not passing(error) or not (yield from patience.wait(asked)):
                raise
