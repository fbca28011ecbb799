"""Limits the requests of a minute, for all servers of an installation together.

A server takes a share of a minute from the store and counts it off by itself: a tenth of the limit,
so that a request is a write only now and then. What is left of a share when the minute is over is
lost with it. So nobody is ever let in beyond a limit, and who is refused may have had one share
less for each server beside the one that refuses.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mediamill.core.clock import SECOND, Clock
from mediamill.core.errors import TooManyRequests
from mediamill.services.accounts.guessing import network_of
from mediamill.store.repositories.allowances import Allowances
from mediamill.store.repositories.rates import WINDOW, Rates

SHARES = 10
"""Into so many shares a minute is divided."""

Most = Callable[[], Awaitable[int | None]]


@dataclass(frozen=True)
class Standing:
    """Where somebody stands by one limit."""

    policy: str
    """`requests`, `previews` or `nobody`."""
    most: int
    left: int
    reset: int
    """Seconds until the window is over."""


@dataclass
class Share:
    """What this server has taken of somebody's window."""

    window: int
    most: int | None
    left: int = 0
    taken: int = 0
    """By all servers, when this one took last."""
    spent: bool = False
    """Whether there was nothing more to take."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RateLimits:
    """Counts requests; one a process. `previews` and `nobody` are limits, None for none."""

    def __init__(
        self,
        rates: Rates,
        allowances: Allowances,
        clock: Clock,
        previews: int | None = None,
        nobody: int | None = None,
    ) -> None:
        self.rates, self._allowances, self._clock = rates, allowances, clock
        self._previews, self._nobody = previews, nobody
        self._window = 0
        self._shares: dict[str, Share] = {}

    async def request(self, user: str) -> Standing | None:
        """Count a user's request; None where there is no limit. Raises `TooManyRequests`."""

        async def most() -> int | None:
            return (await self._allowances.limits(user)).requests

        return await self._count("requests", user, most)

    async def preview(self, user: str) -> Standing | None:
        """Count a preview that a user asks for, as `request` does."""

        async def most() -> int | None:
            return self._previews

        return await self._count("previews", user, most)

    async def nobody(self, address: str) -> Standing | None:
        """Count a request of whom nobody knows, by the network that it comes from, likewise."""

        async def most() -> int | None:
            return self._nobody

        return await self._count("nobody", network_of(address) or "unknown", most)

    async def used(self, user: str) -> int:
        """Return how much of a user's requests of this minute is taken, shares included."""
        return await self.rates.taken(subject_of("requests", user), self._clock.now() // WINDOW)

    async def _count(self, policy: str, whose: str, most_of: Most) -> Standing | None:
        subject = subject_of(policy, whose)
        share = await self._share(subject, most_of)
        if share.most is None:
            return None
        while not share.left and not share.spent:
            async with share.lock:
                if not share.left and not share.spent:
                    await self._take(subject, share, share.most)
        reset = self._reset(share)
        if not share.left:
            raise _refusal(policy, share.most, reset)
        share.left -= 1
        left = share.left + max(0, share.most - share.taken)
        return Standing(policy, share.most, left, reset)

    async def _share(self, subject: str, most_of: Most) -> Share:
        """Return what this server has of the present window, at first nothing."""
        window = self._clock.now() // WINDOW
        if window != self._window:
            self._shares.clear()  # those that wait for their old one have it in hand
            self._window = window
        share = self._shares.get(subject)
        if share is None:
            most = await most_of()
            share = self._shares.setdefault(subject, Share(window, most))
        return share

    async def _take(self, subject: str, share: Share, most: int) -> None:
        got, share.taken = await self.rates.take(
            subject, share.window, max(1, most // SHARES), most
        )
        share.left += got
        share.spent = not got

    def _reset(self, share: Share) -> int:
        left = (share.window + 1) * WINDOW - self._clock.now()
        return max(1, -(-left // SECOND))


def subject_of(policy: str, whose: str) -> str:
    """Return the key of somebody's row, which does not tell who that is."""
    return f"{policy}:{hashlib.sha256(whose.encode()).hexdigest()[:32]}"


def _refusal(policy: str, most: int, reset: int) -> TooManyRequests:
    words = {"previews": "previews were asked for"}.get(policy, "requests came")
    return TooManyRequests(
        f"More than {most:,} {words} within a minute: wait {reset} s, and ask less often.",
        retry_after=reset,
        quota=policy,
        used=most,
        limit=most,
        window_seconds=WINDOW // SECOND,
    )
