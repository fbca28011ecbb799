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
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from mediamill.operations.work import Context, Outcome, Output, OutputWriter, Source, SourceFacts

__all__ = [
    "Context", "MediaOperation", "Operation", "Outcome", "Output", "OutputWriter", "Placement",
    "Source", "SourceFacts",
]  # fmt: skip


class Placement(StrEnum):
    """Where an operation runs: `slot` (pixels), `model` (awaits a provider), `set` (over all)."""

    SLOT = "slot"
    MODEL = "model"
    SET = "set"


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
        return bool(before.gives) and any(_overlap(before.gives, kind) for kind in kinds)

    def carries(self, step: "Operation") -> bool:
        """Tell whether a step can work on what this one makes before it is written."""
        return False

    def cost(self, source: SourceFacts) -> float:
        """Estimate the seconds of one core that an input takes; used to pack and to share."""
        return 1.0


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

    def segments(
        self, source: Source, seconds: float, context: Context
    ) -> Sequence[tuple[int, int]]:
        """Cut a long input into parts of about so many seconds, to be run with `Context.span`.

        Each part then gives one archive whose last member lists the others, a line each; joined in
        order they are what a run over the whole gives. Fewer than two parts: run it whole.
        """
        return ()
