"""Operations that make chains and stages, and a worker that knows them, to be killed."""

import asyncio
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

from mediamill.core.errors import BrokenMedia
from mediamill.media.image.picture import Picture
from mediamill.operations.base import (
    Context,
    MediaOperation,
    Operation,
    Outcome,
    Placement,
    Source,
)
from mediamill.operations.catalogue import Catalogue
from mediamill.operations.image import ImageOperation


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


class Tell(MediaOperation):
    """Say what an image is, as a model would; `broken` fails inputs by a part of their name."""

    accepts: ClassVar[tuple[str, ...]] = ("image/*",)
    placement: ClassVar[Placement] = Placement.MODEL
    broken: str = ""

    def run(self, source: Source, context: Context) -> Outcome:
        if self.broken and self.broken in source.name:
            raise BrokenMedia(f"{source.name} says nothing.")
        known = {"name": source.name, "type": source.media_type, "sha256": source.sha256}
        return Outcome(data={**known, "size": [source.width, source.height]})


class Drawn(MediaOperation):
    """Say the seed."""

    draws: ClassVar[bool] = True

    def run(self, source: Source, context: Context) -> Outcome:
        return Outcome(data={"seed": context.seed})


MORE: dict[str, type[Operation]] = {
    "flip": Flip, "bare": Bare, "twice": Twice, "shout": Shout, "copied": Copied, "tell": Tell,
    "drawn": Drawn,
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
