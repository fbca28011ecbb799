"""Methods that put several pictures of a set together.

Where a set has no others, a picture is mixed with itself.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from mediamill.operations.augment.working import Apply, Work

if TYPE_CHECKING:
    from mediamill.media.image.picture import Picture

MOSAIC = 3
"""How many others a mosaic takes."""


def _mosaic(work: Work) -> None:
    from mediamill.media.image.effects.mixing import mosaic

    meeting = work.between(work.told.mosaic, "x"), work.between(work.told.mosaic, "y")
    mosaic(work.canvas, _others(work, MOSAIC), meeting)


def _mixup(work: Work) -> None:
    from mediamill.media.image.effects.mixing import mixup

    mixup(work.canvas, _others(work, 1)[0], work.between(work.told.mixup))


def _others(work: Work, count: int) -> "list[Picture]":
    """Return other pictures, in an order that is drawn; the own one where there are too few.

    One that cannot be decoded, for whatever reason, fails as an item of its own, not those that it
    would be mixed into.
    """
    found: list[Picture] = []
    for place in work.order(len(work.others)) if work.others else ():
        if len(found) < count:
            with suppress(Exception):
                found.append(work.others[place]())
    return [*found, *[work.canvas.source] * (count - len(found))]


METHODS: dict[str, Apply] = {"mosaic": _mosaic, "mixup": _mixup}
