"""Turn the parameters of extract-frames into frame indexes of a timeline."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from mediamill.core.errors import InvalidInput, LimitExceeded
from mediamill.media.video.select import (
    Span,
    at_rate,
    at_times,
    every_frame,
    key_frames,
    rate_of,
    spread,
)
from mediamill.media.video.timeline import Timeline

Moment = float | str
"""Seconds, or a percentage such as `"50%"`."""


def choose(
    timeline: Timeline,
    mode: str,
    number: float | Sequence[Moment],
    bounds: tuple[float | None, float | None],
) -> list[int]:
    """Return the wanted frames; `number` is the mode's own: seconds, rate, count or moments.

    Raises `InvalidInput` where no frame lies within the bounds or a moment is past the end.
    """
    span = Span.between(timeline, *bounds)
    if not span:
        shown = f"{timeline.duration:.3f} s long"
        raise InvalidInput(f"no frame lies between start and end; the video is {shown}")
    if isinstance(number, Sequence):
        found = at_times(timeline, span, seconds(timeline, span, number))
    else:
        found = _BY_NUMBER[mode](timeline, span, number)
    if not found:
        raise InvalidInput(f"mode={mode} finds no frame in this part of the video")
    return found


_BY_NUMBER: dict[str, Callable[[Timeline, Span, float], list[int]]] = {
    "interval": lambda timeline, span, every: at_rate(timeline, span, 1 / rate_of(every)),
    "fps": lambda timeline, span, fps: at_rate(timeline, span, rate_of(fps)),
    "count": lambda timeline, span, count: spread(timeline, span, int(count)),
    "keyframes": lambda timeline, span, _: key_frames(timeline, span),
    "all": lambda timeline, span, _: every_frame(timeline, span),
}


def seconds(timeline: Timeline, span: Span, moments: Sequence[Moment]) -> list[Fraction]:
    """Return the moments as times; a percentage is of the span, 100 % being its last frame.

    Where the video is damaged, moments past what is left are passed over.
    """
    start = timeline.ticks[span.first] * timeline.time_base
    length = span.end * timeline.time_base - start
    times = [
        start + length * percentage(moment) / 100
        if isinstance(moment, str)
        else Fraction(str(moment))
        for moment in moments
    ]
    end = start + length
    late = [time for time in times if time > end]
    if late and not timeline.damaged:
        raise InvalidInput(f"{float(late[0]):g} s is past the end of the video, {float(end):.3f} s")
    return [time for time in times if time <= end]


def percentage(text: str) -> Fraction:
    """Return the number before the percent sign; raises `ValueError` outside 0…100 %."""
    digits = text.strip().removesuffix("%")
    try:
        number = Fraction(digits.strip()) if digits != text.strip() else Fraction(-1)
    except (ValueError, ZeroDivisionError):
        number = Fraction(-1)
    if not 0 <= number <= 100:
        raise ValueError(f"“{text}” is neither seconds nor a percentage such as 50%")
    return number


def check_count(count: int, most: int) -> None:
    """Refuse more frames than allowed, before any is decoded."""
    if count > most:
        message = f"this would extract {count} frames, more than max_frames = {most}"
        raise LimitExceeded(message, frames=count, max_frames=most)
