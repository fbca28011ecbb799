"""Measure every image of a set, then say what it is like: numbers, duplicates, leaks, advice."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from mediamill.operations.base import Context, Measure, Outcome, SourceFacts
from mediamill.operations.image import ImageOperation

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

_PER_SECOND = 1e8
"""Pixels that one core decodes and measures in a second, roughly."""


class HealthCheck(ImageOperation):
    """Look at a set of images: distributions, outliers, duplicates, leaks between splits, classes.

    It gives `health.json`, the report, and `health.parquet`, a table with a row for each image; the
    images stay as they are.
    """

    deep: ClassVar[bool] = True
    gives: ClassVar[str] = ""

    duplicates: bool = Field(True, description="Look for near-duplicates, not only equal files.")
    similarity: float = Field(
        0.8,
        ge=0.5,
        le=1,
        description="How alike near-duplicates are at least where they overlap (correlation of "
        "gradients).",
    )
    outlier_distance: float = Field(
        3.5,
        ge=1,
        le=100,
        description="How far from the median an image is listed as an outlier, in robust standard "
        "deviations.",
    )
    bins: int = Field(32, ge=4, le=256, description="Bars of each histogram.")

    @property
    def surveys(self) -> bool:
        """It is about the set."""
        return True

    def cost(self, source: SourceFacts) -> float:
        """Estimate seconds of one core: decoding, and a part that all images have alike."""
        return 0.005 + (source.width or 1920) * (source.height or 1080) / _PER_SECOND

    def measure_picture(self, picture: "Picture", context: Context) -> dict[str, Any]:
        """Return the picture's numbers, what it is known by, and what is drawn on it."""
        from mediamill.operations.health_check.measuring import measured

        return measured(picture, fingerprints=self.duplicates)

    def reduce(self, measures: Iterator[Measure], context: Context) -> Outcome:
        """Write the report and the table; the data is the summary with the advice."""
        from mediamill.operations.health_check.report import reported

        return reported(measures, self, context)
