"""The parameters of extract-frames, and the way from a source to its archive."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from mediamill.media.archive.names import with_suffix
from mediamill.media.image.codecs.encoding import Encoding, Format
from mediamill.media.video.select import MIN_SHOT, THRESHOLD
from mediamill.operations.base import (
    Context,
    Expected,
    MediaOperation,
    Operation,
    Outcome,
    Source,
    SourceFacts,
    Sure,
)
from mediamill.operations.extract_frames.expecting import expected
from mediamill.operations.extract_frames.segments import Run
from mediamill.operations.extract_frames.selection import NUMBERS, Moment, clock, time_of
from mediamill.operations.image import ImageOperation, encoding_of, image_steps, through

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

Seconds = Annotated[float, Field(ge=0)]
Text = Annotated[str, StringConstraints(max_length=24)]
_OWN = (*NUMBERS.items(), ("scene", "min_shot"))
_DECODED_PER_SECOND, _ENCODED_PER_SECOND = 3.5e8, 5e8
"""Pixels that one core decodes and encodes in a second, roughly."""


class ExtractFrames(MediaOperation):
    """Extract frames of a video into an archive of images with an index."""

    version: ClassVar[int] = 2
    accepts: ClassVar[tuple[str, ...]] = ("video/*",)
    gives: ClassVar[str] = "image/*"
    fans_out: ClassVar[bool] = True

    mode: Literal[
        "interval", "fps", "every_nth", "keyframes", "timestamps", "count", "scene", "all"
    ] = Field(
        "interval", description="Which frames: at an interval, a rate, given times, and so on."
    )
    every: float = Field(1.0, gt=0, le=86_400, description="Seconds between frames (interval).")
    fps: float = Field(1.0, ge=0.0001, le=1000, description="Frames per second (fps).")
    n: int = Field(
        10, ge=1, le=1_000_000, description="Each n-th frame, from the first (every_nth)."
    )
    at: tuple[Seconds | Text, ...] = Field(
        (),
        max_length=10_000,
        description="Seconds, times such as 1:02:03.5, or percentages such as 50% (timestamps).",
    )
    count: int = Field(10, ge=1, le=1_000_000, description="How many, evenly spread (count).")
    threshold: float = Field(
        THRESHOLD, gt=0, le=1, description="Difference that is a cut, 1 being the most (scene)."
    )
    min_shot: float = Field(
        MIN_SHOT, ge=0, le=3600, description="Shortest shot, in seconds; shorter ones join (scene)."
    )
    start: Text | Seconds | None = Field(
        None, description="Where to begin: seconds, a time such as 1:02:03.5, or a percentage."
    )
    end: Text | Annotated[float, Field(gt=0)] | None = Field(
        None, description="Where to stop, likewise; a frame at this very time is left out."
    )
    format: Format = Field("jpeg", description="Image format of the frames.")
    quality: int = Field(85, ge=1, le=100, description="Quality of JPEG and WebP.")
    width: int | None = Field(None, ge=1, le=16_384, description="Fit inside this width.")
    height: int | None = Field(None, ge=1, le=16_384, description="Fit inside this height.")
    deinterlace: bool = Field(True, description="Take the combs out of interlaced frames.")
    max_frames: int = Field(
        10_000, ge=1, le=1_000_000, description="Refuse, before any work, to extract more."
    )

    @field_validator("at", "start", "end")
    @classmethod
    def _readable(cls, value: Any) -> Any:
        for moment in value if isinstance(value, tuple) else (value,):
            if moment is not None:
                time_of(moment, Fraction(0), Fraction(0))
        return value

    @model_validator(mode="before")
    @classmethod
    def _implied(cls, values: Any) -> Any:
        """Take the mode from the one number that is given, as in `ExtractFrames(fps=2)`."""
        if not isinstance(values, dict) or "mode" in values:
            return values
        given = {mode for mode, number in _OWN if number in values}
        if len(given) > 1:
            names = ", ".join(NUMBERS.values())
            raise ValueError(f"say which mode: more than one of {names} is given")
        return {**values, "mode": given.pop()} if given else values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.mode == "timestamps" and not self.at:
            raise ValueError("mode=timestamps needs `at`, a list of seconds or percentages")
        for mode, number in _OWN:
            default = type(self).model_fields[number].default
            if mode != self.mode and getattr(self, number) != default:
                raise ValueError(f"`{number}` is for mode={mode}; mode={self.mode} ignores it")
        if not _in_order(self.start, self.end):
            raise ValueError("`start` must be before `end`")
        return self

    @property
    def number(self) -> float | tuple[Moment, ...]:
        """The mode's own number or times, 0 where it has none; the shortest shot of scene."""
        field = "min_shot" if self.mode == "scene" else NUMBERS.get(self.mode)
        return getattr(self, field) if field else 0

    def expect(self, source: SourceFacts) -> Expected:
        """Tell how many frames there will be; raises `InvalidInput` for more than `max_frames`."""
        return expected(self, source)

    def roughly(self, source: SourceFacts) -> Expected:
        """Tell how many frames are likely, where it is sure only how many they are at most."""
        made = self.expect(source)
        if made.sure is not Sure.AT_MOST:
            return made
        likely = round(self._workload(_duration(source))[0])
        return replace(made, count=min(made.count, max(1, likely)))

    def cost(self, source: SourceFacts) -> float:
        """Estimate seconds of one core: reading, decoding what the mode needs, encoding."""
        duration = _duration(source)
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
            "every_nth": duration * 30 / self.n,
            "keyframes": duration / 1.6,
            "scene": duration / 5,
            "all": duration * 30,
        }[self.mode]
        wanted = min(wanted, duration * 30)
        if self.mode == "scene":
            return wanted, duration * 36
        each = 1 if self.mode == "keyframes" else 15
        return wanted, min(wanted * each, duration * 30)

    def carries(self, step: Operation) -> bool:
        """Pass frames on to operations on images."""
        return isinstance(step, ImageOperation)

    def run(self, source: Source, context: Context) -> Outcome:
        """Write `{video}-frames.zip`: the frames, then `frames.jsonl`."""
        return self.run_through(source, context, ())

    def run_through(
        self, source: Source, context: Context, following: Sequence[MediaOperation]
    ) -> Outcome:
        """Write the archive of what becomes of the frames in the steps that follow."""
        from mediamill.operations.extract_frames.extraction import Extraction
        from mediamill.operations.extract_frames.pack import pack

        name = with_suffix(source.name, "-frames.zip")
        steps = image_steps(following)
        encoding = encoding_of(steps) or Encoding(self.format, self.quality)
        extraction = Extraction(self, source, context)
        with context.output(name, "application/zip") as writer:
            lines = pack(
                through(extraction.pictures(), steps, context),
                writer,
                encoding.write,
                encoding.form,
                context.threads,
            )
            report = extraction.report(lines)
            keys = ("frames", "truncated", "width", "height", "duration")
            writer.info.update({key: report[key] for key in keys})
        context.progress(1.0)
        return Outcome((writer.output,), report=report)

    def pictures(
        self, source: Source, context: Context, following: Sequence[MediaOperation] = ()
    ) -> "Iterator[Picture]":
        """Yield what becomes of the chosen frames in the steps that follow; nothing is written."""
        from mediamill.operations.extract_frames.extraction import Extraction

        frames = Extraction(self, source, context).pictures()
        return through(frames, image_steps(following), context)

    def segments(self, source: Source, seconds: float, context: Context) -> Sequence[Run]:
        """Cut the frames into runs that share no group of pictures; shots are found in one go."""
        if self.mode == "scene":
            return ()
        from mediamill.operations.extract_frames.extraction import Extraction

        return Extraction(self, source, context).runs(seconds)


def _duration(source: SourceFacts) -> float:
    """Return the seconds of a video, guessed by its bytes where they are not known."""
    return source.duration or source.size / 500_000


def _in_order(start: Moment | None, end: Moment | None) -> bool:
    """Tell whether the bounds may hold something: percentages and times cannot be compared."""
    if start is None or end is None:
        return True
    shares = [str(moment).strip().endswith("%") for moment in (start, end)]
    if any(shares) and not all(shares):
        return True
    first, last = (clock(str(moment).strip().rstrip("% ")) for moment in (start, end))
    return first < last
