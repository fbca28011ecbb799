"""Read chosen frames of a video: fast where its packets are trustworthy, plainly where not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from av.video.frame import VideoFrame

from mediamill.core.errors import BrokenMedia
from mediamill.media.image.orient import UPRIGHT, Orientation, from_display_matrix
from mediamill.media.video.container import Opener, Video, opened
from mediamill.media.video.decode import Diverged, decode
from mediamill.media.video.demux import Scan, decoded_timeline
from mediamill.media.video.extent import is_cut
from mediamill.media.video.select import Chooser
from mediamill.media.video.timeline import Timeline


@dataclass(frozen=True)
class Frame:
    """One decoded frame: its place in presentation order, its time, and its pixels as decoded.

    `orientation` leads from those to upright ones.
    """

    index: int
    pts: int
    time: float
    key_frame: bool
    pixels: VideoFrame
    orientation: Orientation = UPRIGHT


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
            timeline = None if plain else Scan(video, name).timeline()
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

    def frames(self, choose: Chooser) -> Iterator[Frame]:
        """Yield the frames that `choose` picks from the timeline.

        Raises `BrokenMedia` where none can be decoded.
        """
        last: int | None = None
        try:
            for frame in self._frames(choose(self.timeline)):
                last = frame.pts
                yield frame
        except Diverged:
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
                key, pts = bool(timeline.keys[index]), timeline.pts(index)
                yield Frame(index, pts, timeline.time(index), key, pixels, turn)

    def _decoded_timeline(self) -> Timeline:
        with opened(self._source, self._name, self._threads) as video:
            return decoded_timeline(video, self._name)


def orientation(frame: VideoFrame) -> Orientation:
    """Return how frames are to be turned, by the display matrix of one of them.

    Ask once per video: PyAV ties a frame whose side data was read into a reference cycle, so each
    would stay in memory until the garbage collector comes by.
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    return UPRIGHT if data is None else from_display_matrix(bytes(data))


def _facts(video: Video) -> dict[str, Any]:
    codec = video.codec
    aspect = video.stream.codec_context.sample_aspect_ratio
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
