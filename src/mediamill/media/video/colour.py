"""Turn decoded frames into what a JPEG holds, or into RGB, with the right matrix and range.

A JPEG (JFIF) is full-range YCbCr with the BT.601 matrix. Video is mostly limited-range, in BT.601
or BT.709. Going through RGB costs two matrix products and two chroma resamplings per frame; here
the planes are converted where they are: with the source's luma weights, YCbCr to YCbCr is

    Y' = Y + a Cb + b Cr      Cb' = c Cb + d Cr      Cr' = e Cb + f Cr

and the expansion of the range is folded into the same weighted sums. For BT.601 sources a = b = 0
and one multiplication per plane is left.

An untagged frame is BT.601 and limited (full where its pixel format says so), whatever its size:
that is what FFmpeg's scaler does.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from mediamill.media.image.picture import resized

Pixels = NDArray[np.uint8]
Planes = tuple[Pixels, Pixels, Pixels]

_FULL = 2
_BT601 = (0.299, 0.114)
_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""Weights of red and blue by AVColorSpace (ITU-T H.273, table 4); what is absent is BT.601."""
_SCALER = {1: 1, 4: 4, 7: 7, 9: 9, 10: 9}
"""libswscale's number of the matrix by AVColorSpace; what is absent is 5, BT.601."""
_SCALER_601 = 5
_PLANAR = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"})
_DEEP = {
    f"yuv{sampling}p{depth}{order}": f"yuv{sampling}p"
    for sampling in ("420", "422", "444")
    for depth in (9, 10, 12, 14, 16)
    for order in ("le", "be")
} | {"p010le": "yuv420p", "p010be": "yuv420p", "nv12": "yuv420p", "nv21": "yuv420p"}
"""Formats that become planar 8-bit ones without touching matrix or range."""
_ALPHA = ("yuva", "rgba", "argb", "bgra", "abgr", "gbrap", "ya8", "ya16", "vuya", "ayuv")
_FLAGS = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True)
class Conversion:
    """Weights and offsets that lead from a source's planes to a JPEG's."""

    luma: float
    chroma: float
    a: float = 0.0
    b: float = 0.0
    c: float = 1.0
    d: float = 0.0
    e: float = 0.0
    f: float = 1.0

    @property
    def identity(self) -> bool:
        """Tell whether the planes can be used as they are."""
        return self == Conversion(1.0, 1.0)


@lru_cache(maxsize=32)
def conversion(matrix: int, *, full: bool) -> Conversion:
    """Return the conversion from an AVColorSpace and range to BT.601 full range."""
    luma, chroma = (1.0, 1.0) if full else (255 / 219, 255 / 224)
    red, blue = _WEIGHTS.get(9 if matrix == 10 else matrix, _BT601)
    if (red, blue) == _BT601:
        return Conversion(luma, chroma)
    product = _to_ycbcr(*_BT601) @ np.linalg.inv(_to_ycbcr(red, blue))
    (_, a, b), (_, c, d), (_, e, f) = product.tolist()
    return Conversion(luma, chroma, a, b, c, d, e, f)


def _to_ycbcr(red: float, blue: float) -> NDArray[np.float64]:
    """Return the matrix from R'G'B' to Y'CbCr for the luma weights of red and blue."""
    luma = np.array([red, 1 - red - blue, blue])
    cb = (np.array([0.0, 0.0, 1.0]) - luma) / (2 * (1 - blue))
    cr = (np.array([1.0, 0.0, 0.0]) - luma) / (2 * (1 - red))
    return np.stack([luma, cb, cr])


def jpeg_planes(frame: VideoFrame, width: int, height: int) -> Planes | None:
    """Return Y, Cb and Cr of a JPEG of the given size, or None for formats that need RGB.

    Chroma keeps the subsampling of the source; `width` and `height` never enlarge.
    """
    frame = _eight_bit(frame)
    if frame.format.name not in _PLANAR or frame.colorspace in {0, 8}:
        return None
    planes = _fitted(_planes(frame), width, height)
    return convert(planes, conversion(frame.colorspace, full=is_full(frame)))


