"""Say which pictures of a set may show the same, and how the one would lie on the other.

Words that agree in some 24 of their bits bring two points together, and with them their pictures
(locality-sensitive hashing; Indyk and Motwani, 1998); where on each picture they are, how they are
turned and how large they are is a hypothesis of how the whole lies. A mirrored picture is found by
mirrored words. Pictures without points are brought together by their lowest frequencies, in all
eight positions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.duplicates.collection import Collection, Words
from mediamill.media.image.duplicates.fingerprint import SMALL
from mediamill.media.image.duplicates.patches import MIRROR, SCALE

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

BANDS = 6
"""How often words are compared, each time by other bits."""
ENTRIES = 4_000_000
"""Words that are compared at most: a larger set gives fewer of each picture."""
PLUS = 6
"""Bits that are compared beyond those that would tell all words apart."""
NEIGHBOURS = 6
"""Words that agree are compared with so many that follow in their order, not with all."""
COMMON, FEWER = 64, 2
"""Where more words than this agree, as in pictures of one place, with fewer."""
CHUNK = 4_096
"""Pictures whose frequencies are taken together."""
PART = 1_000_000
"""Votes that are looked at together."""
HYPOTHESES = 3
"""Tried for two pictures at most."""
VOTES, FEW = 3, 64
"""Words that have to agree for two pictures to be tried; one less where one has few points."""
DIFFER = 10
"""Bits of all 64 by which words may differ."""
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_PLACE = 24
"""The bits of a key that hold its place, at least: enough for a million pictures."""
_UNEVEN = {3, 7, 11, 20, 22, 26, 37, 41, 48, 57}
"""Bits that most patches have alike."""


@dataclass(frozen=True)
class Hypotheses:
    """n times: picture `a` lies on picture `b` by `maps` (n × 2 × 3), in parts of width and height.

    `votes` is how many words say that the two belong together.
    """

    a: Indices
    b: Indices
    maps: Floats
    votes: Indices


def candidates(pictures: Collection) -> Iterator[Hypotheses]:
    """Yield what is to be looked at: first by whole pictures, then by points."""
    yield by_whole(pictures)
    yield from by_points(pictures)


def by_points(pictures: Collection) -> Iterator[Hypotheses]:
    """Yield hypotheses of pictures whose points have words in common, some pictures at a time."""
    entries = _entries(pictures)
    owner = np.searchsorted(pictures.starts, entries, "right") - 1
    words = np.asarray(pictures.words[entries])
    votes = np.zeros(0, np.int64)
    for mask in _masks(len(entries)):  # one by one: bands of frames find much the same
        votes = _once(np.concatenate([votes, _once(_band(words, owner, mask))]))
    few = np.diff(pictures.starts) < FEW
    for some in _parts(votes, owner):
        one, other, mirrored = some >> 32, (some >> 1) & 0x7FFFFFFF, (some & 1) > 0
        a, b = owner[one], owner[other]
        kept, count = _chosen(a * len(pictures) + b, VOTES - (few[a] | few[b]))
        one, other = one[kept], other[kept]
        maps = _maps(pictures, entries[one], entries[other], mirrored[kept])
        yield Hypotheses(a[kept], b[kept], maps, count)


def _parts(votes: Indices, owner: Indices) -> Iterator[Indices]:
    """Cut votes into parts; all votes of a picture with those after it are in one of them."""
    start = 0
    while start < len(votes):
        last = votes[min(start + PART, len(votes)) - 1] >> 32
        next_picture = np.searchsorted(owner, owner[last], "right")
        end = int(np.searchsorted(votes, next_picture << 32))
        yield votes[start:end]
        start = end


def _chosen(pair: Indices, least: Indices) -> tuple[Indices, Indices]:
    """Return a few votes for each pair of pictures that has enough, and how many it has."""
    order = np.argsort(pair, kind="stable")
    start = np.flatnonzero(_first(pair[order]))
    count = np.diff(start, append=len(pair))
    place = np.arange(len(pair)) - np.repeat(start, count)
    many = np.repeat(count, count)
    step = np.maximum(1, many // HYPOTHESES)
    kept = (many >= least[order]) & (place % step == 0) & (place // step < HYPOTHESES)
    return order[kept], many[kept]


def _once(values: Indices) -> Indices:
    """Return each value once, in order; `np.unique` takes five times as long."""
    values.sort()
    return values[_first(values)]


def _first(ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell of each value whether it differs from the one before."""
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return first


