"""How like each other two image files are."""

import io
import math

import numpy as np

from mediamill.media.image.codecs.decode import decode
from mediamill.media.image.codecs.header import read_header
from mediamill.media.image.depth import Pixels, sixteen
from mediamill.media.sniff import HEAD, sniff


def psnr(one: bytes, other: bytes) -> float | None:
    """Return the peak signal-to-noise ratio of two images in dB, infinite for equal pixels.

    None where they differ in size or in having alpha. Raises what decoding raises.
    """
    first, second = (sixteen(_pixels(data)).astype(np.float64) for data in (one, other))
    if first.shape != second.shape:
        return None
    error = float(((first - second) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(65_535**2 / error)


def _pixels(data: bytes) -> Pixels:
    def opened() -> io.BytesIO:
        return io.BytesIO(data)

    header = read_header(opened(), sniff(data[:HEAD]), "image")
    return decode(opened, header, "image", deep=True).array()
