"""Join pictures that show the same to groups, through others where need be."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mediamill.media.image.duplicates.agreement import agreement, light_differs
from mediamill.media.image.duplicates.candidates import Hypotheses, Indices, candidates
from mediamill.media.image.duplicates.collection import Collection, collect
from mediamill.media.image.duplicates.fingerprint import Fingerprint
from mediamill.media.image.duplicates.verify import compare, part, refine

SIMILARITY = 0.8
"""Correlation of gradients from which two pictures are near-duplicates."""
_ROUGHLY = 0.35
_POINTS = 12
"""Points that have to be found again where they belong."""
PATIENCE = 16
"""Failures of two pictures together after which they are not tried with each other.

The likeliest are tried first; in a thousand pictures of one place each resembles all others.
"""
_WITHOUT_POINTS = 0.95
"""The correlation that is asked of pictures with fewer points."""
_SAME_LIGHT = 0.06
"""What part of their contrast may differ where there are fewer points: light is all they show."""
_CONTRAST = 0.5
"""Standard deviation, in grey levels, from which there is something to compare."""


@dataclass(frozen=True)
class Likeness:
    """Two pictures, by number, that were found to be near-duplicates, and how alike they are."""

    a: int
    b: int
    similarity: float


@dataclass(frozen=True)
class Grouping:
    """Groups of two or more numbers, each in order, and the likenesses that joined them."""

    groups: list[list[int]]
    likenesses: list[Likeness]


def near_duplicates(
    fingerprints: Iterable[Fingerprint],
    folder: Path | None = None,
    similarity: float = SIMILARITY,
    progress: Callable[[float], None] = lambda part: None,
) -> Grouping:
    """Return which fingerprints, by their numbers, belong to pictures that are near-duplicates.

    Two that were cut from the same picture and share little with each other are in one group where
    that picture is there as well. Pictures that show next to nothing are in none. `folder` is
    where large arrays may be kept meanwhile; `progress` is told 0 … 1. The same fingerprints in the
    same order give the same.
    """
    pictures = collect(fingerprints, folder)
    joined = Joined(len(pictures))
    failed = np.zeros(len(pictures), np.int64)
    found: list[Likeness] = []
    for tried in candidates(pictures):
        found += _likenesses(pictures, tried, joined, failed, similarity)
        if len(tried.votes) and tried.votes.any():  # points are compared picture by picture
            progress(float(tried.a.max() + 1) / len(pictures))
    return Grouping(joined.groups(), found)


def _likenesses(
    pictures: Collection,
    tried: Hypotheses,
    joined: "Joined",
    failed: Indices,
    similarity: float,
) -> Iterator[Likeness]:
    """Join what holds of the hypotheses and yield it, the likeliest first.

    Who is joined needs no look. `failed` counts for each picture how often it did not hold.
    """
    visible, roots = pictures.contrast >= _CONTRAST, joined.roots()
    worth = visible[tried.a] & visible[tried.b] & (roots[tried.a] != roots[tried.b])
    tried = part(tried, worth & (failed[tried.a] + failed[tried.b] < PATIENCE))
    scores = compare(pictures, tried)
    likely = np.flatnonzero(scores >= _ROUGHLY)
    likely = likely[np.argsort(-scores[likely], kind="stable")]
    tried, seen = part(tried, likely), set[tuple[int, int]]()
    for a, b, start in zip(tried.a.tolist(), tried.b.tolist(), tried.maps, strict=True):
        pair = (min(a, b), max(a, b))
        if pair in seen or failed[a] + failed[b] >= PATIENCE or joined.root(a) == joined.root(b):
            continue
        seen.add(pair)
        found = refine(pictures, a, b, start)
        pointed = found.points >= _POINTS
        if found.score < (similarity if pointed else _WITHOUT_POINTS):
            failed[[a, b]] += 1
            continue
        if not pointed and light_differs(pictures, a, b, found.map) > _SAME_LIGHT:
            failed[[a, b]] += 1
            continue
        agreed = agreement(pictures, a, b, found.map)
        if agreed.holds and (agreed.strong or joined.may_join(a, b)):
            joined.join(a, b, weakly=not agreed.strong)
            yield Likeness(*pair, round(found.score, 3))
        else:
            failed[[a, b]] += 1


class Joined:
    """Numbers that are joined to groups (union-find; Tarjan, 1975).

    What is joined weakly makes no chains: all weak links of a group meet in one of its numbers.
    """

    def __init__(self, count: int) -> None:
        self._above = list(range(count))
        self._centres: dict[int, frozenset[int]] = {}

    def root(self, number: int) -> int:
        """Return the number that stands for the group."""
        above = self._above
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number

    def roots(self) -> Indices:
        """Return the root of every number."""
        above = np.array(self._above, np.int64)
        while not np.array_equal(above, further := above[above]):
            above = further
        return above

    def may_join(self, one: int, other: int) -> bool:
        """Tell whether a weak link of two would meet the other weak links of both groups."""
        return bool(self._meeting(one, other, weakly=True))

    def _meeting(self, one: int, other: int, *, weakly: bool) -> frozenset[int]:
        """Return in which numbers all weak links of both groups meet."""
        sets = [self._centres[n] for n in (self.root(one), self.root(other)) if n in self._centres]
        if weakly:
            sets.append(frozenset((one, other)))
        return frozenset.intersection(*sets)

    def join(self, one: int, other: int, *, weakly: bool = False) -> None:
        """Make one group of two; its least number stands for it."""
        first, second = sorted((self.root(one), self.root(other)))
        if weakly or first in self._centres or second in self._centres:
            self._centres[first] = self._meeting(one, other, weakly=weakly)
        self._above[second] = first

    def groups(self) -> list[list[int]]:
        """Return the groups of two or more."""
        members: dict[int, list[int]] = {}
        for number in range(len(self._above)):
            members.setdefault(self.root(number), []).append(number)
        return [group for group in members.values() if len(group) > 1]