def _entries(pictures: Collection) -> Indices:
    """Return which points are compared: the first of each picture, as many as the set allows."""
    most = max(8, ENTRIES // max(1, len(pictures)))
    counts = np.diff(pictures.starts)
    place = np.arange(pictures.starts[-1]) - np.repeat(pictures.starts[:-1], counts)
    return np.flatnonzero(place < most)


def _masks(entries: int) -> list[np.uint64]:
    """Return the bits of each comparison: so many that words seldom agree by chance."""
    bits = int(np.clip(np.ceil(np.log2(max(2, entries))) + PLUS, 16, 40))
    usable = [n for n in range(64) if n not in _UNEVEN]
    draws = np.random.default_rng(1)  # fixed: the same set gives the same groups
    chosen = [draws.permutation(usable)[:bits] for _ in range(BANDS)]
    return [np.uint64(sum(1 << int(n) for n in some)) for some in chosen]


def _band(words: Words, owner: Indices, mask: np.uint64) -> Indices:
    """Return two words of different pictures that agree, and whether one is mirrored, as one."""
    count = len(words)
    keys, order = _ordered(np.concatenate([words & mask, (words ^ MIRROR) & mask]))
    common = _common(keys)
    found = []
    for step in range(1, NEIGHBOURS + 1):
        same = keys[step:] == keys[:-step]
        at = np.flatnonzero(same if step <= FEWER else same & ~common[step:])
        one, other = order[at], order[at + step]
        mirrored = (one >= count) != (other >= count)
        both = (one >= count) & (other >= count)
        one, other = one % count, other % count
        differ = np.bitwise_count(
            words[one] ^ words[other] ^ np.where(mirrored, MIRROR, np.uint64(0))
        )
        good = ~both & (owner[one] != owner[other]) & (differ <= DIFFER)
        one, other = one[good].astype(np.int64), other[good].astype(np.int64)
        mirrored = mirrored[good]
        found.append(np.minimum(one, other) << 32 | np.maximum(one, other) << 1 | mirrored)
    return np.concatenate(found)


def _common(ordered: Words) -> NDArray[np.bool_]:
    """Tell of each key whether it is there more than `COMMON` times."""
    start = np.flatnonzero(_first(ordered))
    count = np.diff(start, append=len(ordered))
    return np.repeat(count > COMMON, count)


def _ordered(keys: Words) -> tuple[Words, NDArray[np.uint32]]:
    """Return keys, of which 40 bits or less are left, in order, and the place that each had.

    The keys that are given are overwritten. Key and place are sorted as one number, which is fast
    and the same on every machine. Where a place needs more than 24 bits the key has those less.
    """
    place = _places(len(keys))
    keys *= _SPREAD
    keys &= ~place
    keys |= np.arange(len(keys), dtype=np.uint64)
    keys.sort()
    order = np.empty(len(keys), np.uint32)
    np.bitwise_and(keys, place, out=order, casting="unsafe")
    keys &= ~place
    return keys, order


def _places(count: int) -> np.uint64:
    """Return the bits that hold the place of each of so many keys; at most 2³² have one."""
    if count > 1 << 32:
        raise ValueError(f"{count:,} words are too many to compare")
    return np.uint64((1 << max(_PLACE, (count - 1).bit_length())) - 1)


def _maps(
    pictures: Collection, one: Indices, other: Indices, mirrored: NDArray[np.bool_]
) -> Floats:
    """Return how the picture of one point lies on that of another, by the two alone."""
    sides = [_sides(pictures, points) for points in (one, other)]
    x, y = (np.asarray(pictures.points[points]).astype(float) for points in (one, other))
    turn = [2 * np.pi / 256 * points[:, 2] for points in (x, y)]
    turned = turn[1] - np.where(mirrored, np.pi - turn[0], turn[0])
    scale = SCALE ** (y[:, 3] - x[:, 3])
    cos, sin = scale * np.cos(turned), scale * np.sin(turned)
    left = np.where(mirrored, -1.0, 1.0)
    linear = np.stack([cos * left, -sin, sin * left, cos], 1).reshape(-1, 2, 2)
    linear = linear * sides[0][:, None, :] / sides[1][:, :, None]
    start = (y[:, :2] + 0.5) / 256 - np.einsum("nij,nj->ni", linear, (x[:, :2] + 0.5) / 256)
    return np.asarray(np.concatenate([linear, start[:, :, None]], axis=2))


def _sides(pictures: Collection, points: Indices) -> Floats:
    """Return width and height of the pictures of points, the longer being 1."""
    sizes = pictures.sizes[np.searchsorted(pictures.starts, points, "right") - 1].astype(float)
    return np.asarray(sizes / sizes.max(axis=1, keepdims=True))


def by_whole(pictures: Collection) -> Hypotheses:
    """Return hypotheses of pictures whose lowest frequencies agree in one of eight positions."""
    low = lowest(pictures)
    forms = np.concatenate([_word(_placed(low, position)) for position in range(8)])
    count, found = len(pictures), []
    for mask in _masks(count):
        keys, order = _ordered(forms & mask)
        for step in range(1, NEIGHBOURS + 1):
            at = np.flatnonzero(keys[step:] == keys[:-step])
            one, other = order[at], order[at + step]
            upright = (one < count) & (other % count != one) | (other < count) & (
                one % count != other
            )
            found.append(np.column_stack([one, other])[upright].astype(np.int64))
    pairs = np.concatenate(found).reshape(-1, 2)
    pairs = np.where((pairs[:, :1] < count), pairs, pairs[:, ::-1])
    pairs = np.unique(pairs, axis=0)
    maps = _POSITIONS[pairs[:, 1] // count]
    return Hypotheses(pairs[:, 1] % count, pairs[:, 0], maps, np.zeros(len(pairs), np.int64))


def lowest(pictures: Collection) -> Floats:
    """Return n × 8 × 8 cosine frequencies of the small pictures; first that along y, then x."""
    step = (np.arange(SMALL) + 0.5) / SMALL
    waves = np.cos(np.pi * np.outer(np.arange(8), step))
    low = np.empty((len(pictures), 8, 8))
    for start in range(0, len(pictures), CHUNK):
        some = slice(start, start + CHUNK)
        low[some] = np.einsum("uy,nyx,vx->nuv", waves, pictures.small[some], waves, optimize=True)
    return low


def _placed(low: Floats, position: int) -> Floats:
    """Return the frequencies of the picture transposed (4), mirrored (1) and flipped (2)."""
    signs = (-1.0) ** np.arange(8)
    if position & 4:
        low = low.transpose(0, 2, 1)
    if position & 1:
        low = low * signs[None, None, :]
    return low * signs[None, :, None] if position & 2 else low


def _word(low: Floats) -> Words:
    bits = (low > 0).reshape(len(low), 64)
    return np.packbits(bits, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)


def _position(position: int) -> Floats:
    """Return the map of a picture onto itself transposed, then mirrored, then flipped."""
    whole = np.array([[1.0, 0, 0], [0, 1, 0]])
    if position & 4:
        whole = whole[::-1]
    if position & 1:
        whole = np.array([[-1, 1], [1, 1]])[:, :1] * whole + [[0, 0, 1], [0, 0, 0]]
    if position & 2:
        whole = np.array([[1], [-1]]) * whole + [[0, 0, 0], [0, 0, 1]]
    return whole


_POSITIONS = np.stack([_position(position) for position in range(8)])
