"""JPEG through libjpeg-turbo: whole or shrunk decoding, encoding from RGB or YCbCr planes."""

from typing import Any, cast

import numpy as np
import simplejpeg  # type: ignore[import-untyped]  # has stubs, yet no py.typed to announce them
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def encode_rgb(pixels: Pixels, quality: int) -> bytes:
    """Encode H×W×3 RGB with 4:2:0 chroma."""
    whole = np.ascontiguousarray(pixels)
    options = {"quality": quality, "colorspace": "RGB", "colorsubsampling": "420"}
    return cast("bytes", simplejpeg.encode_jpeg(whole, **options))


def encode_grey(pixels: Pixels, quality: int) -> bytes:
    """Encode H×W×1 as grey alone."""
    options = {"quality": quality, "colorspace": "GRAY", "colorsubsampling": "GRAY"}
    return cast("bytes", simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), **options))


def encode_planes(y: Pixels, cb: Pixels, cr: Pixels, quality: int) -> bytes:
    """Encode full-range BT.601 planes; their sizes say the subsampling.

    TurboJPEG reads luma up to the next multiple of the subsampling (`tj3CompressFromYUVPlanes`),
    which is past the end of a plane of odd size: such a plane is given a copied last row or column
    to read.
    """
    height, width = y.shape
    high = cb.shape[0] * round(height / cb.shape[0])
    wide = cb.shape[1] * round(width / cb.shape[1])
    if (high, wide) != (height, width):
        margin = ((0, max(0, high - height)), (0, max(0, wide - width)))
        y = np.pad(y, margin, mode="edge")[:height, :width]
    return cast("bytes", simplejpeg.encode_jpeg_yuv_planes(y, cb, cr, quality=quality))


def decode_rgb(data: bytes, min_width: int = 0, min_height: int = 0) -> Pixels | None:
    """Return H×W×3 RGB, shrunk while decoding by 1/8 … 8/8 to no less than the given size.

    Return None where a slower and more tolerant decoder should have a try: CMYK pictures, and
    data that libjpeg finds fault with.
    """
    smallest: dict[str, Any] = {"min_width": min_width, "min_height": min_height}
    if min_width or min_height:
        smallest["min_factor"] = 1
    try:
        _, _, space, _ = simplejpeg.decode_jpeg_header(data)
        if space in {"CMYK", "YCCK"}:
            return None
        return cast("Pixels", simplejpeg.decode_jpeg(data, colorspace="RGB", **smallest))
    except (ValueError, OverflowError):
        return None
