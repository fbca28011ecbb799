"""Manifests: the inputs of each stage of a job, in pages."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from mediamill.blobs.port import Blobs
from mediamill.core.errors import NotFound
from mediamill.core.records import Key, Record
from mediamill.store.port import Put, Store

INLINE_BYTES = 8_000
"""Larger data lives in a blob and the row points at it."""

LONG_MEMBERS = "members_blob"
"""Names the blob, in what names a job's inputs, that has its members."""

PAGE_ENTRIES = 1_000
"""Inputs per manifest page."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a member's bytes lie in its archive, as the directory says; sizes in bytes."""

    offset: int
    size: int
    compressed_size: int
    method: int
    crc32: int


class Problem(msgspec.Struct, frozen=True, array_like=True):
    """Why an input cannot be run: an error's code and its message."""

    code: str
    message: str


class Weight(msgspec.Struct, frozen=True, array_like=True):
    """What an input costs: estimated seconds of one core, and whether it is a unit of its own."""

    seconds: float
    alone: bool


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One input of a stage: a file, a member of an archive, or what is wrong with it."""

    file: str
    name: str
    path: str = ""
    """Safe path of the member in the archive; empty for the whole file."""
    place: Place | None = None
    problem: Problem | None = None
    """Set where there is no such input; `file` is then empty, and the item fails with this."""
    weight: Weight | None = None
    """Set where the input was looked at when it was listed; else whoever packs it looks it up."""
    split: str = ""
    """Split and group in the project that the job was made of, as they were when it was listed."""
    group: str = ""
    annotations: bytes = b""
    """What is marked on it in that project (`ImageAnnotations.encode`), likewise; while small."""
    annotations_blob: str = ""
    """Else where that lies; its name ends with the SHA-256 of it."""
    digest: str = ""
    """SHA-256 of what it is, where other inputs may be given it as a partner."""
    reference: bool = False
    """Whether it is measured with the set and no input itself."""
    blob: str = ""
    """What is read in place of a file, of which `place` tells the size: the measures of a set."""
    partners: tuple[int, ...] = ()
    """Of an input that is made again: the items that it was mixed with, not to be drawn anew."""

    @property
    def trains(self) -> bool:
        """Whether it may be mixed into others: what is in no split counts as train."""
        return self.split in ("", "train")


class ManifestPage(Record, frozen=True, kw_only=True):
    """Up to a thousand inputs of a stage: inline while small, else in a blob."""

    table = "manifests"
    key = Key("job", "stage", "page")

    job: str
    stage: int
    page: int
    inline: bytes | None = None
    blob: str | None = None


class Manifests:
    """The inputs of each stage, in pages."""

    def __init__(self, store: Store, blobs: Blobs) -> None:
        self.store, self.blobs = store, blobs

    async def page(
        self, job: str, stage: int, page: int, entries: Sequence[Entry], fence: int | None = None
    ) -> Put:
        """Make the action that stores a page; a large one is written to its blob first.

        With a fence the blob is this claimant's own, for pages that another may write differently.
        """
        data = msgspec.json.encode(entries)
        if len(data) <= INLINE_BYTES:
            return Put(ManifestPage(job=job, stage=stage, page=page, inline=data))
        blob = f"manifests/{job}/{stage}-{page}{'' if fence is None else f'-{fence}'}"
        await self.blobs.put(blob, data)
        return Put(ManifestPage(job=job, stage=stage, page=page, blob=blob))

    async def noted(self, job: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what names a job's inputs as its row keeps it: many names lie in a blob."""
        data = msgspec.json.encode(inputs.get("members", ()))
        if len(data) <= INLINE_BYTES:
            return dict(inputs)
        blob = f"manifests/{job}/members"
        await self.blobs.put(blob, data)
        rest = {name: value for name, value in inputs.items() if name != "members"}
        return {**rest, LONG_MEMBERS: blob}

    async def named(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `noted` was given; raises `NotFound`."""
        rest = dict(inputs)
        if (blob := rest.pop(LONG_MEMBERS, None)) is None:
            return rest
        return {**rest, "members": msgspec.json.decode(await self.blobs.get(blob), type=list[str])}

    async def entries(self, job: str, stage: int, page: int) -> list[Entry]:
        """Read one page; raises `NotFound`."""
        row = await self.store.get(ManifestPage, job, stage, page)
        if row is None:
            raise NotFound(f"Job {job} has no inputs {page * PAGE_ENTRIES} … of stage {stage}.")
        data = row.inline if row.blob is None else await self.blobs.get(row.blob)
        return msgspec.json.decode(data or b"[]", type=list[Entry])

    async def at(self, job: str, stage: int, indexes: Sequence[int]) -> dict[int, Entry]:
        """Read the inputs of some item indexes."""
        found: dict[int, Entry] = {}
        for page in sorted({index // PAGE_ENTRIES for index in indexes}):
            entries = await self.entries(job, stage, page)
            start = page * PAGE_ENTRIES
            chosen = (i for i in indexes if i // PAGE_ENTRIES == page and i - start < len(entries))
            found.update((index, entries[index - start]) for index in chosen)
        return found

    async def annotated(self, entry: Entry, job: str, data: bytes) -> Entry:
        """Return an input with what is marked on it, whose bytes are kept for the job's life."""
        if len(data) <= INLINE_BYTES:
            return msgspec.structs.replace(entry, annotations=data)
        blob = f"manifests/{job}/annotations-{hashlib.sha256(data).hexdigest()}"
        await self.blobs.put(blob, data)
        return msgspec.structs.replace(entry, annotations_blob=blob)

    async def annotations(self, entry: Entry) -> bytes:
        """Return what is marked on an input; empty for nothing. Raises `NotFound`."""
        if entry.annotations_blob:
            return await self.blobs.get(entry.annotations_blob)
        return entry.annotations

    async def walk(self, job: str, stage: int, items: int) -> AsyncIterator[tuple[int, Entry]]:
        """Visit every input of a stage as (index, entry)."""
        for page in range((items + PAGE_ENTRIES - 1) // PAGE_ENTRIES):
            for place, entry in enumerate(await self.entries(job, stage, page)):
                yield page * PAGE_ENTRIES + place, entry
