"""Choose other inputs of a set for steps that mix several images.

Where an input and each of its draws lie on a ring of SHA-256 decides who is next to them, so the
choice depends on what the set holds and on the seed, not on the order of its inputs, on workers or
on retries; and where a hundredth of a set changes, about a hundredth of the choices does.
"""

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field

MOST = 100_000
"""Inputs of a set that may become partners: those with the least digests."""
TRIES = 4
"""Draws for each partner that is wanted."""


@dataclass
class Ring:
    """The digests of a set's inputs in order, and which item each is."""

    digests: list[bytes] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    _waiting: list[tuple[bytes, int]] = field(default_factory=list)

    def add(self, digest: str, item: int) -> None:
        """Take an input by its SHA-256 (hexadecimal)."""
        self._waiting.append((bytes.fromhex(digest), item))
        if len(self._waiting) >= 2 * MOST:
            self._waiting = sorted(self._waiting)[:MOST]

    def closed(self) -> "Ring":
        """Return the ring of all that were added, at most `MOST` of them."""
        known = sorted(self._waiting)[:MOST]
        return Ring([digest for digest, _ in known], [item for _, item in known])

    def at(self, point: bytes, own: bytes) -> int | None:
        """Return the item next to a point; None for one of the same bytes as the own."""
        if not self.digests:
            return None
        place = bisect_left(self.digests, point) % len(self.items)
        return None if self.digests[place] == own else self.items[place]


def drawn(ring: Ring, seed: int, own: str, wanted: int) -> list[int]:
    """Draw up to so many different items for an input, none of the same bytes as it."""
    chosen: dict[int, None] = {}
    for k in range(TRIES * wanted):
        point = hashlib.sha256(f"{seed}/{own}/partner/{k}".encode()).digest()
        item = ring.at(point, bytes.fromhex(own))
        if item is not None and len(chosen) < wanted:
            chosen[item] = None
    return [*chosen]
