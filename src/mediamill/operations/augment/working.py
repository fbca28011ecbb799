"""What a method is given: the canvas, the parameters, its own draws, and other pictures."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediamill.operations.augment.parameters import AugmentParameters
from mediamill.operations.draws import Draws

if TYPE_CHECKING:
    from mediamill.media.image.canvas import Canvas
    from mediamill.media.image.picture import Picture


@dataclass(frozen=True)
class Work:
    """One method at its place in the list; its draws are named after it."""

    canvas: "Canvas"
    told: AugmentParameters
    draws: Draws
    name: str
    others: "Sequence[Callable[[], Picture]]" = ()

    def between(self, ends: tuple[float, float], part: str = "") -> float:
        """Draw a number between two ends."""
        return self.draws.uniform(self._named(part), *ends)

    def whole(self, ends: tuple[int, int], part: str = "", step: int = 1) -> int:
        """Draw a whole number, of those that are whole steps above the lower end."""
        return self.draws.integer(self._named(part), *ends, step)

    def key(self) -> int:
        """Draw the key of a stream of noise."""
        return self.draws.key(self._named("noise"))

    def order(self, count: int) -> list[int]:
        """Draw an order of so many things."""
        return self.draws.order(self.name, range(count))

    def _named(self, part: str) -> str:
        return f"{self.name}.{part}" if part else self.name


Apply = Callable[[Work], "Iterable[Canvas] | None"]
"""Change the canvas; or return the canvases that come in its place."""
