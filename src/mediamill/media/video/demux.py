"""Learn all presentation times of a video: from its packets, or failing that by decoding it."""

from array import array
from collections.abc import Iterator
from itertools import pairwise

from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mediamill.core.errors import BrokenMedia, LimitExceeded
from mediamill.media.video.container import Video, translated
from mediamill.media.video.nal import ENTRY, PICTURE, REFERENCE, SKIPPED_LEADING, Syntax
from mediamill.media.video.timeline import Packets, Timeline

MAX_FRAMES = 10_000_000
SELF_CONTAINED = frozenset({"vp8", "vp9", "libvpx", "libvpx-vp9", "mjpeg", "prores", "dnxhd"})
"""Codecs whose key frames reset everything, so decoding may start at each of them."""

_KEY, _SHOWN = 1, 2


class Scan:
    """One pass over the packets; `timeline` is None where they do not tell the frames' times."""

    def __init__(self, video: Video, name: str) -> None:
        self._video, self._name = video, name
        codec = video.codec
        self._syntax = Syntax.of(codec.name, codec.extradata)
        self._resets = codec.name in SELF_CONTAINED
        self._packets, self._marks = Packets(), bytearray()
        self._parameters: set[bytes] | None = None
        self._last_duration = (-(1 << 63), 0)
        self._doubtful = self._damaged = False

    def timeline(self) -> Timeline | None:
        """Read all packets and return the frames in presentation order."""
        for packet in packets(self._video, self._name):
            if packet is None:
                self._damaged = True
                break
            self._see(packet)
            if self._doubtful:
                return None
        shown = [n for n, mark in enumerate(self._marks) if mark & _SHOWN]
        shown.sort(key=self._packets.pts.__getitem__)
        return self._assembled(shown) if shown and not self._ambiguous(shown) else None

    def _see(self, packet: "Packet[VideoStream]") -> None:
        if packet.is_corrupt:
            self._damaged = True
        if packet.pts is None or len(self._marks) >= MAX_FRAMES:
            self._doubtful = True
            return
        shown = 0 if packet.is_discard else _SHOWN
        self._marks.append(shown | (_KEY if packet.is_keyframe else 0))
        self._packets.pts.append(packet.pts)
        if shown and packet.pts > self._last_duration[0]:
            self._last_duration = (packet.pts, packet.duration or 0)
        self._classify(packet)

    def _classify(self, packet: "Packet[VideoStream]") -> None:
        if self._syntax is None:
            entry = packet.is_keyframe and (self._resets or len(self._marks) == 1)
            flags, layer = PICTURE | REFERENCE | (ENTRY if entry else 0), 0
        else:
            flags, layer, parameters = self._syntax.describe(memoryview(packet))
            self._doubtful |= self._changes(parameters)
        first = len(self._marks) == 1
        self._doubtful |= not flags & PICTURE or (first and not flags & ENTRY)
        self._doubtful |= packet.has_sidedata("new_extradata") and not first
        self._packets.flags.append(flags)
        self._packets.layers.append(layer)

    def _changes(self, parameters: list[bytes]) -> bool:
        """Tell whether parameter sets appear that the first packet and the header do not hold."""
        if self._parameters is None:
            self._parameters = set(parameters)
            return False
        if not parameters or self._parameters.issuperset(parameters):
            return False
        header = self._video.codec.extradata or b""
        return not all(unit in header or unit in self._parameters for unit in parameters)

    def _ambiguous(self, shown: list[int]) -> bool:
        """Tell whether two frames share a time, or leading pictures come before all others."""
        times = [self._packets.pts[n] for n in shown]
        if any(early == late for early, late in pairwise(times)):
            return True
        flags = self._packets.flags
        following = next((n for n in range(1, len(flags)) if flags[n] & ENTRY), len(flags))
        return any(flags[n] & SKIPPED_LEADING for n in range(following))

    def _assembled(self, shown: list[int]) -> Timeline:
        origin = self._video.origin(self._packets.pts[shown[0]])
        ticks = array("q", (self._packets.pts[n] - origin for n in shown))
        lasting = self._last_duration[1] or self._video.frame_ticks
        return Timeline(
            time_base=self._video.time_base,
            origin=origin,
            ticks=ticks,
            keys=bytearray(self._marks[n] & _KEY for n in shown),
            end=ticks[-1] + lasting,
            packets=self._packets,
            order=array("q", shown),
            damaged=self._damaged,
        )


def packets(video: Video, name: str) -> "Iterator[Packet[VideoStream] | None]":
    """Yield the packets of the stream in decoding order, and None where reading breaks off.

    A last packet that is not all there counts as such a place: half a picture is no frame.
    Raises `BrokenMedia` where it breaks off before the first packet.
    """
    stream, held = video.container.demux(video.stream), None
    while True:
        try:
            with translated(name):
                packet = next(stream, None)
        except BrokenMedia:
            if held is None:
                raise
            yield held
            yield None
            return
        if packet is None:
            break
        if packet.size:
            if held is not None:
                yield held
            held = packet
    if held is not None:
        yield None if held.is_corrupt or video.ragged else held


def decoded(video: Video, name: str) -> Iterator[VideoFrame | None]:
    """Decode everything in order; None stands for what could not be read or decoded."""
    for packet in packets(video, name):
        if packet is None:
            yield None
        else:
            yield from _tolerant(video, packet)
    yield from _tolerant(video, None)


def _tolerant(video: Video, packet: "Packet[VideoStream] | None") -> Iterator[VideoFrame | None]:
    try:
        yield from video.codec.decode(packet)
    except (FFmpegError, ValueError, EOFError):
        yield None


def decoded_timeline(video: Video, name: str) -> Timeline:
    """Return the times of the frames that really come out of the decoder.

    A frame without a time is shown right after the one before it. Raises `BrokenMedia` where none
    comes out.
    """
    ticks, keys, damaged, lasting = array("q"), bytearray(), False, 0
    step, origin = video.frame_ticks or 1, 0
    for frame in decoded(video, name):
        if frame is None:
            damaged = True
            continue
        given = frame.pts if frame.pts is not None else frame.dts
        if not ticks:
            origin = video.origin(given or 0)
        earliest = ticks[-1] + 1 if ticks else None
        tick = _place(None if given is None else given - origin, earliest, lasting or step)
        ticks.append(tick)
        keys.append(int(frame.key_frame))
        lasting = frame.duration or step
        if len(ticks) > MAX_FRAMES:
            raise LimitExceeded(f"{name} has more than {MAX_FRAMES} frames")
    if not ticks:
        raise BrokenMedia(f"{name}: no frame could be decoded")
    return Timeline(video.time_base, origin, ticks, keys, ticks[-1] + lasting, damaged=damaged)


def _place(tick: int | None, earliest: int | None, lasting: int) -> int:
    if earliest is None:
        return tick or 0
    if tick is None:
        return earliest - 1 + lasting
    return max(tick, earliest)
