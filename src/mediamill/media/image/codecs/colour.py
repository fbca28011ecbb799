"""Bring what Pillow decodes to 8-bit sRGB, honouring the colour profile and the alpha channel."""

import io
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from mediamill.media.image.alpha import strips

_SRGB = ImageCms.createProfile("sRGB")
_WITH_ALPHA = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}
_FAILURES = (ImageCms.PyCMSError, OSError, ValueError, TypeError, KeyError)


def to_srgb(image: Image.Image, profile: bytes | None = None) -> NDArray[np.uint8]:
    """Return H×W×3 RGB or, where the image has transparency, H×W×4 RGBA.

    `profile` is an ICC profile. One that cannot be read or does not fit the pixels is ignored.
    """
    image = _eight_bit(image)
    alpha = _alpha(image)
    base = _coloured(image if alpha is None else image.convert(_opaque(image.mode)), profile)
    if alpha is not None:
        base.putalpha(alpha)
    return cast("NDArray[np.uint8]", np.array(base))


def _alpha(image: Image.Image) -> Image.Image | None:
    if image.mode not in _WITH_ALPHA and "transparency" not in image.info:
        return None
    return image.convert("RGBA").getchannel("A")


def _opaque(mode: str) -> str:
    return "L" if mode in {"L", "LA", "La", "1"} else "RGB"


def _coloured(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode not in _SPACES:
        image = image.convert("L" if image.mode == "1" else "RGB")
    converted = _by_profile(image, profile) if profile else None
    return converted or image.convert("RGB")


def is_srgb(profile: bytes) -> bool:
    """Tell whether an ICC profile calls itself sRGB's, so that pixels are taken as they are."""
    try:
        inner: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
        return "sRGB" in (inner.profile_description or "")
    except _FAILURES:
        return False


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        inner: Any = source.profile
        if inner.xcolor_space.strip() != _SPACES[image.mode]:
            return None
        if is_srgb(profile):
            return None
        return ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except _FAILURES:
        return None


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and floating-point grey to 8 bits; other modes stay."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if image.mode == "F":
        top = 1.0 if values.max(initial=0) <= 1 else 255.0
    else:
        top = 65535.0 if image.mode != "I" or values.max(initial=0) > 255 else 255.0
    made = np.empty(values.shape, np.uint8)
    for rows in strips(len(values)):
        scaled = np.nan_to_num(values[rows].astype(np.float64), posinf=top) * (255 / top)
        made[rows] = np.clip(np.rint(scaled), 0, 255)
    return Image.fromarray(made)
