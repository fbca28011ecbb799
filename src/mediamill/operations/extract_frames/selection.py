"""Turn the parameters of extract-frames into frame indexes of a timeline."""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from mediamill.core.errors import InvalidInput, LimitExceeded
from mediamill.media.video.select import (
    Span,
    at_interval,
    at_rate,
    at_times,
    every_frame,
    every_nth,
    key_frames,
    many_at_interval,
    many_at_rate,
    many_shots,
    rate_of,
    spread,
)
from mediamill.media.video.timeline import Timeline

NUMBERS = {
    "interval": "every",
    "fps": "fps",
    "every_nth": "n",
    "timestamps": "at",
    "count": "count",
    "scene": "threshold",
}
"""The parameter that belongs to a mode alone and implies it."""

Moment = float | str
"""Seconds, a time such as `"1:02:03.5"`, or a percentage such as `"50%"`."""
Bounds = tuple[Moment | None, Moment | None]
_CLOCK = re.compile(r"(?:(?:(\d{1,4}):)?([0-5]?\d):)?(\d{1,9}(?:\.\d{1,9})?)")


def choose(
    timeline: Timeline,
    mode: str,
    number: float | Sequence[Moment],
    bounds: Bounds,
) -> list[int]:
    """Return the wanted frames; `number` is the mode's own: seconds, rate, count or moments.

    Raises `InvalidInput` where no frame lies within the bounds or a moment is past the end.
    """
    span = span_of(timeline, bounds)
    if isinstance(number, Sequence):
        found = at_times(timeline, span, seconds(timeline, span, number))
    else:
        found = _BY_NUMBER[mode](timeline, span, number)
    if not found:
        raise InvalidInput(f"mode={mode} finds no frame in this part of the video")
    return found


def how_many(
    timeline: Timeline, mode: str, number: float | Sequence[Moment], bounds: Bounds
) -> int:
    """Return how many frames `choose` gives of an even timeline; at most, of keyframes and scene.

    `number` of scene is the shortest shot in seconds. Raises what `choose` does.
    """
    span = span_of(timeline, bounds)
    if isinstance(number, Sequence):
        return len(at_times(timeline, span, seconds(timeline, span, number)))
    return _MANY[mode](timeline, span, number)


def span_of(timeline: Timeline, bounds: Bounds) -> Span:
    """Return the frames within the bounds; percentages are of the whole video.

    Raises `InvalidInput` where there is none.
    """
    begin = timeline.ticks[0] * timeline.time_base
    length = timeline.end * timeline.time_base - begin
    start, end = (None if moment is None else time_of(moment, begin, length) for moment in bounds)
    span = Span.between(timeline, start, end)
    if not span:
        shown = f"{timeline.duration:.3f} s long"
        raise InvalidInput(f"no frame lies between start and end; the video is {shown}")
    return span


_BY_NUMBER: dict[str, Callable[[Timeline, Span, float], list[int]]] = {
    "interval": lambda timeline, span, every: at_interval(timeline, span, Fraction(str(every))),
    "fps": lambda timeline, span, fps: at_rate(timeline, span, rate_of(fps)),
    "every_nth": lambda timeline, span, n: every_nth(timeline, span, int(n)),
    "count": lambda timeline, span, count: spread(timeline, span, int(count)),
    "keyframes": lambda timeline, span, _: key_frames(timeline, span),
    "all": lambda timeline, span, _: every_frame(timeline, span),
}
_MANY: dict[str, Callable[[Timeline, Span, float], int]] = {
    "interval": lambda timeline, span, every: many_at_interval(
        timeline, span, Fraction(str(every))
    ),
    "fps": lambda timeline, span, fps: many_at_rate(timeline, span, rate_of(fps)),
    "every_nth": lambda _, span, n: len(range(0, len(span), int(n))),
    "count": lambda _, span, count: min(int(count), len(span)),
    "keyframes": lambda _, span, __: len(span),
    "scene": many_shots,
    "all": lambda _, span, __: len(span),
}


def seconds(timeline: Timeline, span: Span, moments: Sequence[Moment]) -> list[Fraction]:
    """Return the moments as times; a percentage is of the span, 100 % being its last frame.

    Where the video is damaged, moments past what is left are passed over.
    """
    start = timeline.ticks[span.first] * timeline.time_base
    length = span.end * timeline.time_base - start
    times = [time_of(moment, start, length) for moment in moments]
    end = start + length
    late = [time for time in times if time > end]
    if late and not timeline.damaged:
        raise InvalidInput(f"{float(late[0]):g} s is past the end of the video, {float(end):.3f} s")
    return [time for time in times if time <= end]


def time_of(moment: Moment, start: Fraction, length: Fraction) -> Fraction:
    """Return a moment in seconds; a percentage is of `length` from `start`.

    Raises `ValueError` for a text that is no moment.
    """
    if isinstance(moment, str) and moment.strip().endswith("%"):
        return start + length * percentage(moment) / 100
    return clock(moment)


def clock(moment: Moment) -> Fraction:
    """Return seconds of a number or `[[HH:]MM:]SS[.mmm]`; raises `ValueError` for other texts."""
    if not isinstance(moment, str):
        return Fraction(str(moment))
    found = _CLOCK.fullmatch(moment.strip())
    if not found or (found[2] and Fraction(found[3]) >= 60):
        raise ValueError(
            f"“{moment}” is neither seconds nor a percentage such as 50% nor a time as 1:02:03.5"
        )
    hours, minutes = int(found[1] or 0), int(found[2] or 0)
    return 3600 * hours + 60 * minutes + Fraction(found[3])


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
