"""A picture while several methods change it: what can be put together is done in one go.

Moves that follow each other wait and become one warp, changes of colour one pass; both are carried
out when something else needs the pixels.
"""

from collections.abc import Callable, Mapping
from typing import Any, Self

from mediamill.annotations.covering import Rectangle, covered
from mediamill.annotations.geometry import joined, moved
from mediamill.annotations.model import ImageAnnotations
from mediamill.media.image.depth import Pixels, top
from mediamill.media.image.effects.tone import Tone, grey_mean, recoloured
from mediamill.media.image.geometry.warp import Edge, Interpolation, Part, Size, Warp
from mediamill.media.image.picture import Picture


class Canvas:
    """A picture and what is still to be done to it; annotations keep step."""

    def __init__(
        self,
        picture: Picture,
        edge: Edge | None = None,
        interpolation: Interpolation = "linear",
        min_visibility: float = 0.0,
    ) -> None:
        self.source, self.edge, self.interpolation = picture, edge or Edge(), interpolation
        self.min_visibility = min_visibility
        self.annotations = picture.annotations
        self.info: Mapping[str, Any] = {}
        self._pixels = picture.array()
        self._warp = Warp.still(picture.width, picture.height)
        self._tones: tuple[Tone, ...] = ()

    @property
    def size(self) -> Size:
        """Width and height after all moves."""
        return self._warp.size

    def move(self, part: Part, size: Size | None = None) -> None:
        """Move the pixels by a matrix or field, onto a canvas of another size if one is given."""
        self._colour()
        self._warp = self._warp.then(part, size)

    def tint(self, tone: Tone) -> None:
        """Change the colours."""
        self._place()
        self._tones = (*self._tones, tone)

    def grey_mean(self) -> float:
        """Return the mean of grey (0…1) as the colours are by now."""
        return grey_mean(self.pixels())

    def filter(self, work: Callable[[Pixels], Pixels]) -> None:
        """Change the pixels by work that keeps their number and sees all of them."""
        self._settle()
        self._pixels = work(self._pixels)

    def hide(self, at: Rectangle) -> None:
        """Paint a rectangle black, opaque; what was there is not seen any more."""
        self._settle()
        left, upper, width, height = at
        self._pixels = self._pixels.copy()
        self._pixels[upper : upper + height, left : left + width, :3] = 0
        self._pixels[upper : upper + height, left : left + width, 3:] = top(self._pixels)
        if self.annotations is not None:
            self.annotations = covered(self.annotations, at, self.min_visibility)

    def put(self, pixels: Pixels, parts: list[ImageAnnotations]) -> None:
        """Put pixels of the same size in the place of what is there, with annotations of all."""
        self._settle()
        self._pixels = pixels
        self.annotations = joined(parts, *self.size) if parts else None

    def copy(self, info: Mapping[str, Any]) -> Self:
        """Return another canvas with the same on it; `info` is what is known of it besides."""
        other = type(self)(self.source, self.edge, self.interpolation, self.min_visibility)
        other.info = {**self.info, **info}
        other.annotations, other._pixels = self.annotations, self._pixels
        other._warp, other._tones = self._warp, self._tones
        return other

    def pixels(self) -> Pixels:
        """Return the pixels with all done to them."""
        self._settle()
        return self._pixels

    def picture(self, info: Mapping[str, Any]) -> Picture:
        """Return a picture of the same origin; `info` is what is known of it now."""
        return self.source.made(self.pixels(), {**info, **self.info}, self.annotations)

    def _settle(self) -> None:
        self._place()
        self._colour()

    def _place(self) -> None:
        warp = self._warp
        if not warp.parts:
            return
        self._pixels = warp.apply(self._pixels, self.edge, self.interpolation)
        if self.annotations is not None:
            self.annotations = moved(self.annotations, warp, *warp.size, self.min_visibility)
        self._warp = Warp.still(*warp.size)

    def _colour(self) -> None:
        if self._tones:
            self._pixels, self._tones = recoloured(self._pixels, self._tones), ()
