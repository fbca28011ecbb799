"""Turn stored pixels upright: EXIF orientations and the display matrices of videos."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MATRIX = struct.Struct("=9i")


@dataclass(frozen=True)
class Orientation:
    """What leads from stored to upright pixels: first transpose, then mirror."""

    transpose: bool = False
    mirror: bool = False
    """Left becomes right."""
    flip: bool = False
    """Top becomes bottom."""

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the upright width and height; the same call leads back."""
        return (height, width) if self.transpose else (width, height)

    def apply(self, pixels: "NDArray[Any]") -> "NDArray[Any]":
        """Return the pixels (H×W or H×W×channels) upright, as a contiguous array."""
        import cv2
        import numpy as np  # only who has pixels needs them: `probe` has not

        if self.transpose:
            pixels = cast("NDArray[Any]", cv2.transpose(pixels))
        if self.mirror or self.flip:
            code = {(True, True): -1, (True, False): 1, (False, True): 0}[self.mirror, self.flip]
            pixels = cast("NDArray[Any]", cv2.flip(pixels, code))
        return np.ascontiguousarray(pixels)


UPRIGHT = Orientation()
_EXIF = {
    2: Orientation(mirror=True),
    3: Orientation(mirror=True, flip=True),
    4: Orientation(flip=True),
    5: Orientation(transpose=True),
    6: Orientation(transpose=True, mirror=True),
    7: Orientation(transpose=True, mirror=True, flip=True),
    8: Orientation(transpose=True, flip=True),
}


def from_exif(value: object) -> Orientation:
    """Return the orientation of an EXIF tag 0x0112; what is no such value counts as upright."""
    return _EXIF.get(value, UPRIGHT) if isinstance(value, int) else UPRIGHT


def from_display_matrix(data: bytes) -> Orientation:
    """Return the orientation of a display matrix (ISO/IEC 14496-12, 8.2.2: x' = ax + cy …).

    Angles other than multiples of 90° go to the nearest of them.
    """
    if len(data) < _MATRIX.size:
        return UPRIGHT
    return _from_axes(_MATRIX.unpack_from(data))


def _from_axes(matrix: Sequence[int]) -> Orientation:
    a, b, _, c, d = matrix[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)
