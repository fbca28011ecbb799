"""Guessing is slowed down, and the owner of an account is not locked out by who guesses.

Each try counts before it is looked at, in one conditional write, and is taken back when it was
right: so a hundred at once are as slow as one after the other. What counts leaks away with time.

    an account, from browsers that never signed in to it   10 tries, then 1, 2, 4 … s, up to 1 h
    a browser that signed in to it before (`devices.py`)   its own 10 tries, likewise
    a network, over all accounts (IPv4 address, IPv6 /64)  100 tries, likewise

A browser that is known waits for nobody else. Addresses that nobody has are counted as others are.
A patient guesser has some 50 tries at an account on the first day and 24 on each other, wherever
from (ADR 56).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import ceil

from mediamill.core.acts import note, origin
from mediamill.core.clock import HOUR, MINUTE, SECOND, Clock
from mediamill.core.errors import Throttled
from mediamill.store.repositories.guesses import Guess, Guesses, place_of

MAX_DOUBLINGS = 30
"""So that no number grows without end."""


@dataclass(frozen=True)
class Limit:
    """How often something may be tried: `free` at once, then ever later; `leak` ms forget one."""

    kind: str
    free: int
    leak: int
    longest: int = HOUR
    """The most (ms) that one waits for the next try."""

    def level(self, row: Guess | None, now: int) -> float:
        """Return how many tries count at a time."""
        return 0.0 if row is None else max(0.0, row.level - max(0, now - row.last) / self.leak)

    def wait(self, row: Guess | None, now: int) -> int:
        """Return how long (ms) the next try has to wait."""
        over = ceil(self.level(row, now)) - self.free
        if row is None or over < 0:
            return 0
        pause = min(SECOND << min(over, MAX_DOUBLINGS), self.longest)
        return max(0, row.last + pause - now)


ACCOUNT = Limit("account", free=10, leak=HOUR)
DEVICE = Limit("device", free=10, leak=HOUR)
NETWORK = Limit("network", free=100, leak=36 * SECOND)
SESSION = Limit("session", free=10, leak=HOUR)
"""Who is signed in, and says their password once more."""
FORGOTTEN = Limit("forgotten", free=20, leak=3 * MINUTE)
"""Mails that a network asks for."""
RESENT = Limit("resent", free=3, leak=20 * MINUTE)
"""Mails that a user asks for."""

Subject = tuple[Limit, str]


@dataclass(frozen=True)
class Attempt:
    """A sign-in that has been counted."""

    own: Subject
    network: Subject | None


class Guessing:
    """Counts tries in the store, for all servers together."""

    def __init__(self, guesses: Guesses, clock: Clock) -> None:
        self._guesses, self._clock = guesses, clock

    async def begin(self, address: str, device: str = "") -> Attempt:
        """Count a try to sign in, by a known browser if a `device` is named; raises `Throttled`."""
        if device:
            attempt = Attempt((DEVICE, device), None)
        else:
            network = network_of(origin().address)
            attempt = Attempt((ACCOUNT, address), (NETWORK, network) if network else None)
        await self.count([attempt.own, *([attempt.network] if attempt.network else [])])
        return attempt

    async def right(self, attempt: Attempt) -> None:
        """Forget the tries of who was right; of a network only this one."""
        await self.forget(*attempt.own)
        if attempt.network is not None:
            limit, whose = attempt.network
            await self._guesses.give_back(place_of(limit.kind, whose))

    async def undo(self, attempt: Attempt) -> None:
        """Count a try no more that was not looked at."""
        for limit, whose in (attempt.own, *([attempt.network] if attempt.network else [])):
            await self._guesses.give_back(place_of(limit.kind, whose))

    async def count(self, subjects: Sequence[Subject]) -> None:
        """Count a try for each of these; raises `Throttled`, and counts nothing, if one waits."""
        places = [place_of(limit.kind, whose) for limit, whose in subjects]
        while True:
            rows, now = await self._guesses.of(places), self._clock.now()
            waits = [limit.wait(row, now) for (limit, _), row in zip(subjects, rows, strict=True)]
            if wait := max(waits):
                note("throttled", denied=True, limits=[limit.kind for limit, _ in subjects])
                raise Throttled(_told(wait), retry_after=-(-wait // SECOND))
            after = [
                Guess(place=place, level=limit.level(row, now) + 1, last=now, turn=0)
                for (limit, _), row, place in zip(subjects, rows, places, strict=True)
            ]
            if await self._guesses.count(rows, after):
                return

    async def count_network(self, limit: Limit) -> None:
        """Count a try of the network that asks, where it is known; raises `Throttled`."""
        if network := network_of(origin().address):
            await self.count([(limit, network)])

    async def forget(self, limit: Limit, whose: str) -> None:
        """Let somebody begin anew."""
        await self._guesses.forget(place_of(limit.kind, whose))


def network_of(address: str) -> str:
    """Return what one customer of a provider has: an IPv4 address, 64 bits of IPv6; or nothing."""
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64)
    return str(found)


def _told(wait: int) -> str:
    seconds = -(-wait // SECOND)
    when = f"{seconds} s" if seconds < 100 else f"{-(-seconds // 60)} min"
    return (
        f"Too many tries went wrong: wait {when}. A browser that you signed in with before need "
        "not wait, and a new password by mail ends it."
    )
