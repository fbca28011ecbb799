"""Tell what a video is: it must give a first picture."""

from mediamill.core.errors import BrokenMedia
from mediamill.media.facts import Facts
from mediamill.media.video.container import NoVideo, Opener, Video, opened
from mediamill.media.video.demux import decoded
from mediamill.media.video.turning import orientation

_PATIENCE = 600
"""Packets that may fail before the first picture comes out."""
_SOUND = {"video/quicktime": "audio/mp4", "video/x-ms-asf": "audio/x-ms-wma"}
"""Types of containers that hold only sound, where it is not the same word after `audio/`."""


def video_facts(source: Opener, media_type: str, name: str) -> Facts:
    """Return what a container holds, of type `audio/…` where that is sound alone."""
    try:
        with opened(source, name) as video:
            return _facts(video, media_type, name)
    except NoVideo:
        return Facts(_SOUND.get(media_type, media_type.replace("video/", "audio/")))


def _facts(video: Video, media_type: str, name: str) -> Facts:
    for seen, frame in enumerate(decoded(video, name)):
        if frame is not None:
            size = orientation(frame).size(frame.width, frame.height)
            frames = max(0, video.stream.frames)
            rate, steady = float(video.rate or 0), video.steady(frame.pts)
            codec = video.codec.name
            return Facts(media_type, *size, video.duration, frames, codec, rate, steady)
        if seen > _PATIENCE:
            break
    raise BrokenMedia(f"{name}: no frame could be decoded")
