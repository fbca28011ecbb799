"""Find out what a file is and refuse what is broken or too large, before anyone works on it."""

from dataclasses import dataclass

from mediamill.core.errors import BrokenMedia, InvalidInput
from mediamill.media.archive.read import read_members
from mediamill.media.image.header import FORMATS, read_header
from mediamill.media.sniff import HEAD, ZIP, sniff
from mediamill.media.video.container import NoVideo, Opener, Video, opened
from mediamill.media.video.demux import decoded
from mediamill.media.video.reader import orientation

_PATIENCE = 600
"""Packets that may fail before the first picture comes out."""
_SOUND = {"video/quicktime": "audio/mp4", "video/x-ms-asf": "audio/x-ms-wma"}
"""Types of containers that hold only sound, where it is not the same word after `audio/`."""


@dataclass(frozen=True)
class Facts:
    """What is known about a file; 0 and "" where it does not apply or is not known.

    `width` and `height` are pixels after orientation, `duration` is in seconds.
    """

    media_type: str
    width: int = 0
    height: int = 0
    duration: float = 0.0
    frames: int = 0
    codec: str = ""


def probe(source: Opener, name: str, size: int) -> Facts:
    """Tell the type of a file by its content, and for images and videos check that they open.

    What is no image, video or zip is accepted as what it looks like: `application/pdf`, `text/…`,
    or `application/octet-stream`. The directory of a zip is checked, its members are not opened.
    `name` only appears in messages.
    Raises `BrokenMedia`, `UnsupportedMedia`, or `LimitExceeded` for over 50 megapixels (frames of
    an animation summed) and for impossible durations.
    """
    with source() as stream:
        head = stream.read(min(HEAD, size))
    media_type = sniff(head)
    if media_type in FORMATS:
        return _image(source, media_type, name)
    if media_type.startswith("video/"):
        return _video(source, media_type, name)
    if media_type == ZIP:
        return _archive(source, name)
    return Facts(media_type)


def _archive(source: Opener, name: str) -> Facts:
    try:
        with source() as stream:
            read_members(stream)
    except InvalidInput as error:
        error.message = f"{name}: {error.message}."
        raise
    return Facts(ZIP)


def _image(source: Opener, media_type: str, name: str) -> Facts:
    with source() as stream:
        header = read_header(stream, media_type, name)
    codec = media_type.removeprefix("image/")
    return Facts(media_type, header.width, header.height, 0.0, header.frames, codec)


def _video(source: Opener, media_type: str, name: str) -> Facts:
    try:
        with opened(source, name) as video:
            return _video_facts(video, media_type, name)
    except NoVideo:
        return Facts(_SOUND.get(media_type, media_type.replace("video/", "audio/")))


def _video_facts(video: Video, media_type: str, name: str) -> Facts:
    for seen, frame in enumerate(decoded(video, name)):
        if frame is not None:
            size = orientation(frame).size(frame.width, frame.height)
            frames = max(0, video.stream.frames)
            return Facts(media_type, *size, video.duration, frames, video.codec.name)
        if seen > _PATIENCE:
            break
    raise BrokenMedia(f"{name}: no frame could be decoded")
