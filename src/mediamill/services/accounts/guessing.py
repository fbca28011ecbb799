"""Guessing is slowed down, and the owner of an account is not locked out by who guesses.

Each try counts before it is looked at, in one conditional write, and is taken back when it was
right: so a hundred at once are as slow as one after the other. What counts leaks away with time.

    an account, from browsers that never signed in to it   10 tries, then 1, 2, 4 … s, up to 1 h
    a browser that signed in to it before (`devices.py`)   its own 10 tries, likewise
    codes of the second factor, of an account or browser   10 tries beside those, likewise
    a network, over all accounts (IPv4 address, IPv6 /64)  100 tries, likewise

A browser that is known waits for nobody else. Addresses that nobody has are counted as others are.
A new password by mail forgets the tries of the password, and none of the codes: who reads the mail
of somebody has to guess these.
A patient guesser has some 50 tries at an account on the first day and 24 on each other, wherever
from (ADR 56).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import ceil

from mediamill.core.acts import note, origin
from mediamill.core.clock import HOUR, MINUTE, SECOND, Clock
from mediamill.core.errors import Throttled, Unavailable
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
    forgiving: bool = False
    """Whether who is right begins anew; else only the try that was right counts no more."""

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


ACCOUNT = Limit("account", free=10, leak=HOUR, forgiving=True)
DEVICE = Limit("device", free=10, leak=HOUR, forgiving=True)
NETWORK = Limit("network", free=100, leak=36 * SECOND)
SESSION = Limit("session", free=10, leak=HOUR, forgiving=True)
"""Who is signed in, and says their password once more."""
CODE = Limit("code", free=10, leak=HOUR)
"""Codes of a second factor, by who gave the right password."""
FORGOTTEN = Limit("forgotten", free=20, leak=3 * MINUTE)
"""Mails that a network asks for."""
RESENT = Limit("resent", free=3, leak=20 * MINUTE)
"""Mails that a user asks for."""

Subject = tuple[Limit, str]


class Guessing:
    """Counts tries in the store, for all servers together."""

    def __init__(self, guesses: Guesses, clock: Clock) -> None:
        self._guesses, self._clock = guesses, clock

    @asynccontextmanager
    async def trying(self, *subjects: Subject) -> AsyncIterator[None]:
        """Count a try for each of these, and look at it within; raises `Throttled`.

        One without an error was right: it counts no more, and where the limit is forgiving nor do
        those before. One that could not be looked at (`Unavailable`) does not count either.
        """
        await self.count(subjects)
        try:
            yield
        except Unavailable:
            for limit, whose in subjects:
                await self._give_back(limit, whose)
            raise
        for limit, whose in subjects:
            await (self.forget if limit.forgiving else self._give_back)(limit, whose)

    async def count(self, subjects: Sequence[Subject]) -> None:
        """Count a try for each of these; raises `Throttled`, and counts nothing, if one waits."""
        places = [place_of(limit.kind, whose) for limit, whose in subjects]
        while True:
            rows, now = await self._guesses.of(places), self._clock.now()
            waits = [limit.wait(row, now) for (limit, _), row in zip(subjects, rows, strict=True)]
            if wait := max(waits):
                note("throttled", denied=True, limits=[limit.kind for limit, _ in subjects])
                raise Throttled(_told(wait, subjects), retry_after=-(-wait // SECOND))
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

    async def _give_back(self, limit: Limit, whose: str) -> None:
        await self._guesses.give_back(place_of(limit.kind, whose))


def signing_in(address: str, device: str = "") -> list[Subject]:
    """Return what a try to sign in counts for: a known browser if a `device` is named."""
    if device:
        return [(DEVICE, device)]
    network = network_of(origin().address)
    return [(ACCOUNT, address), *([(NETWORK, network)] if network else [])]


def network_of(address: str) -> str:
    """Return what one customer of a provider has: an IPv4 address, 64 bits of IPv6; or nothing."""
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64)
    return str(found)


def _told(wait: int, subjects: Sequence[Subject]) -> str:
    seconds = -(-wait // SECOND)
    when = f"{seconds} s" if seconds < 100 else f"{-(-seconds // 60)} min"
    mail = any(limit in (ACCOUNT, SESSION) for limit, _ in subjects)
    ended = ", and a new password by mail ends it" if mail else ""
    return (
        f"Too many tries went wrong: wait {when}. A browser that you signed in with before need "
        f"not wait{ended}."
    )
