"""Operations that make chains and stages, and a worker that knows them, to be killed."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

from mediamill.core.errors import BrokenMedia
from mediamill.media.image.picture import Picture
from mediamill.operations.asking import Ask, ModelOperation, Prepared
from mediamill.operations.base import (
    Context,
    MediaOperation,
    Operation,
    Outcome,
    Source,
)
from mediamill.operations.catalogue import Catalogue
from mediamill.operations.image import ImageOperation
from tests.support.asks import Say

TELLS = "echo:tells"
"""Who is asked by `tell`: nobody, but there must be somebody."""


class Flip(ImageOperation):
    """Mirror an image."""

    axis: Literal["horizontal", "vertical"] = "horizontal"

    def apply(self, image: Picture, context: Context) -> Picture:
        return image.mirrored(self.axis)


class Bare(ImageOperation):
    """Give the same pixels, forgetting what was known of them."""

    def apply(self, image: Picture, context: Context) -> Picture:
        return Picture(image.array())


class Twice(ImageOperation):
    """Give an image and its mirror."""

    def apply_all(self, image: Picture, context: Context):
        yield image
        yield image.mirrored("horizontal")


class Shout(MediaOperation):
    """Write a text in capitals, by files: it knows nothing of other operations."""

    accepts: ClassVar[tuple[str, ...]] = ("text/*",)
    gives: ClassVar[str] = "text/plain"
    mark: str = "!"

    def run(self, source: Source, context: Context) -> Outcome:
        left = len([*context.scratch.glob("output-*")])
        context.progress(0.5)
        with context.output(f"loud-{source.name}", "text/plain") as writer:
            writer.write(source.read().upper() + self.mark.encode())
        return Outcome((writer.output,), report={"mark": self.mark, "files": left})


class Copied(MediaOperation):
    """Write an image as it is, by files."""

    accepts: ClassVar[tuple[str, ...]] = ("image/*",)
    gives: ClassVar[str] = "image/*"

    def run(self, source: Source, context: Context) -> Outcome:
        with context.output(source.name, source.media_type) as writer:
            writer.write(source.read())
        return Outcome((writer.output,))


class Tell(ModelOperation):
    """Say what an image is, as a model would; `broken` fails inputs by a part of their name."""

    accepts: ClassVar[tuple[str, ...]] = ("image/*",)
    chain: ClassVar[str] = "prompt"
    broken: str = ""

    def prepare(self, source: Source, context: Context) -> Outcome:
        if self.broken and self.broken in source.name:
            raise BrokenMedia(f"{source.name} says nothing.")
        known = {"name": source.name, "type": source.media_type, "sha256": source.sha256}
        return Outcome(data={**known, "size": [source.width, source.height]})

    async def answer(self, prepared: Prepared, ask: Ask, context: Context) -> Outcome:
        return Outcome(data=prepared.data)


class Drawn(MediaOperation):
    """Say the seed."""

    draws: ClassVar[bool] = True

    def run(self, source: Source, context: Context) -> Outcome:
        return Outcome(data={"seed": context.seed})


class Level(ImageOperation):
    """Add to each picture what brings its brightness to the mean of the set's."""

    gain: float = 1.0
    broken: str = ""

    @property
    def surveys(self) -> bool:
        return True

    def measure_picture(self, picture: Picture, context: Context) -> dict[str, Any]:
        return {"mean": float(picture.array().mean())}

    def reduce(self, measures, context: Context) -> Outcome:
        """Fail where `broken` says so: once the file of that name is there, no more."""
        if self.broken and not Path(self.broken).exists():
            raise BrokenMedia("The set does not add up.")
        means = [image["mean"] for one in measures for image in one.images]
        if not means:
            raise BrokenMedia("There is nothing to measure.")
        return Outcome(data={"mean": sum(means) / len(means), "images": len(means)})

    def apply(self, image: Picture, context: Context) -> Picture:
        own = float(image.array().mean())
        shift = round(self.gain * (context.agreed["mean"] - own))
        pixels = (image.array().astype(int) + shift).clip(0, 255).astype("uint8")
        return Picture(pixels, {**image.info, "measured": own, "mean": context.agreed["mean"]})


class Census(ImageOperation):
    """Report what is in a set."""

    gives: ClassVar[str] = ""

    @property
    def surveys(self) -> bool:
        return True

    def measure_picture(self, picture: Picture, context: Context) -> dict[str, Any]:
        return {"pixels": picture.width * picture.height}

    def reduce(self, measures, context: Context) -> Outcome:
        good = bad = pictures = 0
        with context.output("census.txt", "text/plain") as writer:
            for one in measures:
                good, bad = good + (one.error is None), bad + (one.error is not None)
                pictures += len(one.images)
                said = one.error["code"] if one.error else "good"
                writer.write(f"{one.name} {one.split} {said} {len(one.images)}\n".encode())
        return Outcome((writer.output,), data={"good": good, "bad": bad, "pictures": pictures})


class Mix(ImageOperation):
    """Average a picture with its partners, which are scaled to its size."""

    draws: ClassVar[bool] = True
    count: int = 1
    deadly: int = -1
    """The value of a pixel of partners that end the process."""

    @property
    def partners(self) -> int:
        return self.count

    def apply(self, image: Picture, context: Context) -> Picture:
        import numpy as np

        size = image.array().shape
        all_ = [image.array(), *(one().array() for one in context.partners)]
        if any(each[1, 0, 0] == self.deadly for each in all_[1:]):
            os.abort()
        same = [each for each in all_ if each.shape == size]
        return Picture(np.mean(same, axis=0).astype("uint8"), {"mixed": len(same)})


MORE: dict[str, type[Operation]] = {
    "flip": Flip, "bare": Bare, "twice": Twice, "shout": Shout, "copied": Copied, "tell": Tell,
    "drawn": Drawn, "level": Level, "census": Census, "mix": Mix, "say": Say,
}  # fmt: skip


class Chained(Catalogue):
    """The service's operations and those above."""

    builder = "tests.support.chains:build"

    def get(self, name: str) -> type[Operation]:
        return MORE.get(name) or super().get(name)

    def names(self) -> tuple[str, ...]:
        return (*super().names(), *MORE)


CHAINED = Chained()


def build(name: str, parameters: dict[str, Any]) -> Operation:
    """Make one of these operations."""
    return CHAINED.build(name, parameters)


async def work(home: Path) -> None:
    """Run a worker until the process is killed."""
    from mediamill.app import App  # here, since slots import these operations too
    from mediamill.core.settings import Settings

    settings = Settings(home=home, slots=1, lease_seconds=1, poll_seconds=0.1)
    async with await App.open(settings, CHAINED) as app:
        await (await app.worker()).run()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1])))
