"""The parameters of extract-frames, and the way from a source to its archive."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from mediamill.core.errors import BrokenMedia
from mediamill.media.archive.names import with_suffix
from mediamill.media.image.encode import Format
from mediamill.media.image.picture import Picture
from mediamill.media.video.picture import FramePicture
from mediamill.media.video.reader import FrameReader
from mediamill.media.video.timeline import Timeline
from mediamill.operations.base import Context, MediaOperation, Outcome, Source, SourceFacts
from mediamill.operations.extract_frames.pack import pack
from mediamill.operations.extract_frames.selection import Moment, check_count, choose, percentage

Seconds = Annotated[float, Field(ge=0)]
Percentage = Annotated[str, StringConstraints(max_length=16)]
_NUMBERS = {"interval": "every", "fps": "fps", "timestamps": "at", "count": "count"}
"""The parameter that belongs to a mode alone."""
_DECODED_PER_SECOND, _ENCODED_PER_SECOND = 3.5e8, 5e8
"""Pixels that one core decodes and encodes in a second, roughly."""


class ExtractFrames(MediaOperation):
    """Extract frames of a video into an archive of images with an index."""

    accepts: ClassVar[tuple[str, ...]] = ("video/*",)

    mode: Literal["interval", "fps", "timestamps", "count", "keyframes", "all"] = Field(
        "interval", description="Which frames: at an interval, a rate, given times, and so on."
    )
    every: float = Field(1.0, gt=0, le=86_400, description="Seconds between frames (interval).")
    fps: float = Field(1.0, ge=0.0001, le=1000, description="Frames per second (fps).")
    at: tuple[Seconds | Percentage, ...] = Field(
        (), max_length=10_000, description="Seconds, or percentages such as 50% (timestamps)."
    )
    count: int = Field(10, ge=1, le=1_000_000, description="How many, evenly spread (count).")
    start: Seconds | None = Field(None, description="Where to begin, in seconds.")
    end: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Where to stop, in seconds; a frame at this very time is left out."
    )
    format: Format = Field("jpeg", description="Image format of the frames.")
    quality: int = Field(85, ge=1, le=100, description="Quality of JPEG and WebP.")
    width: int | None = Field(None, ge=1, le=16_384, description="Fit inside this width.")
    height: int | None = Field(None, ge=1, le=16_384, description="Fit inside this height.")
    max_frames: int = Field(
        10_000, ge=1, le=1_000_000, description="Refuse, before any work, to extract more."
    )

    @field_validator("at")
    @classmethod
    def _readable(cls, moments: tuple[Moment, ...]) -> tuple[Moment, ...]:
        for moment in moments:
            if isinstance(moment, str):
                percentage(moment)
        return moments

    @model_validator(mode="before")
    @classmethod
    def _implied(cls, values: Any) -> Any:
        """Take the mode from the one number that is given, as in `ExtractFrames(fps=2)`."""
        if not isinstance(values, dict) or "mode" in values:
            return values
        given = [mode for mode, number in _NUMBERS.items() if number in values]
        if len(given) > 1:
            raise ValueError("say which mode: more than one of every, fps, at and count is given")
        return {**values, "mode": given[0]} if given else values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.mode == "timestamps" and not self.at:
            raise ValueError("mode=timestamps needs `at`, a list of seconds or percentages")
        for mode, number in _NUMBERS.items():
            default = type(self).model_fields[number].default
            if mode != self.mode and getattr(self, number) != default:
                raise ValueError(f"`{number}` is for mode={mode}; mode={self.mode} ignores it")
        if None not in (self.start, self.end) and (self.start or 0) >= (self.end or 0):
            raise ValueError("`start` must be before `end`")
        return self

    def cost(self, source: SourceFacts) -> float:
        """Estimate seconds of one core: reading, decoding what the mode needs, encoding."""
        duration = source.duration or source.size / 500_000
        pixels = (source.width or 1920) * (source.height or 1080)
        frames, decoded = self._workload(duration)
        encoding = frames * pixels / _ENCODED_PER_SECOND
        return 0.1 + source.size / 5e8 + decoded * pixels / _DECODED_PER_SECOND + encoding

    def _workload(self, duration: float) -> tuple[float, float]:
        """Return roughly how many frames are encoded and decoded; 30 a second, groups of 1.6 s."""
        wanted = {
            "interval": duration / self.every,
            "fps": duration * self.fps,
            "timestamps": float(len(self.at)),
            "count": float(self.count),
            "keyframes": duration / 1.6,
            "all": duration * 30,
        }[self.mode]
        wanted = min(wanted, duration * 30)
        each = 1 if self.mode == "keyframes" else 15
        return wanted, min(wanted * each, duration * 30)

    def run(self, source: Source, context: Context) -> Outcome:
        """Write `{video}-frames.zip`: the frames, then `frames.jsonl`."""
        name = with_suffix(source.name, "-frames.zip")
        extraction = Extraction(self, source, context)
        with context.output(name, "application/zip") as writer:
            lines = pack(
                extraction.pictures(),
                writer,
                lambda picture: picture.encode(self.format, self.quality),
                self.format,
                context.threads,
            )
            report = extraction.report(lines)
            keys = ("frames", "truncated", "width", "height", "duration")
            writer.info.update({key: report[key] for key in keys})
        context.progress(1.0)
        return Outcome((writer.output,), report=report)

    def pictures(self, source: Source, context: Context) -> Iterator[Picture]:
        """Yield the chosen frames as pictures, for operations that follow in the same stage."""
        return Extraction(self, source, context).pictures()


class Extraction:
    """One run of the operation over one video."""

    def __init__(self, operation: ExtractFrames, source: Source, context: Context) -> None:
        self._operation, self._context = operation, context
        self._name = source.name
        self._reader = FrameReader(source.open, source.name, context.threads)
        check_count(len(self._chosen(self._reader.timeline)), operation.max_frames)

    def pictures(self) -> Iterator[Picture]:
        """Yield the chosen frames in order of time, reporting progress by media time."""
        operation, duration = self._operation, self._reader.timeline.duration or 1.0
        given = 0
        for frame in self._reader.frames(self._chosen):
            yield FramePicture(frame).fit(operation.width, operation.height)
            given += 1
            self._context.progress(frame.time / duration)
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

    def _chosen(self, timeline: Timeline) -> list[int]:
        operation = self._operation
        field = _NUMBERS.get(operation.mode)
        number = getattr(operation, field) if field else 0
        return choose(timeline, operation.mode, number, (operation.start, operation.end))
