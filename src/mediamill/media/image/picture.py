"""One image on its way through an operation: sRGB pixels of 8 or 16 bits that are upright."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import cv2
from numpy.typing import NDArray

from mediamill.media.image.alpha import weighted
from mediamill.media.image.codecs.encode import encode, flatten
from mediamill.media.image.codecs.encoding import AnyFormat, fitted
from mediamill.media.image.depth import Pixels

if TYPE_CHECKING:
    from mediamill.annotations.model import ImageAnnotations

__all__ = ["Picture", "Pixels", "resized"]


class Picture:
    """An image whose pixels are at hand. Subclasses hold something that pixels are made from.

    `info` is what is known about it: for a frame its index and time, for a copy its parameters.
    """

    annotations: "ImageAnnotations | None" = None
    """What is drawn on it, in pixels of this upright picture."""
    digest: str = ""
    """What its draws go by: SHA-256 of its file; of a frame, of the video's and the frame's."""
    split: str = ""
    """`train`, `validation`, `test`; empty where it has none, which counts as train."""
    grey: bool = False
    """Whether its file was grey alone; what is made of it may have colours."""
    turned: bool = False
    """Whether what it was decoded from lies otherwise, by its orientation."""
    numbers: Mapping[str, float] | None = None
    """What was measured of its pixels, where somebody has."""
    untouched: bool = False
    """Whether each step says that it did nothing (`kept`): then its file will do."""

    def __init__(self, pixels: Pixels, info: Mapping[str, Any] | None = None) -> None:
        self._pixels = pixels
        self.info: Mapping[str, Any] = info or {}

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self._pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self._pixels.shape[0])

    def array(self) -> Pixels:
        """Return H×W×3 RGB or H×W×4 RGBA (alpha not multiplied in), sRGB, `uint8` or `uint16`.

        16 bits come only to steps that say `deep`, and only of files that have them.
        """
        return self._pixels

    def encode(self, form: AnyFormat, quality: int = 85) -> bytes:
        """Encode as JPEG, PNG, WebP or AVIF, without metadata; 16 bits as PNG, else 8."""
        return encode(self.array(), form, quality)

    def of(self, other: "Picture") -> Self:
        """Take over where another picture comes from: digest, split, kind; return self."""
        self.digest, self.split, self.grey = other.digest, other.split, other.grey
        self.turned = other.turned
        return self

    def made(
        self,
        pixels: Pixels,
        info: Mapping[str, Any] | None = None,
        annotations: "ImageAnnotations | None" = None,
    ) -> "Picture":
        """Return a picture made of this one, of the same origin, with pixels of its own."""
        picture = Picture(pixels, self.info if info is None else info).of(self)
        picture.annotations = annotations
        return picture

    def kept(self, info: Mapping[str, Any] | None = None) -> "Picture":
        """Return the picture, its annotations with it, as one to which a step did nothing."""
        picture = self.made(self.array(), info, self.annotations)
        picture.untouched = self.untouched
        return picture

    def fit(self, width: int | None, height: int | None) -> "Picture":
        """Return the picture scaled down to fit inside; never enlarged, proportions kept."""
        size = fitted(self.width, self.height, width, height)
        same, marks = size == (self.width, self.height), self._marks_at(size)
        if same and marks is self.annotations:
            return self
        return self.made(self.array() if same else self._sized(*size), annotations=marks)

    def _sized(self, width: int, height: int) -> Pixels:
        """Return the pixels in another size."""
        return resized(self.array(), width, height)

    def _marks_at(self, size: tuple[int, int]) -> "ImageAnnotations | None":
        """Return what is drawn on the picture for another size.

        It is in pixels of the whole picture, also where that was decoded smaller.
        """
        marks = self.annotations
        if marks is None or (marks.width, marks.height) == size:
            return marks
        from mediamill.annotations.geometry import moved
        from mediamill.media.image.geometry.warp import Warp, stretching

        whole = marks.width, marks.height
        factors = size[0] / whole[0], size[1] / whole[1]
        return moved(marks, Warp(whole, size).then(stretching(*factors)), *size)

    def mirrored(self, axis: Literal["horizontal", "vertical"]) -> "Picture":
        """Return the picture with left and right (horizontal) or top and bottom swapped."""
        return self.made(cast("Pixels", cv2.flip(self.array(), int(axis == "horizontal"))))

    def flattened(self, background: tuple[int, int, int]) -> "Picture":
        """Return the picture without transparency, shown on a background of 8 bits."""
        return self.made(flatten(self.array(), background), annotations=self.annotations)


def resized(pixels: NDArray[Any], width: int, height: int) -> Pixels:
    """Return the pixels in another size, averaged over area; colours do not bleed out of alpha."""

    def work(part: NDArray[Any]) -> NDArray[Any]:
        return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)

    return weighted(cast("Pixels", pixels), work)
