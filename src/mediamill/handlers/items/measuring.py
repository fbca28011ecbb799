"""What units take of a scratch folder, for who has little of it (`engine/bounds.py`).

Where inputs are no files at hand, as in a bucket, one at a time is copied to scratch.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mediamill.blobs.port import Blobs, OpensLocally
from mediamill.engine.bounds import Measures, Need
from mediamill.engine.inputs import home_of
from mediamill.handlers.datasets.portions import MOST_BYTES
from mediamill.handlers.files.thumbnails import TOGETHER_BYTES
from mediamill.parts import Parts
from mediamill.store.repositories.files import File, Files
from mediamill.store.repositories.jobs import Entry, Jobs, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import UploadRows


def measures(parts: Parts) -> Mapping[str, Measures]:
    """Make what knows the needs of the kinds of units that open files."""
    nouns, of_file = parts.nouns, FileNeed(parts.nouns.files, parts.blobs)
    items = ItemsNeed(
        nouns.jobs,
        nouns.manifests,
        nouns.lookup,
        parts.blobs,
        parts.results,
        parts.settings.segment_seconds,
    )
    return {
        "items": items,
        "segment": items,
        "check": of_file,
        "thumbnail": of_file,
        "thumbnails": TogetherNeed(parts.blobs),
        "finish_upload": UploadNeed(nouns.uploads, parts.blobs),
    }


@dataclass(frozen=True)
class ItemsNeed:
    """Of units of jobs; what lasts longer than `after_seconds` may be done in parts."""

    jobs: Jobs
    manifests: Manifests
    lookup: FileLookup
    blobs: Blobs
    results: Blobs
    after_seconds: float

    async def need(self, unit: Unit) -> Need:
        """Return the unit's estimate, or that of its parts, and the size of its largest input."""
        items = [unit.payload["item"]] if unit.kind == "segment" else unit.pending()
        job = await self.jobs.need(unit.payload["job"])
        found = await self.manifests.at(job.id, int(unit.payload["stage"]), items)
        ids = [found[item].file for item in items]
        files = await self.lookup.get_many(ids, at=job.created)
        inputs = [
            (found[item], file) for item, file in zip(items, files, strict=True) if file is not None
        ]
        seconds = unit.cost
        if len(items) == len(inputs) == 1 and unit.kind == "items":
            seconds = self._of_a_part(unit.cost, *inputs[0])
        sets = [entry.place.size for entry in found.values() if entry.blob and entry.place]
        size = max((self._copied(*one) for one in inputs), default=0)
        return Need(seconds, max(size, *(copied(self.results, each) for each in sets), 0))

    def _copied(self, entry: Entry, file: File) -> int:
        size = entry.place.size if entry.place is not None else file.size
        return copied(home_of(file, self.blobs, self.results), size)

    def _of_a_part(self, seconds: float, entry: Entry, file: File) -> float:
        """Return what the longest unit takes that comes of an input."""
        if entry.path or not self.after_seconds or file.duration <= self.after_seconds:
            return seconds
        return seconds * self.after_seconds / 2 / file.duration


@dataclass(frozen=True)
class FileNeed:
    """Of units that open one file."""

    files: Files
    blobs: Blobs

    async def need(self, unit: Unit) -> Need:
        file = await self.files.get(unit.payload["file"])
        return Need(unit.cost, copied(self.blobs, file.size) if file else 0)


@dataclass(frozen=True)
class TogetherNeed:
    """Of units that open some files of an import at a time, which are not all there yet."""

    blobs: Blobs

    async def need(self, unit: Unit) -> Need:
        return Need(unit.cost, copied(self.blobs, max(TOGETHER_BYTES, MOST_BYTES)))


@dataclass(frozen=True)
class UploadNeed:
    """Of units that make a complete upload a file."""

    uploads: UploadRows
    blobs: Blobs

    async def need(self, unit: Unit) -> Need:
        upload = await self.uploads.get(unit.payload["upload"])
        return Need(unit.cost, copied(self.blobs, upload.offset) if upload else 0)


def copied(home: Blobs, size: int) -> int:
    """Return the bytes of scratch that it takes to open so many."""
    return 0 if isinstance(home, OpensLocally) else size
