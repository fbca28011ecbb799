"""Polygons cut to the rectangle of a picture.

A ring that leaves the picture and comes back becomes several: crossings of an edge of the picture
are paired in their order along it (after Weiler and Atherton, 1977, for a half-plane), so no parts
hang together by lines along the edge as they do after Sutherland and Hodgman. Where a ring crosses
itself so that crossings do not pair, theirs is what is done.
"""

from collections.abc import Iterable, Sequence

Point = tuple[float, float]

LEAST_AREA = 1e-3
"""Rings of less (px²) are none."""


def area(ring: Sequence[Point]) -> float:
    """Return the area of a ring (px²), by the shoelace formula; never negative."""
    twice = 0.0
    x, y = ring[-1] if ring else (0.0, 0.0)
    for right, down in ring:
        twice += x * down - right * y
        x, y = right, down
    return abs(twice) / 2


def clipped(ring: Sequence[Point], width: float, height: float) -> list[list[Point]]:
    """Return the parts of a ring in the rectangle (0, 0, width, height), in no order."""
    rings = [list(ring)]
    for axis, sign, bound in ((0, 1, 0.0), (0, -1, width), (1, 1, 0.0), (1, -1, height)):
        rings = [part for one in rings for part in _cut(one, axis, sign, bound)]
    parts = [_without_doubles(part) for part in rings]
    return [part for part in parts if len(part) > 2 and area(part) > LEAST_AREA]


def _without_doubles(ring: list[Point]) -> list[Point]:
    return [point for n, point in enumerate(ring) if point != ring[n - 1]]


def _cut(ring: list[Point], axis: int, sign: int, bound: float) -> Iterable[list[Point]]:
    """Return the parts of a ring on one side of a line along the other axis."""
    depths = [sign * (point[axis] - bound) for point in ring]
    if all(depth >= 0 for depth in depths):
        return [ring]
    if all(depth <= 0 for depth in depths):
        return []
    chains = _chains(ring, depths, axis, bound)
    return _joined(chains, 1 - axis) or [[point for chain in chains for point in chain]]


def _chains(ring: list[Point], depths: list[float], axis: int, bound: float) -> list[list[Point]]:
    """Return the pieces of a ring inside, each from where it enters to where it leaves."""
    count = len(ring)
    begin = next(n for n in range(count) if depths[n - 1] < 0 <= depths[n])
    chains: list[list[Point]] = []
    for n in range(begin, begin + count):
        here, before = n % count, (n - 1) % count
        if depths[before] < 0 <= depths[here]:
            chains.append([_crossing(ring, depths, before, here, axis, bound)])
        if depths[here] >= 0:
            chains[-1].append(ring[here])
        elif depths[before] >= 0:
            chains[-1].append(_crossing(ring, depths, before, here, axis, bound))
    return chains


def _crossing(
    ring: list[Point], depths: list[float], one: int, other: int, axis: int, bound: float
) -> Point:
    share = depths[one] / (depths[one] - depths[other])
    along = ring[one][1 - axis] + share * (ring[other][1 - axis] - ring[one][1 - axis])
    return (bound, along) if axis == 0 else (along, bound)


def _joined(chains: list[list[Point]], along: int) -> list[list[Point]] | None:
    """Close the pieces along the line, partner to partner; None where they do not pair."""
    partner = _partners(chains, along)
    if partner is None:
        return None
    rings, open_chains = [], set(range(len(chains)))
    while open_chains:
        chain = first = min(open_chains)
        ring: list[Point] = []
        while True:
            open_chains.remove(chain)
            ring += chains[chain]
            chain = partner[chain]
            if chain == first:
                break
            if chain not in open_chains:
                return None
        rings.append(ring)
    return rings


def _partners(chains: list[list[Point]], along: int) -> dict[int, int] | None:
    """Return which piece begins where the line from a piece's end leads, by piece."""
    ends = [(chain[0][along], n, True) for n, chain in enumerate(chains)]
    ends += [(chain[-1][along], n, False) for n, chain in enumerate(chains)]
    ends.sort(key=lambda end: end[0])
    partner: dict[int, int] = {}
    for place in range(0, len(ends), 2):
        _apart(ends, place)
        (_, one, enters), (_, other, enters_too) = ends[place], ends[place + 1]
        if enters == enters_too:
            return None
        partner[other if enters else one] = one if enters else other
    return partner


def _apart(ends: list[tuple[float, int, bool]], place: int) -> None:
    """Bring the nearest end of the other kind to `place + 1`, if it is at the same spot."""
    at, _, enters = ends[place + 1]
    if enters != ends[place][2]:
        return
    for other in range(place + 2, len(ends)):
        if ends[other][0] != at:
            return
        if ends[other][2] != ends[place][2]:
            ends[place + 1], ends[other] = ends[other], ends[place + 1]
            return
