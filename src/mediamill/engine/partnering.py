"""Choose other inputs of a set for steps that mix several images.

Where an input and each of its draws lie on a ring of SHA-256 decides who is next to them, so the
choice depends on what the set holds and on the seed, not on the order of its inputs, on workers or
on retries; and where a hundredth of a set changes, about a hundredth of the choices does.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

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

    def onwards(self, point: bytes, own: bytes) -> Iterator[int]:
        """Yield all items from a point on, once round, but those of the same bytes as the own."""
        first, after = bisect_left(self.digests, own), bisect_right(self.digests, own)
        place = bisect_left(self.digests, point)
        for _ in range(len(self.items) - (after - first)):
            place %= len(self.items)
            if first <= place < after:
                place = after % len(self.items)
            yield self.items[place]
            place += 1


def drawn(ring: Ring, seed: int, own: str, wanted: int) -> list[int]:
    """Draw so many different items for an input, or all there are; none of its own bytes.

    Where draws fall on the same items, those that follow on the ring make up the number.
    """
    itself, chosen = bytes.fromhex(own), dict[int, None]()
    points = [
        hashlib.sha256(f"{seed}/{own}/partner/{k}".encode()).digest() for k in range(TRIES * wanted)
    ]
    nearest = chain.from_iterable(islice(ring.onwards(one, itself), 1) for one in points)
    for item in chain(nearest, ring.onwards(points[0], itself)):
        chosen[item] = None
        if len(chosen) == wanted:
            break
    return [*chosen]
