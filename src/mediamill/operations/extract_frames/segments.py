"""Cut a long extraction into runs of chosen frames that can be decoded beside each other."""

import math
from bisect import bisect_right
from collections.abc import Sequence

from mediamill.media.video.nal import ENTRY, SKIPPED_LEADING
from mediamill.media.video.timeline import Packets, Timeline

Run = tuple[int, int]
"""Positions `first … last` (exclusive) in the list of chosen frames."""


def runs(timeline: Timeline, chosen: Sequence[int], seconds: float) -> list[Run]:
    """Cut the chosen frames into runs of about `seconds` of media, each with groups of its own.

    A run begins at the first frame chosen of a group of pictures that no earlier run decodes, so
    nothing is decoded twice. One run comes back where the packets do not tell the groups.
    """
    whole = [(0, len(chosen))]
    if timeline.packets is None or not chosen:
        return whole
    first, last = timeline.time(chosen[0]), timeline.time(chosen[-1])
    count = max(1, math.ceil((last - first) / seconds))
    starts, due = [0], 1
    for place in _fresh(timeline, timeline.packets, chosen):
        if due < count and timeline.time(chosen[place]) >= first + due * (last - first) / count:
            starts.append(place)
            passed = (timeline.time(chosen[place]) - first) * count / (last - first)
            due = math.floor(passed) + 1
    return [*zip(starts, [*starts[1:], len(chosen)], strict=True)]


def _fresh(timeline: Timeline, packets: Packets, chosen: Sequence[int]) -> list[int]:
    """Return the places in `chosen` from which on only groups are needed that none before needs."""
    entries = [n for n, flags in enumerate(packets.flags) if flags & ENTRY]
    places, latest = [], -1
    for place, frame in enumerate(chosen):
        packet = timeline.order[frame]
        group = bisect_right(entries, packet) - 1
        if group > latest and place and not packets.flags[packet] & SKIPPED_LEADING:
            places.append(place)
        latest = max(latest, group)
    return places
