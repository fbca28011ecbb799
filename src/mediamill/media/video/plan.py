"""Decide which packets a decoder must be given so that the wanted frames come out whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.media.video.nal import ENTRY, REFERENCE, SKIPPED_LEADING
from mediamill.media.video.timeline import Packets

DROP, FEED, JUMP = 0, 1, 2
"""Leave a packet out; give it to the decoder; or first drain the decoder and start anew."""


@dataclass(frozen=True)
class _Group:
    """Packets `start … end` from one entry point to the next; `last` is the last one needed."""

    start: int
    end: int
    last: int
    leads: bool
    """A wanted picture also needs the group before."""


def feeding(packets: Packets, wanted: Sequence[int], restart: bool) -> bytearray:
    """Return what to do with each packet, so that the packets `wanted` are decoded.

    Of each group of pictures everything after its last wanted frame is dropped, and before that
    every picture that nothing is predicted from. `restart` asks for `JUMP` at the first packet
    after a gap, which HEVC needs where a group is open.
    """
    actions = bytearray(len(packets.flags))
    top = max(packets.layers, default=0)
    keep = set(wanted)
    contiguous = True
    for group in _needed(packets, sorted(keep)):
        first = JUMP if restart and not contiguous else FEED
        for n in range(group.start, group.last + 1):
            actions[n] = FEED if n in keep or _needed_later(packets, n, top, group) else DROP
        if group.last >= group.start:
            actions[group.start] = first
        contiguous = group.last == group.end - 1
    return actions


def _needed_later(packets: Packets, n: int, top: int, group: _Group) -> bool:
    """Tell whether other pictures may be predicted from packet `n`.

    An HEVC sub-layer non-reference picture may still serve higher temporal layers. RASL pictures
    serve only each other.
    """
    if packets.flags[n] & SKIPPED_LEADING and not group.leads:
        return False
    return bool(packets.flags[n] & REFERENCE) or packets.layers[n] < top


def _needed(packets: Packets, wanted: list[int]) -> list[_Group]:
    """Return the groups of pictures from first to last, each with its last needed packet."""
    starts = [n for n, flags in enumerate(packets.flags) if flags & ENTRY]
    groups, following = [], False
    end = len(packets.flags)
    for start in reversed(starts):
        mine = []
        while wanted and wanted[-1] >= start:
            mine.append(wanted.pop())
        last = end - 1 if following else max(mine, default=start - 1)
        following = any(packets.flags[n] & SKIPPED_LEADING for n in mine)
        groups.append(_Group(start, end, last, following))
        end = start
    return groups[::-1]
