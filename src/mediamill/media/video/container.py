"""Open a video of an allow-listed container, and only that.

FFmpeg picks a demuxer by content, so a playlist or a concat list named `.mp4` would open other
files or addresses. Three locks hold it: `format_whitelist` (the one that was shown to work),
`protocol_whitelist` with nothing in it (we hand over an open stream), and an `io_open` that
refuses every further address.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, BinaryIO, cast

import av
from av.codec.context import CodecContext, ThreadType
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from mediamill.core.errors import BrokenMedia, LimitExceeded, UnsupportedMedia, cause_of
from mediamill.media.video.extent import is_ragged

Opener = Callable[[], BinaryIO]
"""Opens an independent, seekable reader of the whole input."""

FORMATS = ("mov", "matroska", "avi", "mpegts", "mpeg", "flv", "ogg", "asf", "h264", "hevc")
CODECS = frozenset(
    (
        *("h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d"),
        *("mpeg1video", "mpeg2video", "mpeg4", "h263", "flv", "theora", "vc1"),
        *("msmpeg4v1", "msmpeg4v2", "msmpeg4", "wmv1", "wmv2", "wmv3", "vp6", "vp6f"),
        *("mjpeg", "prores", "dnxhd", "dvvideo", "ffv1", "huffyuv", "ffvhuff", "png", "rawvideo"),
        "qtrle",
    )
)
"""Decoders we let run, by FFmpeg's names."""
MAX_PIXELS = 50_000_000
MAX_DURATION = 48 * 3600.0
"""Seconds; a header that claims more is a lie that would size our tables."""

_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_BUFFER = 1 << 17
_NOISE = (ValueError, OverflowError, EOFError, LookupError, ArithmeticError, RuntimeError)


class NoVideo(UnsupportedMedia):
    """The container is one we open, and holds sound or nothing."""


@dataclass(frozen=True)
class Video:
    """An open container and its main video stream."""

    container: InputContainer
    stream: VideoStream
    codec: VideoCodecContext
    """The decoder of the stream."""
    ragged: bool = False
    """The last packet may be half a picture, of which this decoder would not say so."""

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick of the stream's time stamps."""
        return self.stream.time_base or Fraction(1, 90_000)

    def origin(self, first: int) -> int:
        """Return the tick that counts as second 0: the container's start, as FFmpeg has it.

        AVI holds no presentation times, and where nothing is reordered newer versions of FFmpeg
        make up some that begin one frame late: there it is the tick of the `first` frame.
        """
        if self.container.format.name == "avi" and not self.codec.has_b_frames:
            return first
        start: int | None = self.container.start_time
        return rounded(Fraction(start or 0, av.time_base) / self.time_base)

    @property
    def frame_ticks(self) -> int:
        """How many ticks a frame lasts by the stream's nominal rate; 0 where it has none."""
        rate = self.stream.guessed_rate or self.stream.average_rate
        return max(1, rounded(1 / rate / self.time_base)) if rate else 0

    @property
    def rate(self) -> Fraction | None:
        """Frames a second, on average, as the headers say; None where they do not."""
        return self.stream.average_rate or self.stream.guessed_rate or None

    def steady(self, first: int | None) -> bool:
        """Tell whether by the headers all frames last equally long, from second 0 to the end.

        `first` is the time stamp of the first that is shown.
        """
        stream, rate = self.stream, self.rate
        if not (rate and rate == stream.base_rate and stream.frames and stream.duration):
            return False
        ticks = 1 / rate / self.time_base
        whole = ticks.denominator == 1 and stream.frames * ticks == stream.duration
        return whole and first is not None and self.origin(first) == first

    @property
    def aspect(self) -> float:
        """Width ÷ height of a sample, by the container or else the codec; 1 where absurd."""
        aspect = float(self.stream.sample_aspect_ratio or 1)
        return aspect if 0.1 < aspect < 10 else 1.0

    @property
    def duration(self) -> float:
        """Seconds that the headers announce; 0 where they do not say."""
        if self.stream.duration:
            return float(self.stream.duration * self.time_base)
        return (self.container.duration or 0) / av.time_base


