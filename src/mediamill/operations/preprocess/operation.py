"""What preprocess does to a picture: its methods in their order, each where it is called for."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mediamill.operations.base import Context, Expected, Measure, Outcome, SourceFacts
from mediamill.operations.formatted import Formatted
from mediamill.operations.image import Variant, told_apart
from mediamill.operations.preprocess.agreeing import agreed
from mediamill.operations.preprocess.expecting import tiled
from mediamill.operations.preprocess.parameters import PreprocessParameters, shrunk
from mediamill.operations.preprocess.showing import ranges_of

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

_PER_SECOND = 6e6
"""Pixels that one core decodes, measures, corrects and encodes in a second, roughly."""


class Preprocess(Formatted, PreprocessParameters):
    """Bring images to one reference: size, light, colour and sharpness, where they deviate."""

    version: ClassVar[int] = 2
    deep: ClassVar[bool] = True

    def cost(self, source: SourceFacts) -> float:
        """Estimate seconds of one core."""
        return 0.01 + (source.width or 1920) * (source.height or 1080) / _PER_SECOND

    def expect(self, source: SourceFacts) -> Expected:
        """Tell how many tiles there are, and how large pictures become where parameters say so."""
        count, size = tiled(self, (source.width, source.height))
        return Expected(count, self.sized(source, *size))

    def shrunk(self, factor: float) -> Self:
        """Return the parameters for a picture of another size: what they count in pixels."""
        return self.model_copy(update=shrunk(self, factor))

    def variants(self) -> Iterator[Variant]:
        """Yield the whole, then each number that its methods go by at its ends and as it is set."""
        yield self.whole()
        for name, ends in ranges_of(self).items():
            for value, place in told_apart(ends).items():
                yield Variant(self.model_copy(update={name: value}), name, place, value)

    def measure_picture(self, picture: "Picture", context: Context) -> dict[str, Any]:
        """Return the picture's numbers (`media/image/numbers/levels.py`)."""
        from mediamill.operations.preprocess.working import measured

        return dict(measured(picture))

    def reduce(self, measures: Iterator[Measure], context: Context) -> Outcome:
        """Agree on the reference, the set's medians, and how far images usually are from them."""
        return Outcome(data=agreed(measures, self.reference))

    def apply_all(self, image: "Picture", context: Context) -> "Iterator[Picture]":
        """Yield the corrected picture, or its tiles, with a `report` of what was done."""
        from mediamill.operations.preprocess.working import Work

        work = Work(image, self, dict(context.agreed or {}))
        for method in self.methods:
            work.do(method)
        yield from work.pictures()
