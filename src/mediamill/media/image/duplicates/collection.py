"""The fingerprints of a set as few large arrays, which lie in files that go with them."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mediamill.media.image.duplicates.fingerprint import SMALL, Fingerprint

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Collection:
    """n fingerprints: `small` n × 32 × 32, `sizes` n × 2, point k of image i at `starts[i] + k`."""

    sizes: NDArray[np.float32]
    contrast: NDArray[np.float32]
    small: NDArray[np.uint8]
    starts: NDArray[np.int64]
    points: NDArray[np.uint8]
    words: Words

    def __len__(self) -> int:
        return len(self.sizes)

    def of(self, image: int) -> slice:
        """Return where the points of an image are."""
        return slice(int(self.starts[image]), int(self.starts[image + 1]))


def collect(fingerprints: Iterable[Fingerprint], folder: Path | None = None) -> Collection:
    """Gather fingerprints in unnamed files in a folder: memory holds what is used of them."""
    heads: list[tuple[int, int, float]] = []
    starts = [0]
    with (
        tempfile.TemporaryFile(dir=folder) as small,
        tempfile.TemporaryFile(dir=folder) as points,
        tempfile.TemporaryFile(dir=folder) as words,
    ):
        for one in fingerprints:
            heads.append((one.width, one.height, one.contrast))
            starts.append(starts[-1] + len(one.points))
            small.write(one.small.tobytes())
            points.write(one.points.tobytes())
            words.write(one.words.tobytes())
        table = np.array(heads, np.float32).reshape(-1, 3)
        return Collection(
            sizes=table[:, :2],
            contrast=table[:, 2],
            small=_mapped(small, np.uint8, (len(heads), SMALL, SMALL)),
            starts=np.array(starts, np.int64),
            points=_mapped(points, np.uint8, (starts[-1], 4)),
            words=_mapped(words, np.uint64, (starts[-1],)),
        )


def _mapped(file: Any, kind: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    file.flush()
    if 0 in shape:
        return np.zeros(shape, kind)
    return np.memmap(file, kind, "r", shape=shape)
