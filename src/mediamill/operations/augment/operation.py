"""What augment does to a picture: its methods one after the other, for each copy anew."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mediamill.operations.augment.expecting import copied
from mediamill.operations.augment.methods import METHODS
from mediamill.operations.augment.parameters import AugmentParameters
from mediamill.operations.augment.ranges import Method
from mediamill.operations.augment.showing import ONE_COPY, ranges_of, shrunk
from mediamill.operations.augment.working import Work
from mediamill.operations.base import Context, Expected, SourceFacts
from mediamill.operations.draws import Draws
from mediamill.operations.formatted import Formatted
from mediamill.operations.image import Variant, told_apart

if TYPE_CHECKING:
    from mediamill.media.image.canvas import Canvas
    from mediamill.media.image.picture import Picture

_FLIPS = frozenset({"horizontal-flip", "vertical-flip"})
_PARTNERS = {"mosaic": 3, "mixup": 1}
_PER_SECOND = 3e7
"""Pixels that one core decodes, changes by some methods and encodes in a second, roughly."""


class Augment(Formatted, AugmentParameters):
    """Make changed copies of images, their annotations with them: turned, recoloured, blurred."""

    version: ClassVar[int] = 2
    draws: ClassVar[bool] = True
    deep: ClassVar[bool] = True
    suffix: ClassVar[str] = "-augmented"

    @property
    def partners(self) -> int:
        """How many other images of the set the methods mix in."""
        return max(_PARTNERS.get(method, 0) for method in self.methods)

    def cost(self, source: SourceFacts) -> float:
        """Estimate seconds of one core: every copy is warped, coloured and encoded."""
        pixels = (source.width or 1920) * (source.height or 1080)
        return 0.01 + (self.copies + self.keep_original) * pixels / _PER_SECOND

    def chance(self, method: Method) -> float:
        """Return how often a method is used, 0…1."""
        return self.probability.get(method, 0.5 if method in _FLIPS else 1.0)

    def changes(self, split: str) -> bool:
        """Tell whether images of a split are changed; others pass as they are."""
        return (split or "train") in self.splits

    def expect(self, source: SourceFacts) -> Expected | None:
        """Tell how many copies and tiles there will be; at most, where tiles are drawn for."""
        size = source.width, source.height
        if not self.changes(source.split):
            return Expected(1, self.sized(source, *size))
        if (found := copied(self, size)) is None:
            return None
        count, cut, sure = found
        largest = size if self.keep_original else cut
        facts = self.sized(source, *largest)
        return Expected(self.copies * count + self.keep_original, facts, sure)

    def shrunk(self, factor: float) -> Self:
        """Return the parameters for a picture of another size: what they count in pixels."""
        return self.model_copy(update=shrunk(self, factor))

    def whole(self) -> Variant:
        """Return one copy, changed whatever split the image is in."""
        return Variant(self.model_copy(update=ONE_COPY), "", "after")

    def variants(self) -> Iterator[Variant]:
        """Yield each method alone, with each of its ranges at the low end, the middle and the high.

        What else it draws is held at its middle; of a range whose ends are one there is no more to
        be seen than that, and of a method without ranges one picture.
        """
        for method in dict.fromkeys(self.methods):
            ranges = ranges_of(self, method)
            fixed: dict[str, Any] = {"methods": (method,), "probability": {method: 1.0}}
            middles = {name: (ends[1], ends[1]) for name, ends in ranges.items()}
            alone = self.model_copy(update={**ONE_COPY, **fixed, **middles})
            drawn = {name: places for name, places in ranges.items() if places[0] < places[-1]}
            if not drawn:
                yield Variant(alone, method, "after")
            for name, places in drawn.items():
                for value, place in told_apart(places).items():
                    step = alone.model_copy(update={name: (value, value)})
                    yield Variant(step, name, place, value)

    def apply_all(self, image: "Picture", context: Context) -> "Iterator[Picture]":
        """Yield the copies, each with what was drawn for it in `info`."""
        changed = self.changes(image.split)
        if self.keep_original or not changed:
            yield image.kept({**image.info, "copy": 0})
        if not changed:
            return
        for copy in range(1, self.copies + 1):
            draws = Draws(context.seed, image.digest, copy)
            for canvas in self._changed(image, draws, context):
                yield canvas.picture({**image.info, "copy": copy, "drawn": dict(draws.drawn)})

    def _changed(self, image: "Picture", draws: Draws, context: Context) -> "list[Canvas]":
        canvases = [self._canvas(image)]
        for name, method in self._named():
            chance = self.chance(method)
            if chance < 1 and not draws.chance(f"{name}.used", chance):
                continue
            canvases = [
                made
                for n, canvas in enumerate(canvases)
                for made in self._applied(canvas, method, name, n, draws, context)
            ]
        return canvases

    def _applied(
        self, canvas: "Canvas", method: str, name: str, n: int, draws: Draws, context: Context
    ) -> "list[Canvas]":
        part = f"{name}/{n + 1}" if n else name
        made = METHODS[method](Work(canvas, self, draws, part, context.partners))
        return [canvas] if made is None else [*made]

    def _named(self) -> Iterator[tuple[str, Method]]:
        """Yield methods with names for their draws: the second of a kind has a 2 behind it."""
        seen: dict[str, int] = {}
        for method in self.methods:
            seen[method] = seen.get(method, 0) + 1
            yield (f"{method}-{seen[method]}" if seen[method] > 1 else method), method

    def _canvas(self, image: "Picture") -> "Canvas":
        from mediamill.media.image.canvas import Canvas
        from mediamill.media.image.geometry.warp import Edge

        red, green, blue = bytes.fromhex(self.fill[1:])
        edge = Edge(self.border, (red, green, blue))
        return Canvas(image, edge, self.interpolation, self.min_visibility)
