"""Turn JPEG upright for those who read pixels as they lie, and annotations beside them."""

import io
from typing import Any

from PIL import Image, JpegImagePlugin

from mediamill.media.image.codecs.header import check_pixels, opened, orientation_of
from mediamill.media.image.orient import UPRIGHT, Orientation

ORIENTATION = 0x0112
BLOCK = 16
"""Pixels of a side of the blocks that are coded together, with 4:2:0 chroma."""
QUALITY = 95
MOST_EXIF = 65_000
"""Bytes: EXIF is one segment."""
EVEN = (0, 2)
"""Pillow's numbers of subsamplings that are the same on their side; others become 4:4:4."""


def upright(data: bytes, name: str) -> bytes | None:
    """Return a JPEG with its pixels as its orientation says, and without that; None if they are.

    Colours, ICC profile and the rest of EXIF stay. Where its blocks are whole and can be turned it
    is encoded with its own quantisation, turned too, so that coefficients come out as they went in
    but for rounding; else with quality 95. Raises `BrokenMedia`, `LimitExceeded`.
    """
    with opened(io.BytesIO(data), "image/jpeg", name) as image:
        check_pixels(image.size, 1, name)
        way = orientation_of(image)
        if way == UPRIGHT:
            return None
        options: dict[str, Any] = {"exif": _exif(image)}
        if profile := image.info.get("icc_profile"):
            options["icc_profile"] = profile
        if isinstance(image, JpegImagePlugin.JpegImageFile):  # MPO is one too
            options |= _coding(image, way)
        turned = _turned(image, way)
        turned.info.pop("xmp", None)  # it may say the orientation again
        file = io.BytesIO()
        turned.save(file, "JPEG", **options)
    return file.getvalue()


def _turned(image: Image.Image, way: Orientation) -> Image.Image:
    made = image.transpose(Image.Transpose.TRANSPOSE) if way.transpose else image
    if way.mirror:
        made = made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return made.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if way.flip else made


def _coding(image: JpegImagePlugin.JpegImageFile, way: Orientation) -> dict[str, Any]:
    """Return how an image is written so that it loses least."""
    options: dict[str, Any] = {}
    whole = not any(side % BLOCK for side in image.size)
    if image.mode == "RGB":
        sampling = JpegImagePlugin.get_sampling(image)
        whole = whole and sampling in EVEN
        options["subsampling"] = sampling if sampling in EVEN else 0
    if not whole:
        return {**options, "quality": QUALITY}
    tables = [list(image.quantization[number]) for number in sorted(image.quantization)]
    if way.transpose:
        tables = [[table[n % 8 * 8 + n // 8] for n in range(64)] for table in tables]
    return {**options, "qtables": tables}


def _exif(image: Image.Image) -> bytes:
    """Return EXIF without the orientation, nothing of what cannot be written again."""
    try:
        found = image.getexif()
        found.pop(ORIENTATION, None)
        data = found.tobytes()
    except Exception:  # hostile EXIF raises anything
        return b""
    return data if len(data) <= MOST_EXIF else b""
