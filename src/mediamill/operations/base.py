"""What an operation is: a frozen model of its parameters that knows how to process one input.

Fields are the parameters. Their ranges, defaults and descriptions become the JSON Schema, the
command-line options and the web form, so nothing is described twice.

    class Measure(MediaOperation):
        '''Tell how large an image is.'''

        accepts: ClassVar[tuple[str, ...]] = ("image/*",)

        def run(self, source: Source, context: Context) -> Outcome:
            return Outcome(data={"width": source.width, "height": source.height})

    plugin = Measure

Media operations are plain synchronous code. They run in a slot: a child process with limits on
memory, time and network, which sees its inputs as open file descriptors and can write to its
scratch folder only. Expected trouble is raised as `InvalidInput` or one of its subclasses.

One that must see the whole set before it can work on any of it says `surveys`, and has
`measure_picture` and `reduce`: what that returns is `Context.agreed` when it is applied.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from mediamill.core.errors import InvalidInput
from mediamill.operations.work import (
    Context,
    Expected,
    Measure,
    Outcome,
    Output,
    OutputWriter,
    Source,
    SourceFacts,
    Sure,
)

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

__all__ = [
    "MAX_PARTNERS", "Context", "Expected", "Measure", "MediaOperation", "Operation", "Outcome",
    "Output", "OutputWriter", "Placement", "Source", "SourceFacts", "Sure",
]  # fmt: skip


class Placement(StrEnum):
    """Where an operation runs: `slot` (pixels) or `model` (awaits a provider)."""

    SLOT = "slot"
    MODEL = "model"


MAX_PARTNERS = 8
"""Most other inputs that are opened beside one."""


class Operation(BaseModel):
    """One transformation with typed parameters.

    Raise `version` whenever the same parameters and input may give other bytes or data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: ClassVar[int] = 1
    accepts: ClassVar[tuple[str, ...]] = ()
    """Media types it takes, such as `video/*`; none for any file. The first fits it best."""
    gives: ClassVar[str] = ""
    """Media type of what it makes, for checking a chain; empty when that depends on parameters."""
    placement: ClassVar[Placement] = Placement.SLOT
    fans_out: ClassVar[bool] = False
    """Whether one input becomes many pictures, in an archive; `gives` is then the type of each."""
    draws: ClassVar[bool] = False
    """Whether what it makes depends on the job's seed."""
    most_outputs: ClassVar[int | None] = None
    """How many one input may become in a stage that it begins; more and the input fails."""

    @property
    def surveys(self) -> bool:
        """Whether it must see the whole set first: it then has `measure_picture` and `reduce`."""
        return False

    @property
    def applies(self) -> bool:
        """Whether it makes something of each input; else what `reduce` returns is all it gives."""
        return True

    @property
    def reads_name(self) -> bool:
        """Whether what it makes of an input depends on what that is called."""
        return False

    @property
    def reads_place(self) -> bool:
        """Whether what it makes of an input depends on its place among the job's inputs."""
        return False

    @property
    def partners(self) -> int:
        """How many other inputs of the set it wants beside each, at most `MAX_PARTNERS`."""
        return 0

    @property
    def references(self) -> tuple[str, ...]:
        """Ids of files that are measured with the set and are no inputs themselves."""
        return ()

    @classmethod
    def takes(cls, media_type: str) -> bool:
        """Tell whether the operation accepts inputs of a media type."""
        return not cls.accepts or any(
            pattern == media_type
            or (pattern.endswith("/*") and media_type.startswith(pattern[:-1]))
            for pattern in cls.accepts
        )

    @classmethod
    def may_follow(cls, before: "Operation") -> bool:
        """Tell whether what an operation gives can be of a type that this one accepts."""
        kinds = cls.accepts or ("*/*",)
        return (
            before.applies
            and bool(before.gives)
            and any(_overlap(before.gives, kind) for kind in kinds)
        )

    def carries(self, step: "Operation") -> bool:
        """Tell whether a step can work on what this one makes before it is written."""
        return False

    def cost(self, source: SourceFacts) -> float:
        """Estimate the seconds of one core that an input takes; used to pack and to share."""
        return 1.0

    def expect(self, source: SourceFacts) -> Expected | None:
        """Tell what an input becomes, before it is opened; None where that cannot be told.

        Unless it fans out, one of the type that it `gives`. Raises `InvalidInput` for an input that
        it is sure to refuse.
        """
        if self.fans_out:
            return None
        kept = not self.gives or _overlap(self.gives, source.media_type)
        return Expected(1, source if kept else replace(source, media_type=self.gives))

    def roughly(self, source: SourceFacts) -> Expected | None:
        """Tell what an input likely becomes: by it the steps that follow are costed, not bounded.

        Raises what `expect` does.
        """
        return self.expect(source)


