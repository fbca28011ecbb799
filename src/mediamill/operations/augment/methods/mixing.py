"""Methods that put several pictures of a set together.

Where a set has no others, a picture is mixed with itself.
"""

from collections.abc import Iterator
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

    other, share = next(_others(work, 1)), work.between(work.told.mixup)
    mixup(work.canvas, other, share)


def _others(work: Work, count: int) -> "Iterator[Picture]":
    """Yield other pictures, in an order that is drawn; the own one where there are too few.

    One that cannot be decoded, for whatever reason, fails as an item of its own, not those that it
    would be mixed into.
    """
    places = iter(work.order(len(work.others)) if work.others else ())
    for _ in range(count):
        yield _next(work, places) or work.canvas.source


def _next(work: Work, places: Iterator[int]) -> "Picture | None":
    """Return the next picture that can be decoded."""
    for place in places:
        with suppress(Exception):
            return work.others[place]()
    return None


METHODS: dict[str, Apply] = {"mosaic": _mosaic, "mixup": _mixup}
