"""A small picture whose pixels lie as in its file: shrunk first and turned upright then."""

from typing import cast

from mediamill.media.image.depth import Pixels
from mediamill.media.image.orient import UPRIGHT, Orientation
from mediamill.media.image.picture import Picture, resized


class StoredPicture(Picture):
    """A picture that is turned when its pixels are asked for; a transposed photo costs time."""

    def __init__(self, stored: Pixels, orientation: Orientation) -> None:
        super().__init__(stored)
        self._orientation = orientation

    @property
    def width(self) -> int:
        return self._orientation.size(super().width, super().height)[0]

    @property
    def height(self) -> int:
        return self._orientation.size(super().width, super().height)[1]

    def array(self) -> Pixels:
        self._pixels = cast("Pixels", self._orientation.apply(self._pixels))
        self._orientation = UPRIGHT
        return self._pixels

    def _sized(self, width: int, height: int) -> Pixels:
        small = resized(self._pixels, *self._orientation.size(width, height))
        return cast("Pixels", self._orientation.apply(small))
