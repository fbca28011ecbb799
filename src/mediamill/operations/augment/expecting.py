"""How many pictures augment makes of one, before anything is drawn."""

from typing import TYPE_CHECKING

from mediamill.operations.augment.methods.geometric import places
from mediamill.operations.base import Sure

if TYPE_CHECKING:
    from mediamill.operations.augment.operation import Augment

Size = tuple[int, int]


def copied(told: "Augment", size: Size) -> tuple[int, Size, Sure] | None:
    """Return how many pictures a copy is in the end, at most or exactly, and how large at most.

    None for tiles of a picture whose size is not known.
    """
    count, certain = 1, True
    for method in told.methods:
        chance = told.chance(method)
        if method not in ("random-crop", "tile") or not chance:
            continue
        if method == "tile" and not all(size):
            return None
        side = told.tile if method == "tile" else told.random_crop
        cut = min(side, size[0]), min(side, size[1])
        if method == "tile":
            count *= len(places(size[0], cut[0])) * len(places(size[1], cut[1]))
        certain, size = certain and chance == 1, cut if chance == 1 else size
    return count, size, Sure.EXACT if certain or count == 1 else Sure.AT_MOST