@contextmanager
def opened(source: Opener, name: str, threads: int = 1) -> Iterator[Video]:
    """Open the main video stream of an input, and close it at the end of the block.

    It decodes with `threads` threads, of frames or of slices as the codec allows.

    Raises `UnsupportedMedia` where there is none that we decode, `BrokenMedia` where the container
    cannot be read, `LimitExceeded` for pictures over 50 megapixels and for impossible durations.
    """
    with source() as reader:
        ragged = is_ragged(reader)
        container = _open(reader, name)
        try:
            video = _checked(container, name)
            video = replace(video, ragged=ragged and video.codec.name == "hevc")
            video.codec.thread_type, video.codec.thread_count = ThreadType.AUTO, max(1, threads)
            video.codec.options = {"max_pixels": str(MAX_PIXELS)}
            yield video
        finally:
            container.close()


def _open(reader: BinaryIO, name: str) -> InputContainer:
    options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "none"}
    with translated(name):
        return av.open(
            reader,
            mode="r",
            container_options=options,
            metadata_errors="ignore",
            buffer_size=_BUFFER,
            io_open=_refuse,
        )


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError("a video may not open anything else")


def _checked(container: InputContainer, name: str) -> Video:
    with translated(name):
        stream = _main_stream(container)
        if stream is None:
            raise NoVideo(f"{name} holds no video")
        codec = getattr(stream, "codec_context", None)
        if codec is None or codec.name not in CODECS:
            raise UnsupportedMedia(f"{name}: this video codec is not supported")
        video = Video(container, stream, _decoder(stream))
        check_size(codec.width, codec.height, name)
        if not 0 <= video.duration <= MAX_DURATION:
            raise LimitExceeded(f"{name} claims to last {video.duration:.0f} s")
        return video


def _main_stream(container: InputContainer) -> VideoStream | None:
    """Return FFmpeg's choice, but never a cover picture; None where there is nothing else."""
    moving = [
        stream
        for stream in container.streams.video
        if not stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails)
    ]
    best = container.streams.best("video")
    if best in moving or not moving:
        return best if isinstance(best, VideoStream) and moving else None
    return max(moving, key=lambda stream: bool(stream.disposition & Disposition.default))


def _decoder(stream: VideoStream) -> VideoCodecContext:
    """Return the stream's decoder; where VP8 or VP9 has alpha, the one that decodes it too."""
    usual = stream.codec_context
    other = _WITH_ALPHA.get(getattr(usual, "name", ""))
    if stream.metadata.get("alpha_mode") != "1" or other not in av.codecs_available:
        return usual
    decoder = CodecContext.create(other, "r")
    decoder.extradata = usual.extradata
    return cast("VideoCodecContext", decoder)


def check_size(width: int, height: int, name: str) -> None:
    """Refuse pictures without area or with more than `MAX_PIXELS`."""
    if width <= 0 or height <= 0:
        raise BrokenMedia(f"{name} does not say how large its pictures are")
    if width * height > MAX_PIXELS:
        raise LimitExceeded(f"{name} is {width} × {height}, more than {MAX_PIXELS} pixels")


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn what FFmpeg raises on bad input into `BrokenMedia`."""
    try:
        yield
    except FFmpegError as error:
        why = f"cannot be read: {error.strerror}" if error.strerror else "is cut off or damaged"
        raise BrokenMedia(f"{name} {why}", cause=cause_of(error)) from error
    except _NOISE as error:
        raise BrokenMedia(f"{name} is cut off or damaged", cause=cause_of(error)) from error


def rounded(number: Fraction) -> int:
    """Round to the nearest integer, halves away from zero, as FFmpeg's AV_ROUND_NEAR_INF does."""
    magnitude = (2 * abs(number.numerator) + number.denominator) // (2 * number.denominator)
    return magnitude if number >= 0 else -magnitude
