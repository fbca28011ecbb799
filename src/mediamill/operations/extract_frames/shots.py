"""The shots of one video, found by decoding the wanted range once, and a frame of each."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any

from mediamill.media.video.reader import FrameReader
from mediamill.media.video.scene import Shot, shots, signs
from mediamill.media.video.select import every_frame
from mediamill.media.video.timeline import Timeline
from mediamill.operations.extract_frames.selection import Bounds, span_of

LOOKING = 0.7
"""Share of the work that looking for shots is taken to be, for progress."""


class Shots:
    """Frames that stand for a shot each, by their time stamps, so they outlast another timeline."""

    def __init__(
        self,
        reader: FrameReader,
        bounds: Bounds,
        limits: tuple[float, float],
        progress: Callable[[float], None],
    ) -> None:
        """Decode the range and find its shots; `limits` are the threshold and the least seconds.

        Raises what reading raises, and `InvalidInput` where no frame lies within the bounds.
        """
        self._reader, self._bounds, self._progress = reader, bounds, progress
        self._times, self._stamps = array("d"), array("q")
        lasting = reader.timeline.duration / len(reader.timeline)
        found = signs(self._frames(), max(lasting, 1e-4))
        self.info = {
            self._stamps[shot.best]: self._described(shot)
            for shot in shots(found, self._times, *limits)
        }
        """By time stamp, what the shot's line of `frames.jsonl` says: when it starts and ends."""

    def choose(self, timeline: Timeline) -> list[int]:
        """Return the chosen frames that a timeline has."""
        ticks = timeline.ticks
        places = {bisect_left(ticks, pts - timeline.origin): pts for pts in self.info}
        return sorted(n for n, pts in places.items() if n < len(ticks) and timeline.pts(n) == pts)

    def _frames(self) -> Iterator[Any]:
        duration = self._reader.timeline.duration or 1.0
        for frame in self._reader.frames(
            lambda timeline: every_frame(timeline, span_of(timeline, self._bounds))
        ):
            self._times.append(frame.time)
            self._stamps.append(frame.pts)
            self._progress(LOOKING * frame.time / duration)
            yield frame.pixels

    def _described(self, shot: Shot) -> dict[str, Any]:
        timeline = self._reader.timeline
        ended = shot.last == len(self._times)
        end = span_of(timeline, self._bounds).end * float(timeline.time_base)
        return {
            "shot_start": round(self._times[shot.first], 6),
            "shot_end": round(end if ended else self._times[shot.last], 6),
        }
