"""One run of extract-frames over one video."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mediamill.core.errors import BrokenMedia
from mediamill.media.image.picture import Picture
from mediamill.media.video.picture import FramePicture
from mediamill.media.video.reader import FrameReader
from mediamill.media.video.timeline import Timeline
from mediamill.operations.base import Context, Source
from mediamill.operations.extract_frames.segments import Run, runs
from mediamill.operations.extract_frames.selection import check_count, choose
from mediamill.operations.extract_frames.shots import LOOKING, Shots
from mediamill.operations.image import derived

if TYPE_CHECKING:
    from mediamill.operations.extract_frames.operation import ExtractFrames


class Extraction:
    """One run of the operation over one video."""

    def __init__(self, operation: "ExtractFrames", source: Source, context: Context) -> None:
        self._operation, self._context = operation, context
        self._name, self._digest, self._split = source.name, source.sha256, source.split
        self._reader = FrameReader(source.open, source.name, context.threads)
        self._shots = self._found() if operation.mode == "scene" else None
        check_count(len(self._chosen(self._reader.timeline)), operation.max_frames)

    def runs(self, seconds: float) -> Sequence[Run]:
        """Cut the chosen frames into runs of about so many seconds of the video."""
        return runs(self._reader.timeline, self._chosen(self._reader.timeline), seconds)

    def pictures(self) -> Iterator[Picture]:
        """Yield the chosen frames in order of time, reporting progress by media time."""
        operation, duration = self._operation, self._reader.timeline.duration or 1.0
        span, given = self._context.span, 0
        for frame in self._reader.frames(self._wanted, strictly=span is not None):
            picture = FramePicture(frame, deinterlace=operation.deinterlace)
            picture = picture.fit(operation.width, operation.height)
            picture.digest = derived(self._digest, frame.pts)
            picture.split = self._split
            if self._shots:
                picture.info = {**picture.info, **self._shots.info[frame.pts]}
            yield picture
            given += 1
            done = frame.time / duration if span is None else given / (span[1] - span[0])
            self._context.progress(LOOKING + (1 - LOOKING) * done if self._shots else done)
        if not given:
            raise BrokenMedia(f"{self._name}: none of the chosen frames could be decoded")

    def report(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        """Return what the lineage records; `last_good_time` is that of the last whole frame."""
        timeline, last = self._reader.timeline, lines[-1]
        return {
            "frames": len(lines),
            "truncated": self._reader.truncated,
            "last_good_time": round(timeline.time(len(timeline) - 1), 6),
            "duration": round(timeline.duration, 6),
            "source_frames": len(timeline),
            "width": last["width"],
            "height": last["height"],
            "selective": self._reader.selective,
            **self._reader.facts,
        }

    def _wanted(self, timeline: Timeline) -> list[int]:
        """Return the frames of the part that is asked for."""
        return self._chosen(timeline)[slice(*(self._context.span or (None, None)))]

    def _found(self) -> Shots:
        operation, bounds = self._operation, (self._operation.start, self._operation.end)
        limits = operation.threshold, operation.min_shot
        return Shots(self._reader, bounds, limits, self._context.progress)

    def _chosen(self, timeline: Timeline) -> list[int]:
        operation = self._operation
        if self._shots:
            return self._shots.choose(timeline)
        bounds = operation.start, operation.end
        return choose(timeline, operation.mode, operation.number, bounds)