def convert(planes: Planes, how: Conversion) -> Planes:
    """Apply a conversion to the planes of an 8-bit picture."""
    y, u, v = planes
    if how.identity:
        return np.ascontiguousarray(y), np.ascontiguousarray(u), np.ascontiguousarray(v)
    black = 0.0 if how.luma == 1.0 else -16 * how.luma
    if how.a == how.b == 0.0:
        centre = 128 - 128 * how.chroma
        return (
            _sum(y, how.luma, y, 0, black),
            _sum(u, how.chroma, u, 0, centre),
            _sum(v, how.chroma, v, 0, centre),
        )
    a, b, c, d, e, f = (how.chroma * x for x in (how.a, how.b, how.c, how.d, how.e, how.f))
    shift = _sum(u, a, v, b, 128 - 128 * (a + b))
    if shift.shape != y.shape:
        shift = _resized(shift, y.shape[1], y.shape[0], cv2.INTER_LINEAR)
    return (
        _sum(y, how.luma, shift, 1.0, black - 128),
        _sum(u, c, v, d, 128 - 128 * (c + d)),
        _sum(u, e, v, f, 128 - 128 * (e + f)),
    )


def rgb(frame: VideoFrame, width: int, height: int) -> Pixels:
    """Return the frame as H×W×3 RGB, or H×W×4 RGBA where its format has alpha.

    The size never enlarges. Samples are taken as they are: `grade` is for HDR.
    """
    pixels = _reformatted(frame, "rgba" if has_alpha(frame) else "rgb24")
    whole = pixels.shape[:2] == (height, width)
    return cast("Pixels", pixels if whole else resized(pixels, width, height))


def deep_rgb(frame: VideoFrame, width: int, height: int) -> NDArray[np.uint16]:
    """Return the frame as H×W×3 RGB with 16 bits, of a size that never enlarges."""
    pixels = _reformatted(frame, "rgb48le")
    if pixels.shape[:2] == (height, width):
        return cast("NDArray[np.uint16]", pixels)
    return cast("NDArray[np.uint16]", _resized(pixels, width, height))


def _reformatted(frame: VideoFrame, form: str) -> Any:
    matrix = _SCALER.get(frame.colorspace, _SCALER_601)
    return frame.reformat(
        format=form,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=_FULL if is_full(frame) else 1,
        dst_color_range=_FULL,
        interpolation=_FLAGS,
        threads=1,
    ).to_ndarray()


def has_alpha(frame: VideoFrame) -> bool:
    """Tell whether the frame has transparency. That of palettes is not trusted: many leave it 0."""
    return frame.format.name.startswith(_ALPHA)


def is_full(frame: VideoFrame) -> bool:
    """Tell whether the frame uses the full range of its samples."""
    return frame.color_range == _FULL or frame.format.name.startswith(("yuvj", "rgb", "gbr"))


def _eight_bit(frame: VideoFrame) -> VideoFrame:
    target = _DEEP.get(frame.format.name)
    if target is None:
        return frame
    level, matrix = 2 if is_full(frame) else 1, _SCALER.get(frame.colorspace, _SCALER_601)
    flat = frame.reformat(
        format=target,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=level,
        dst_color_range=level,
        interpolation=_FLAGS,
        threads=1,
    )
    flat.colorspace, flat.color_range = frame.colorspace, level
    return flat


def _planes(frame: VideoFrame) -> Planes:
    """Return views of the three planes, without the padding at the end of their rows."""
    found = []
    for plane in frame.planes[:3]:
        rows = np.frombuffer(cast("Any", plane), np.uint8).reshape(-1, plane.line_size)
        found.append(rows[: plane.height, : plane.width])
    return found[0], found[1], found[2]


def _fitted(planes: Planes, width: int, height: int) -> Planes:
    y, u, v = planes
    if y.shape == (height, width):
        return planes
    across, down = round(y.shape[1] / u.shape[1]), round(y.shape[0] / u.shape[0])
    small = -(-width // across), -(-height // down)
    return _resized(y, width, height), _resized(u, *small), _resized(v, *small)


def _resized(plane: Pixels, width: int, height: int, how: int = cv2.INTER_AREA) -> Pixels:
    return cast("Pixels", cv2.resize(plane, (width, height), interpolation=how))


def _sum(first: Pixels, alpha: float, second: Pixels, beta: float, gamma: float) -> Pixels:
    """Return alpha·first + beta·second + gamma, rounded and kept within 0…255."""
    return cast("Pixels", cv2.addWeighted(first, alpha, second, beta, gamma))
