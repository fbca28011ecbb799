"""Describe an image in about 3 kB by which its re-encodes, crops, flips and resizes are known.

A fingerprint holds a perceptual hash, a small grey picture, and up to 160 points with a word of 64
bits each: signs of the low cosine frequencies of the patch around the point, turned to the point's
own direction (corners and directions as in ORB, Rublee et al., 2011). Where a picture is mirrored,
so are its patches, which changes the signs of known frequencies only: `patches.MIRROR`.
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.duplicates.patches import Grey, points_of, words_of

SIDE = 256
"""Pixels of the longer side of what points are looked for in."""
SMALL = 32
"""Pixels of each side of the small picture, whatever the proportions."""
_HEAD = 16
_VERSION = 1


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What an image is known by.

    `hash`: 64 bits. `small`: 32 × 32 grey, its standard deviation made 48; that was `contrast`.
    `points`: n × 4 bytes: x, y in 256ths of width and height, angle in 256ths of a turn, level of
    scale. `words`: n × 64 bits.
    """

    width: int
    height: int
    hash: int
    contrast: float
    small: Grey
    points: Grey
    words: NDArray[np.uint64]

    def encode(self) -> str:
        """Return it as text, for JSON: about 4 kB (base 64)."""
        size = np.array([self.width, self.height], "<u2").tobytes()
        contrast = min(65535, round(self.contrast * 256)).to_bytes(2, "little")
        head = (
            bytes([_VERSION, len(self.points)]) + contrast + size + self.hash.to_bytes(8, "little")
        )
        body = self.small.tobytes() + self.points.tobytes() + self.words.astype("<u8").tobytes()
        return b64encode(head + body).decode()


def decode(text: str) -> Fingerprint:
    """Return the fingerprint of a text; raises `ValueError` for what `encode` did not make."""
    data = b64decode(text, validate=True)
    count, small = (data[1] if len(data) > _HEAD else 0), _HEAD + SMALL * SMALL
    if len(data) != small + 12 * count or data[0] != _VERSION:
        raise ValueError("not a fingerprint of this version")
    size = np.frombuffer(data, "<u2", 2, 4)
    return Fingerprint(
        width=int(size[0]),
        height=int(size[1]),
        hash=int.from_bytes(data[8:_HEAD], "little"),
        contrast=int.from_bytes(data[2:4], "little") / 256,
        small=np.frombuffer(data, np.uint8, SMALL * SMALL, _HEAD).reshape(SMALL, SMALL),
        points=np.frombuffer(data, np.uint8, 4 * count, small).reshape(count, 4),
        words=np.frombuffer(data, "<u8", count, small + 4 * count).astype(np.uint64),
    )


def fingerprint(grey: Grey) -> Fingerprint:
    """Return the fingerprint of an H×W grey picture of 8 bits."""
    height, width = grey.shape
    picture = _scaled(grey)
    size = picture.shape[1], picture.shape[0]
    small, contrast = _small(picture)
    found = points_of(picture)
    words = words_of(picture, found) if len(found) else np.zeros(0, np.uint64)
    at = (found[:, :2] + 0.5) / size * 256
    turn = found[:, 2] * (256 / 360)
    points = np.column_stack([np.clip(at, 0, 255), np.rint(turn) % 256, found[:, 3]])
    wide, high = min(width, 65535), min(height, 65535)
    known = perceptual_hash(small)
    return Fingerprint(wide, high, known, contrast, small, points.astype(np.uint8), words)


def _scaled(grey: Grey) -> Grey:
    """Return the picture with its longer side at `SIDE`: first by a whole factor, which is fast."""
    height, width = grey.shape
    longer = max(width, height)
    size = max(1, round(width * SIDE / longer)), max(1, round(height * SIDE / longer))
    if (whole := longer // SIDE) > 1:
        near = max(1, width // whole), max(1, height // whole)
        cut = grey[: max(1, near[1] * whole), : max(1, near[0] * whole)]
        grey = cast("Grey", cv2.resize(cut, near, interpolation=cv2.INTER_AREA))
    how = cv2.INTER_AREA if longer > SIDE else cv2.INTER_LINEAR
    return cast("Grey", cv2.resize(grey, size, interpolation=how))


def _small(picture: Grey) -> tuple[Grey, float]:
    """Return the small picture with its contrast made the same for all, and what that was."""
    means = cv2.resize(picture.astype(np.float32), (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    contrast = float(means.std())
    even = (means - means.mean()) / max(contrast, 0.1) * 48 + 128
    return np.clip(np.rint(even), 0, 255).astype(np.uint8), contrast


def perceptual_hash(small: Grey) -> int:
    """Return 64 bits: which of the 8 × 8 lowest cosine frequencies exceed their median.

    The frequencies are those of a 32 × 32 picture (pHash; Zauner, 2010), the constant among them.
    """
    low = cv2.dct(small.astype(np.float32))[:8, :8]
    bits = low > np.median(low)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
