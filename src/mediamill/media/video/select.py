"""Choose frames by their presentation times. Nothing here decodes or even opens a video.

All functions take a `Timeline` and a `Span` of it and return ascending frame indexes; those that
begin with `many_` say of an even timeline, whose ticks are frames, how many that would be.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from mediamill.media.video.timeline import Timeline

THRESHOLD, MIN_SHOT = 0.1, 0.4
"""Of shots where nobody says: the difference that is a cut, from 0 to 1, and the least seconds."""

Seconds = float | Fraction
Chooser = Callable[[Timeline], list[int]]
MAX_DENOMINATOR = 1_001_000
"""FFmpeg reads a decimal frame rate as the nearest fraction with at most this denominator."""


@dataclass(frozen=True)
class Span:
    """The frames `first … last` (exclusive) and the tick `end` at which the last one vanishes."""

    first: int
    last: int
    end: int

    @classmethod
    def between(cls, timeline: Timeline, start: Seconds | None, end: Seconds | None) -> "Span":
        """Return the frames with start ≤ time < end, both in seconds; None stands for no bound."""
        first = 0 if start is None else bisect_left(timeline.ticks, _ticks(timeline, start))
        last = len(timeline)
        last = last if end is None else bisect_left(timeline.ticks, _ticks(timeline, end))
        until = timeline.ticks[last] if last < len(timeline) else timeline.end
        return cls(first, max(first, last), until)

    def __len__(self) -> int:
        return self.last - self.first


def every_frame(timeline: Timeline, span: Span) -> list[int]:
    """Return all frames of the span."""
    return list(range(span.first, span.last))


def every_nth(timeline: Timeline, span: Span, step: int) -> list[int]:
    """Return each `step`-th frame of the span from its first, as FFmpeg's `not(mod(n,step))`."""
    return list(range(span.first, span.last, step))


def key_frames(timeline: Timeline, span: Span) -> list[int]:
    """Return the key frames of the span."""
    return [n for n in range(span.first, span.last) if timeline.keys[n]]


def at_rate(timeline: Timeline, span: Span, rate: Fraction) -> list[int]:
    """Return the frames that FFmpeg's `fps` filter with round=near picks, each once.

    Slot n of the output holds the last frame with t < (n + 0.5) / rate; slots run from the first
    frame's to before the one where the video ends (libavfilter, vf_fps.c). Where the video is
    shorter than half a period the filter gives nothing, and here its first frame is returned.
    """
    scale = timeline.time_base * rate
    slots = [_slot(timeline.ticks[n], scale) for n in range(span.first, span.last)]
    slots.append(_slot(span.end, scale))
    picked = [n for n in range(len(span)) if slots[n] < slots[n + 1]]
    return [span.first + n for n in picked or range(min(1, len(span)))]


def at_interval(timeline: Timeline, span: Span, every: Fraction) -> list[int]:
    """Return the frames on screen 0, 1, 2 … times `every` seconds after the span begins, once each.

    Where `every` is shorter than a frame these are all frames.
    """
    scale, start = timeline.time_base / every, timeline.ticks[span.first] if span else 0
    ends = (*timeline.ticks[span.first + 1 : span.last], span.end)
    return [
        n
        for n, end in zip(range(span.first, span.last), ends, strict=True)
        if _upward(timeline.ticks[n] - start, scale) * scale.denominator
        < (end - start) * scale.numerator
    ]


def many_at_rate(timeline: Timeline, span: Span, rate: Fraction) -> int:
    """Count the frames of `at_rate`: each is in a slot of its own, or each slot has a frame."""
    scale = timeline.time_base * rate
    slots = _slot(span.end, scale) - _slot(timeline.ticks[span.first], scale)
    return max(1, min(len(span), slots))


def many_at_interval(timeline: Timeline, span: Span, every: Fraction) -> int:
    """Count the frames of `at_interval`, likewise."""
    start = timeline.ticks[span.first]
    return min(len(span), _upward(span.end - start, timeline.time_base / every))


def many_shots(timeline: Timeline, span: Span, shortest: float) -> int:
    """Return how many shots there are at most, none of them shorter than so many seconds."""
    lasting = (len(span) - 1) * timeline.time_base
    return min(len(span), int(lasting / Fraction(str(shortest))) + 1 if shortest else len(span))


def _upward(ticks: int, scale: Fraction) -> int:
    """Return `ticks * scale` rounded up."""
    return -(-ticks * scale.numerator // scale.denominator)


def at_times(timeline: Timeline, span: Span, seconds: Iterable[Fraction]) -> list[int]:
    """Return the frames that are on screen at the given times, each once.

    A time before the span's first frame gives that frame, one after its end gives the last.
    """
    ticks = (int(moment // timeline.time_base) for moment in seconds)
    found = {bisect_right(timeline.ticks, tick, span.first, span.last) - 1 for tick in ticks}
    return sorted({max(span.first, n) for n in found}) if span else []


def spread(timeline: Timeline, span: Span, count: int) -> list[int]:
    """Return the frames on screen in the middle of `count` equal parts of the span.

    They are fewer where a frame covers several parts.
    """
    if not span:
        return []
    start = timeline.ticks[span.first]
    step = Fraction(span.end - start, 2 * count)
    middles = (start + (2 * n + 1) * step for n in range(count))
    return at_times(timeline, span, (middle * timeline.time_base for middle in middles))


def rate_of(number: float) -> Fraction:
    """Return a frame rate as the fraction that FFmpeg makes of it."""
    return Fraction(str(number)).limit_denominator(MAX_DENOMINATOR)


def _slot(tick: int, scale: Fraction) -> int:
    """Return `tick * scale` rounded as `rounded` does, without making a fraction of each tick."""
    double = 2 * scale.denominator
    magnitude = (2 * abs(tick) * scale.numerator + scale.denominator) // double
    return magnitude if tick >= 0 else -magnitude


def _ticks(timeline: Timeline, seconds: Seconds) -> int:
    """Return the first tick at or after a time."""
    return -int(-Fraction(str(seconds)) // timeline.time_base)
