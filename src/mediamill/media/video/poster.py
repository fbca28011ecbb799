"""Pick one frame that represents a video."""

from collections.abc import Iterator

import cv2
from av.video.frame import VideoFrame

from mediamill.core.errors import BrokenMedia
from mediamill.media.image.picture import Picture
from mediamill.media.video.container import Opener, Video, opened, translated
from mediamill.media.video.demux import decoded
from mediamill.media.video.picture import FramePicture
from mediamill.media.video.reader import Frame
from mediamill.media.video.turning import orientation

_PLACES = (0.1, 0.3, 0.5)
"""Shares of the duration at which key frames are looked at."""
_TRIES = 200
"""Undecodable packets after which a place is given up."""


def poster(source: Opener, name: str, size: int, threads: int = 1) -> Picture:
    """Return the frame with most contrast among some key frames, scaled to fit `size` × `size`.

    Non-square samples are made square, so the picture has the proportions that a player shows.
    Raises `BrokenMedia` where nothing can be decoded.
    """
    with opened(source, name, threads) as video:
        candidates = [frame for place in _PLACES for frame in _near(video, place, name)]
        aspect = video.aspect
    if not candidates:
        with opened(source, name, threads) as video:
            candidates = list(_first(video, name))
    if not candidates:
        raise BrokenMedia(f"{name}: no frame could be decoded")
    pictures = [_upright(frame, aspect, size) for frame in candidates]
    return max(pictures, key=_contrast)


def _near(video: Video, place: float, name: str) -> Iterator[VideoFrame]:
    """Yield the key frame before a place, or nothing where the container cannot seek there."""
    offset = round(video.duration * place / video.time_base) + (video.stream.start_time or 0)
    try:
        with translated(name):
            video.container.seek(offset, stream=video.stream)
        yield from _first(video, name)
    except BrokenMedia:
        return


def _first(video: Video, name: str) -> Iterator[VideoFrame]:
    for tried, frame in enumerate(decoded(video, name)):
        if frame is not None:
            yield frame
            return
        if tried > _TRIES:
            return


def _upright(frame: VideoFrame, aspect: float, size: int) -> Picture:
    picture = FramePicture(Frame(0, 0, 0.0, True, frame, orientation(frame), aspect))
    return picture.fit(size, size)


def _contrast(picture: Picture) -> float:
    return float(cv2.cvtColor(picture.array()[:, :, :3], cv2.COLOR_RGB2GRAY).std())
