"""Prefixed, time-ordered identifiers: `job_01KAB…`, 26 Crockford base-32 characters.

48 bits of milliseconds, then 80 random bits, as in the ULID specification; ids of one process are
strictly increasing, because within a millisecond the random part counts up, in strides.

A request that may be sent again has its ids reserved (`Reservation`): what the next attempt makes
is then found by them.
"""

import hashlib
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PATTERN = re.compile(r"^[a-z]{2,12}_[0-9A-HJKMNP-TV-Z]{26}$")

STRIDE = 1 << 32
"""So many numbers from that of an id on are no other's: a reservation's ids are among them."""

_lock = threading.Lock()
_last = 0


class Reservation:
    """The ids of one attempt at a request: the nth of a prefix is told by `first`.

    What is one row that must be absent has the same id in every attempt, so that two attempts
    cannot both make it. All else has other ones: bytes lie under a file's id before its row does.
    """

    SAME = frozenset({"job", "proj", "tmpl"})

    def __init__(self, first: int, attempt: int) -> None:
        self.first, self.attempt, self.over = first, attempt, False
        self._made = Counter[str]()

    def take(self, prefix: str) -> str:
        """Return the next id of a prefix."""
        place = self._made[prefix]
        self._made[prefix] += 1
        return self._id(prefix, place, self.attempt)

    def earlier(self, prefix: str) -> list[str]:
        """Return what earlier attempts had for the next id of a prefix."""
        place = self._made[prefix]
        found = (self._id(prefix, place, attempt) for attempt in range(1, self.attempt))
        return list(dict.fromkeys(found))

    def _id(self, prefix: str, place: int, attempt: int) -> str:
        value = self.first + place + (0 if prefix in self.SAME else attempt << 24)
        return f"{prefix}_{encode(value)}"


_reserved: ContextVar[Reservation | None] = ContextVar("reserved", default=None)


@contextmanager
def reserving(reservation: Reservation) -> Iterator[None]:
    """Have `new_id` hand out reserved ids within the block."""
    token = _reserved.set(reservation)
    try:
        yield
    finally:
        reservation.over = True
        _reserved.reset(token)


def earlier_ids(prefix: str) -> list[str]:
    """Return the ids that the next id of a prefix had in earlier attempts at this request."""
    reservation = _reserved.get()
    return [] if reservation is None or reservation.over else reservation.earlier(prefix)


def new_id(prefix: str) -> str:
    """Make a new id, later in order than every id that this process made before.

    Within a reservation it is the next reserved one.
    """
    reservation = _reserved.get()
    if reservation is not None and not reservation.over:
        return reservation.take(prefix)
    return f"{prefix}_{encode(new_value())}"


def told_id(prefix: str, time_ms: int, text: str) -> str:
    """Return the one id of a time for what a text says: who says the same finds it."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return f"{prefix}_{encode(time_ms << 80 | int.from_bytes(digest[:10], 'big'))}"


def new_value() -> int:
    """Make the number of a new id; those up to `STRIDE` behind it are free too."""
    global _last  # noqa: PLW0603 - the order within a process is the point
    fresh = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    with _lock:
        _last = fresh if fresh > _last else _last + STRIDE
        return _last


def encode(value: int) -> str:
    """Write 130 bits as 26 characters whose order is the order of the numbers."""
    return "".join(ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def made_at(text: str) -> int:
    """Return when a well-formed id was made, in milliseconds by its maker's clock; 0 for others."""
    if not PATTERN.match(text):
        return 0
    digits = text.rpartition("_")[2]
    value = sum(ALPHABET.index(digit) << 5 * place for place, digit in enumerate(digits[::-1]))
    return value >> 80


def is_id(text: str, prefix: str) -> bool:
    """Tell whether `text` is a well-formed id with this prefix."""
    return text.startswith(f"{prefix}_") and PATTERN.match(text) is not None
