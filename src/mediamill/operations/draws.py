"""Random draws that depend on nothing but what they are for.

A draw is a SHA-256 of the job's seed, the picture's digest, the number of the copy, the name of the
draw and how often it was drawn before. No state is shared: the order of files, workers, retries
and other draws do not matter, nor does any library's generator.
"""

import hashlib
import struct
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_FLOAT = 2.0**-53
_WORDS = struct.Struct(">4Q")


class Draws:
    """The draws for one copy of one picture; `drawn` holds each of them by its name."""

    def __init__(self, seed: int, digest: str, copy: int = 0) -> None:
        self._key = f"{seed}/{digest}/{copy}"
        self._count: Counter[str] = Counter()
        self.drawn: dict[str, float | int | bool] = {}

    def uniform(self, name: str, low: float, high: float) -> float:
        """Draw a number evenly from `low` … `high`, rounded to six digits after the point."""
        value = round(low + (high - low) * self._share(name), 6)
        self.drawn[name] = value
        return value

    def integer(self, name: str, low: int, high: int, step: int = 1) -> int:
        """Draw a number evenly from `low`, `low + step` … `high`, both ends included."""
        count = (high - low) // step + 1
        value = low + step * (self._word(name) * count // (1 << 64))
        self.drawn[name] = value
        return value

    def chance(self, name: str, probability: float) -> bool:
        """Draw whether something of a probability (0…1) happens."""
        value = self._share(name) < probability
        self.drawn[name] = value
        return value

    def key(self, name: str) -> int:
        """Draw 128 bits, the key of a stream of noise; it is not noted, being long."""
        words = self._words(name)
        return words[0] << 64 | words[1]

    def order(self, name: str, items: Sequence[T]) -> list[T]:
        """Draw an order evenly (Fisher and Yates); the positions are noted, joined as digits."""
        places = list(range(len(items)))
        for last in range(len(places) - 1, 0, -1):
            other = self._word(name) * (last + 1) // (1 << 64)
            places[last], places[other] = places[other], places[last]
        self.drawn[name] = int("".join(str(place + 1) for place in places))
        return [items[place] for place in places]

    def _share(self, name: str) -> float:
        """Return 0 ≤ x < 1."""
        return (self._word(name) >> 11) * _FLOAT

    def _word(self, name: str) -> int:
        return self._words(name)[0]

    def _words(self, name: str) -> tuple[int, int, int, int]:
        """Return the next 256 bits of a name."""
        text = f"{self._key}/{name}/{self._count[name]}"
        self._count[name] += 1
        a, b, c, d = _WORDS.unpack(hashlib.sha256(text.encode()).digest())
        return a, b, c, d