def _overlap(one: str, other: str) -> bool:
    """Tell whether some media type fits both patterns."""
    parts = zip(one.split("/"), other.split("/"), strict=False)
    return all("*" in pair or pair[0] == pair[1] for pair in parts)


class MediaOperation(Operation):
    """An operation on pixels or packets: synchronous, run in a slot, one input at a time."""

    def run(self, source: Source, context: Context) -> Outcome:
        """Process one input.

        Raises `UnsupportedMedia`, `BrokenMedia`, `LimitExceeded` or `InvalidInput`.
        """
        raise TypeError(f"{type(self).__name__} does not say how to run")

    def run_through(
        self, source: Source, context: Context, following: "Sequence[MediaOperation]"
    ) -> Outcome:
        """Process one input and pass it through steps that it carries, writing the last's only.

        Raises what `run` does.
        """
        if following:
            raise TypeError(f"{type(self).__name__} carries no other steps")
        return self.run(source, context)

    def pictures(
        self, source: Source, context: Context, following: "Sequence[MediaOperation]" = ()
    ) -> "Iterator[Picture]":
        """Yield what one input becomes in this step and those it carries; nothing is written.

        Raises what `run` does.
        """
        raise TypeError(f"{type(self).__name__} makes no pictures")

    def originals(self, source: Source, context: Context) -> "Iterator[Picture]":
        """Yield the pictures that an input holds, to be measured; raises what `run` does."""
        raise TypeError(f"{type(self).__name__} takes no pictures")

    def preview(self, source: Source, context: Context) -> Outcome:
        """Write small pictures of what the parameters do to one input: first the input as it is.

        `info` of each says what it shows: `parameter`, `place`, `value`. Partners of the source are
        the step's `references`. Raises what `run` does.
        """
        raise InvalidInput("This operation has no preview; there are some of those on images.")

    def compare(self, source: Source, context: Context) -> Outcome:
        """Write two small pictures: one input as it is, and as all of the operation makes it.

        Raises what `preview` does.
        """
        return self.preview(source, context)

    def measure_picture(self, picture: "Picture", context: Context) -> dict[str, Any]:
        """Return what the survey must know of a picture: JSON, a few kB at most."""
        raise TypeError(f"{type(self).__name__} does not say what it measures")

    def reduce(self, measures: Iterator[Measure], context: Context) -> Outcome:
        """Return what all measures, in the order of the inputs, come to.

        Its `data` (JSON, 8 kB at most) is what was agreed: `Context.agreed` of the runs that
        follow; its `files` are reports. Broken inputs come too, with `error`.
        """
        raise TypeError(f"{type(self).__name__} does not say what its measures come to")

    def segments(
        self, source: Source, seconds: float, context: Context
    ) -> Sequence[tuple[int, int]]:
        """Cut a long input into parts of about so many seconds, to be run with `Context.span`.

        Each part then gives one archive whose last member lists the others, a line each; joined in
        order they are what a run over the whole gives. Fewer than two parts: run it whole.
        """
        return ()
