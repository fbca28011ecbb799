"""The list of a version's images as it is written: `{version}/entries`, a line each.

The first line says what the version is. The line of an image that went is `null`, so that the
others keep their places.
"""

from collections.abc import AsyncIterator

from mediamill.blobs.port import Blobs
from mediamill.datasets.document import GONE, Entry, read_entry
from mediamill.handlers.stages.seal import Lines
from mediamill.store.repositories.datasets import Datasets


def entries_of(root: str) -> str:
    """Return where the list of a version's images is."""
    return f"{root}/entries"


async def lines_of(blobs: Blobs, key: str) -> AsyncIterator[bytes]:
    """Yield the lines of a blob with their ends; raises `NotFound`."""
    rest = b""
    async for chunk in blobs.read(key):
        *lines, rest = (rest + chunk).split(b"\n")
        for each in lines:
            yield each + b"\n"


async def images_of(blobs: Blobs, root: str) -> AsyncIterator[tuple[int, Entry | None]]:
    """Yield the places of a version and what is in them, None for what went."""
    place = -1
    async for data in lines_of(blobs, entries_of(root)):
        if place >= 0:
            yield place, None if data == GONE else read_entry(data)
        place += 1


async def without_gone(blobs: Blobs, datasets: Datasets, root: str) -> None:
    """Write the list anew without those whose rows are gone; raises `NotFound`."""
    left = (file.place async for file in datasets.walk(root))
    there = await anext(left, -2)
    async with Lines(blobs, entries_of(root)) as lines:
        index = -1
        async for line in lines_of(blobs, entries_of(root)):
            await lines.add(line if index in (-1, there) else GONE, end=b"")
            if index == there:
                there = await anext(left, -2)
            index += 1
        await lines.commit()
