"""Read chosen frames of a video: fast where its packets are trustworthy, plainly where not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from av.video.frame import VideoFrame

from mediamill.core.errors import BrokenMedia
from mediamill.media.image.orient import UPRIGHT, Orientation
from mediamill.media.video.container import Opener, Video, opened
from mediamill.media.video.decode import Diverged, decode
from mediamill.media.video.demux import Scan, decoded, decoded_timeline
from mediamill.media.video.extent import is_cut
from mediamill.media.video.grade import DEFAULT_PEAK, announced_peak, is_hdr
from mediamill.media.video.select import Chooser
from mediamill.media.video.timeline import Timeline
from mediamill.media.video.turning import orientation


@dataclass(frozen=True)
class Frame:
    """One decoded frame: its place in presentation order, its time, and its pixels as decoded.

    `orientation` leads from those to upright ones, `aspect` (width ÷ height of a sample) to square
    ones; `peak` is the video's brightest light in SDR whites. Of a `corrupt` frame parts are
    missing, and were made up by the decoder.
    """

    index: int
    pts: int
    time: float
    key_frame: bool
    pixels: VideoFrame
    orientation: Orientation = UPRIGHT
    aspect: float = 1.0
    peak: float = DEFAULT_PEAK
    corrupt: bool = False


class FrameReader:
    """Chosen frames of one video, in order of time.

    First all presentation times are learned without decoding, then the chosen frames are decoded.
    Where packets do not tell the times, or a frame they promised does not come out, everything is
    decoded once to learn the times, and the choice is made again among the frames that exist.
    """

    def __init__(self, source: Opener, name: str, threads: int = 1, *, plain: bool = False) -> None:
        """Learn the times. `plain` decodes everything from the start.

        Raises `UnsupportedMedia`, `BrokenMedia` or `LimitExceeded`.
        """
        self._source, self._name, self._threads = source, name, threads
        with source() as stream:
            self._cut = is_cut(stream)
        with opened(source, name) as video:
            self.facts = _facts(video)
            hdr = is_hdr(int(video.stream.codec_context.color_trc))
            timeline = None if plain else Scan(video, name).timeline()
        self._peak = self._announced_peak() if hdr else DEFAULT_PEAK
        self.timeline = timeline or self._decoded_timeline()
        self.timeline.damaged |= self._cut

    @property
    def truncated(self) -> bool:
        """Tell whether the file is cut off or parts of it could not be read."""
        return self.timeline.damaged

    @property
    def selective(self) -> bool:
        """Tell whether only the packets that are needed are decoded."""
        return self.timeline.packets is not None

    def frames(self, choose: Chooser, *, strictly: bool = False) -> Iterator[Frame]:
        """Yield the frames that `choose` picks from the timeline.

        Raises `BrokenMedia` where none can be decoded; strictly, where any of them is not what its
        packet had promised, rather than choose again.
        """
        last: int | None = None
        try:
            for frame in self._frames(choose(self.timeline)):
                last = frame.pts
                yield frame
        except Diverged as error:
            if strictly:
                raise BrokenMedia(f"{self._name}: a frame did not come as promised") from error
            self.timeline = self._decoded_timeline()
            self.timeline.damaged |= self._cut
            chosen = choose(self.timeline)
            yield from self._frames(
                [n for n in chosen if last is None or self.timeline.pts(n) > last]
            )

    def _frames(self, wanted: list[int]) -> Iterator[Frame]:
        timeline, turn = self.timeline, None
        with opened(self._source, self._name, self._threads) as video:
            for index, pixels in decode(video, timeline, wanted, self._name):
                if turn is None:
                    turn = orientation(pixels)
                timeline.damaged |= pixels.is_corrupt
                yield Frame(
                    index=index,
                    pts=timeline.pts(index),
                    time=timeline.time(index),
                    key_frame=bool(timeline.keys[index]),
                    pixels=pixels,
                    orientation=turn,
                    aspect=video.aspect,
                    peak=self._peak,
                    corrupt=pixels.is_corrupt,
                )

    def _announced_peak(self) -> float:
        """Ask the first frame: that of a part of the video might not repeat the metadata."""
        with opened(self._source, self._name) as video:
            first = next((frame for frame in decoded(video, self._name) if frame), None)
            return announced_peak(first) if first else DEFAULT_PEAK

    def _decoded_timeline(self) -> Timeline:
        with opened(self._source, self._name, self._threads) as video:
            return decoded_timeline(video, self._name)


def _facts(video: Video) -> dict[str, Any]:
    codec = video.stream.codec_context
    aspect = video.stream.sample_aspect_ratio
    facts = {
        "codec": codec.name,
        "container": video.container.format.name.split(",")[0],
        "coded_width": codec.width,
        "coded_height": codec.height,
        "pixel_format": codec.pix_fmt or "",
        "sample_aspect_ratio": f"{aspect.numerator}:{aspect.denominator}" if aspect else "1:1",
    }
    if not facts["pixel_format"]:
        raise BrokenMedia("the video does not say how its pixels are stored")
    return facts
