"""What is measured of one picture; a few kB, most of them its fingerprint."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mediamill.annotations.model import ImageAnnotations
from mediamill.media.image.alpha import strips
from mediamill.media.image.depth import Pixels, eight
from mediamill.media.image.duplicates.fingerprint import fingerprint
from mediamill.media.image.numbers.statistics import statistics

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

CLASSES = 100
"""Classes of one picture that are told apart; the rarer ones are left out."""
AREAS = (0.001, 0.01, 0.04, 0.16, 0.36, 1.0)
"""Upper ends of the shares of a picture by which its boxes are counted."""


def measured(picture: "Picture", *, fingerprints: bool = True) -> dict[str, Any]:
    """Return what `Table` takes up of a picture."""
    found = statistics(picture.array())
    known = fingerprint(_shown(picture.array(), eight(found.luma)))
    numbers = {
        "mean": _rounded(found.mean),
        "snr": _rounded(found.snr),
        "luminance": round(found.luminance, 4),
        "sharpness": round(found.sharpness, 4),
        "contrast_michelson": round(found.contrast_michelson, 6),
        "contrast_rms": round(found.contrast_rms, 6),
        "visible": round(found.visible, 6),
        "depth": found.depth,
        "hash": f"{known.hash:016x}",
    }
    if fingerprints:
        numbers["fingerprint"] = known.encode()
    if picture.annotations is not None:
        numbers["annotations"] = drawn(picture.annotations)
    return numbers


def _shown(pixels: Pixels, luma: Pixels) -> Any:
    """Return the luma on white, so that what nobody sees is in no fingerprint."""
    if pixels.shape[2] == 3:
        return luma
    made = np.empty(luma.shape, np.uint8)
    for rows in strips(len(luma)):
        alpha = eight(pixels[rows, :, 3]).astype(np.uint16)
        made[rows] = (luma[rows] * alpha + 255 * (255 - alpha) + 127) // 255
    return made


def _rounded(values: tuple[float | None, ...]) -> list[float | None]:
    return [None if value is None else round(value, 4) for value in values]


def drawn(annotations: ImageAnnotations) -> dict[str, Any]:
    """Return how many objects there are of each class, how large, and how many do not fit."""
    classes: dict[str, int] = {}
    areas = [0] * len(AREAS)
    misplaced = 0
    width, height = max(1, annotations.width), max(1, annotations.height)
    for one in annotations.annotations:
        classes[one.category] = classes.get(one.category, 0) + 1
        if one.box is None:
            continue
        x, y, wide, high = one.box
        share = max(0.0, wide) * max(0.0, high) / (width * height)
        areas[next((n for n, end in enumerate(AREAS) if share < end), len(AREAS) - 1)] += 1
        inside = x >= -0.5 and y >= -0.5 and x + wide <= width + 0.5 and y + high <= height + 0.5
        misplaced += not (inside and wide > 0 and high > 0)
    often = sorted(classes.items(), key=lambda pair: (-pair[1], pair[0]))[:CLASSES]
    return {
        "objects": len(annotations.annotations),
        "classes": dict(often),
        "labels": list(annotations.labels)[:CLASSES],
        "areas": areas,
        "misplaced": misplaced,
    }
