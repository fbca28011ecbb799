"""How two versions of a project differ, by the names of their images."""

from dataclasses import dataclass

from mediamill.blobs.port import Blobs
from mediamill.datasets.document import read_image
from mediamill.handlers.datasets.texts import lines_of
from mediamill.store.repositories.datasets import DatasetVersion

SHOWN = 100


@dataclass(frozen=True)
class Difference:
    """How a version differs from another: numbers, and the first names of each."""

    added: int
    removed: int
    changed: int
    """Other pixels under the same name."""
    moved: int
    """Of another split."""
    annotated: int
    """With other annotations."""
    names: dict[str, list[str]]


async def compared(blobs: Blobs, version: DatasetVersion, other: DatasetVersion) -> Difference:
    """Tell how a version differs from another; both are in memory for that."""
    new, old = [await _images(blobs, each) for each in (version, other)]
    both = sorted(new.keys() & old.keys())
    found = {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": [name for name in both if new[name][0] != old[name][0]],
        "moved": [name for name in both if new[name][1] != old[name][1]],
        "annotated": [name for name in both if new[name][2] != old[name][2]],
    }
    names = {kind: names[:SHOWN] for kind, names in found.items()}
    return Difference(**{kind: len(names) for kind, names in found.items()}, names=names)


async def _images(blobs: Blobs, version: DatasetVersion) -> dict[str, tuple[str, str, int]]:
    lines, found = lines_of(blobs, f"{version.root}/document"), {}
    await anext(lines)
    async for line in lines:
        image = read_image(line)
        found[image.path] = image.sha256, image.split, hash(bytes(image.annotations))
    return found
