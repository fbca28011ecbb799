"""Masks as run lengths, in both spellings of COCO, and as bitmaps.

Runs go down the columns, from the left; the first is of pixels outside and may be 0. The compressed
spelling writes each run, from the fourth on less the run two before, in groups of five bits, lowest
first: bit 6 says that more follow, 48 is added (pycocotools' `maskApi.c`, `rleToString`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mediamill.annotations.model import Rle
from mediamill.core.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_PIXELS = 50_000_000
"""As many as a picture may have."""
MAX_GROUPS = 12
"""Groups of five bits of one number: 60 bits."""


def counts_of(mask: Rle) -> tuple[int, ...]:
    """Return the runs of a mask; raises `InvalidInput` unless they fill its pixels exactly."""
    counts = decompressed(mask.counts) if isinstance(mask.counts, str) else mask.counts
    if not 0 < mask.height * mask.width <= MAX_PIXELS or mask.height < 0:
        raise InvalidInput(f"A mask of {mask.width} × {mask.height} pixels cannot be read.")
    if min(counts, default=0) < 0 or sum(counts) != mask.height * mask.width:
        raise InvalidInput(
            f"The runs of a mask do not add up to its {mask.width} × {mask.height} pixels."
        )
    return counts


def decompressed(text: str) -> tuple[int, ...]:
    """Return the runs that COCO's compressed spelling holds; raises `InvalidInput`."""
    counts: list[int] = []
    value = groups = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or groups == MAX_GROUPS:
            raise InvalidInput("The compressed runs of a mask hold what cannot be read.")
        value |= (bits & 31) << 5 * groups
        groups += 1
        if not bits & 32:
            if bits & 16:
                value -= 1 << 5 * groups
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = groups = 0
    if groups:
        raise InvalidInput("The compressed runs of a mask end in the middle of a number.")
    return tuple(counts)


def compressed(counts: Sequence[int]) -> str:
    """Write runs in COCO's compressed spelling."""
    letters: list[str] = []
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            letters.append(chr(bits + (32 if more else 0) + 48))
    return "".join(letters)


def area_of(mask: Rle) -> int:
    """Return how many pixels a mask holds; raises `InvalidInput`."""
    return sum(counts_of(mask)[1::2])


def box_of(mask: Rle) -> tuple[float, float, float, float] | None:
    """Return the smallest box around a mask, None of an empty one; raises `InvalidInput`."""
    left, top, right, bottom = mask.width, mask.height, -1, -1
    at = 0
    for place, count in enumerate(counts_of(mask)):
        if place % 2 and count:
            first, last = at, at + count - 1
            left, right = min(left, first // mask.height), max(right, last // mask.height)
            whole = first // mask.height != last // mask.height
            top = 0 if whole else min(top, first % mask.height)
            bottom = mask.height - 1 if whole else max(bottom, last % mask.height)
        at += count
    if right < 0:
        return None
    return float(left), float(top), float(right - left + 1), float(bottom - top + 1)


def bitmap_of(mask: Rle) -> "NDArray[np.uint8]":
    """Return a mask as H×W of 0 and 1; raises `InvalidInput`."""
    import numpy as np

    counts = counts_of(mask)
    runs = np.repeat(np.arange(len(counts), dtype=np.uint8) & 1, counts)
    return np.ascontiguousarray(runs.reshape(mask.width, mask.height).T)


def mask_of(bitmap: "NDArray[np.uint8]", *, compress: bool = True) -> Rle:
    """Return a bitmap (H×W; everything but 0 is inside) as runs."""
    import numpy as np

    height, width = bitmap.shape
    flat = np.concatenate([[0], (bitmap.T != 0).ravel().astype(np.int8)])
    turns = np.flatnonzero(np.diff(flat))
    counts = tuple(int(count) for count in np.diff(turns, prepend=0, append=height * width))
    return Rle(height, width, compressed(counts) if compress else counts)
