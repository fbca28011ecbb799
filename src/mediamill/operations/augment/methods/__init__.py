"""All methods by their names; a module for each group."""

from mediamill.operations.augment.methods import (
    blur,
    colour,
    compression,
    geometric,
    mixing,
    occlusion,
)
from mediamill.operations.augment.working import Apply

METHODS: dict[str, Apply] = {
    **geometric.METHODS,
    **colour.METHODS,
    **blur.METHODS,
    **compression.METHODS,
    **occlusion.METHODS,
    **mixing.METHODS,
}
