"""How many frames extract-frames will give, from what a video's headers say."""

from typing import TYPE_CHECKING

from mediamill.core.errors import InvalidInput
from mediamill.media.image.codecs.encoding import MEDIA_TYPES, fitted
from mediamill.media.video.select import rate_of
from mediamill.media.video.timeline import Timeline
from mediamill.operations.base import Expected, SourceFacts, Sure
from mediamill.operations.extract_frames.selection import check_count, how_many

if TYPE_CHECKING:
    from mediamill.operations.extract_frames.operation import ExtractFrames

USUAL_RATE = 30.0
"""Frames a second of a video that does not say."""
MOMENTS = 100
"""Times that are looked up in a video; of more is told how many they are."""


def expected(told: "ExtractFrames", video: SourceFacts) -> Expected:
    """Tell how many frames there will be, and how large; raises `InvalidInput` if certainly none.

    Exact for a steady video, but for key frames and shots, which are at most so many; about, where
    frames last unequally long or their times are not known; at most, where nothing is known.
    """
    frame, most = _frame(told, video), told.max_frames
    by_pictures = told.mode in ("keyframes", "scene")
    if not video.duration or (by_pictures and not video.rate) or len(told.at) > MOMENTS:
        named = {"count": told.count, "timestamps": len(told.at)}.get(told.mode, most)
        return Expected(min(named, most), frame, Sure.AT_MOST)
    try:
        count = _frames(told, video)
        if video.steady and not by_pictures:
            check_count(count, most)
    except InvalidInput:
        if video.steady:
            raise
        count = 0
    sure = Sure.AT_MOST if by_pictures else Sure.EXACT if video.steady else Sure.ABOUT
    return Expected(min(count, most), frame, sure)


def _frames(told: "ExtractFrames", video: SourceFacts) -> int:
    """Count frames as if all lasted equally long; raises `InvalidInput` where there is none."""
    rate = rate_of(video.rate or USUAL_RATE) or rate_of(USUAL_RATE)  # of less than any is none
    timeline = Timeline.even(max(1, round(video.duration * rate)), rate)
    return how_many(timeline, told.mode, told.number, (told.start, told.end))


def _frame(told: "ExtractFrames", video: SourceFacts) -> SourceFacts:
    """Return what will be known of a frame."""
    wide, high = video.width, video.height
    known = fitted(wide, high, told.width, told.height) if wide and high else None
    width, height = known or (told.width or 0, told.height or 0)
    return SourceFacts(MEDIA_TYPES[told.format], 0, width, height, split=video.split)
