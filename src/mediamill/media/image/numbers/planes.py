"""What the numbers of a picture are taken from: where it shows, and its Laplacian."""

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.depth import Pixels

Mask = NDArray[np.bool_] | None
"""Where a picture shows, H×W; None for everywhere."""


def shown_of(pixels: Pixels) -> Mask:
    """Return where the alpha of H×W×3 or 4 is not 0."""
    if pixels.shape[2] == 3:
        return None
    shown = pixels[:, :, 3] > 0
    return None if shown.all() else shown


def laplacian(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the Laplacian of H×W as `int16` for 8 bits, else `float32`.

    Its kernel is 0 1 0 / 1 −4 1 / 0 1 0; the border is mirrored without its last pixel.
    """
    depth = cv2.CV_16S if plane.dtype == np.uint8 else cv2.CV_32F
    return cast("NDArray[Any]", cv2.Laplacian(plane, depth, ksize=1))
