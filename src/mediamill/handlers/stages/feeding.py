"""List what a stage's outcomes give the next stage to work on."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mediamill.engine.gathering.members import entry_of
from mediamill.engine.members import flattened, list_members
from mediamill.engine.reuse import identity
from mediamill.engine.slots.surveys import Line
from mediamill.engine.stages import REDUCE_SECONDS
from mediamill.handlers.stages.seal import Lines
from mediamill.media.archive.names import with_suffix
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import PAGE_ENTRIES, Entry, Job, Manifests, Place, Weight
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import ItemOutcome, Result, ResultFile, Results

BATCH = 100
"""Files of measured inputs that are looked up at a time."""


@dataclass(frozen=True)
class Listed:
    """The measures of a set as they were written: where they lie, and of how many inputs."""

    place: Place
    weight: Weight
    good: int


@dataclass
class Feeding:
    """Walks the outcomes of a job's stages beside their inputs."""

    manifests: Manifests
    results: Results
    scratch: Path
    job: Job

    async def made(self, stage: int, fed: int, *, digests: bool) -> AsyncIterator[Entry]:
        """Yield what results of later generations than `fed` made; with digests for partners."""
        async for result, source in self._outcomes(stage):
            if result.generation <= fed:
                continue
            for n, file in enumerate(result.files):
                async for entry in self._of_file(result, n, file):
                    digest = _digest(file, entry) if digests else ""
                    yield msgspec.structs.replace(
                        entry, split=source.split, group=source.group, digest=digest
                    )

    async def again(
        self, stage: int, fed: int, references: Collection[str] = ()
    ) -> AsyncIterator[Entry]:
        """Yield the inputs of a stage whose outcomes are good and of later generations.

        Of those that the set is compared with, only the files named.
        """
        async for result, source in self._outcomes(stage):
            good = result.outcome is not ItemOutcome.FAILED and not result.expired
            if (
                good
                and result.generation > fed
                and (not source.reference or source.file in references)
            ):
                yield source

    async def measures(self, key: str, name: str, *, contents: bool = True) -> Listed:
        """Write what was measured in the job's stage as a blob of lines, one per input.

        Without `contents` only the inputs are told: what was made of them is read elsewhere.
        """
        good = count = 0
        waiting: list[tuple[Result, Entry]] = []
        async with Lines(self.manifests.blobs, key) as lines:
            async for pair in self._outcomes(self.job.stage):
                count, good = count + 1, good + (pair[0].outcome is not ItemOutcome.FAILED)
                waiting.append(pair)
                if len(waiting) >= BATCH:
                    await self._add(lines, waiting, contents)
                    waiting = []
            await self._add(lines, waiting, contents)
            written = await lines.commit()
        place = Place(0, written.size, written.size, 0, written.crc32)
        return Listed(place, Weight(max(0.05, REDUCE_SECONDS * count), alone=True), good)

    async def _add(self, lines: Lines, pairs: list[tuple[Result, Entry]], contents: bool) -> None:
        lookup = FileLookup(self.results.store)
        files = await lookup.get_many([e.file for _, e in pairs], at=self.job.created)
        for (result, entry), file in zip(pairs, files, strict=True):
            if not result.expired:
                await lines.add(self._line(result, entry, file).encoded(), end=b"")
                for long in result.files if contents else ():
                    async for chunk in self.manifests.blobs.read(long.blob):
                        await lines.add(chunk, end=b"")

    def _line(self, result: Result, entry: Entry, file: File | None) -> Line:
        """Return what is known of an input, and what was measured of it or how long that is."""
        failed = result.outcome is ItemOutcome.FAILED
        seen = result.report.get("input", {})  # of a member of an archive, which has no row
        data = result.data or {}
        return Line(
            item=result.item,
            file=entry.file,
            name=entry.name,
            path=entry.path,
            sha256=seen.get("sha256") or (file.sha256 if file and not entry.path else ""),
            media_type=seen.get("media_type") or (file.media_type if file else ""),
            size=entry.place.size if entry.place else file.size if file else 0,
            split=entry.split,
            group=entry.group,
            images=() if failed else data.get("images", ()),
            reference=entry.reference,
            error={"code": result.code, "message": result.error} if failed else None,
            lines=data.get("pictures", 0),
            length=sum(long.size for long in result.files),
        )

    async def _outcomes(self, stage: int) -> AsyncIterator[tuple[Result, Entry]]:
        """Visit a stage's results beside their inputs, in order."""
        page, entries = -1, list[Entry]()
        async for result in self.results.walk_stage(self.job.id, stage):
            if result.item // PAGE_ENTRIES != page:
                page = result.item // PAGE_ENTRIES
                entries = await self.manifests.entries(self.job.id, stage, page)
            yield result, entries[result.item % PAGE_ENTRIES]

    async def _of_file(self, result: Result, n: int, file: ResultFile) -> AsyncIterator[Entry]:
        file_id = result.file_id(n)
        if not flattened(file):
            yield Entry(
                file_id, file.name, annotations=file.annotations,
                annotations_blob=await self._kept(file),
            )  # fmt: skip
            return
        for member in await list_members(self.manifests.blobs, file, self.scratch):
            if member.name != "frames.jsonl":
                yield entry_of(file_id, member, _frame_name(result, member.name))

    async def _kept(self, file: ResultFile) -> str:
        """Return where what is marked on a result lies for the job's life; empty for nowhere."""
        if not file.annotations_blob:
            return ""
        data = await self.manifests.blobs.get(file.annotations_blob)
        return (await self.manifests.annotated(Entry("", ""), self.job.id, data)).annotations_blob


def _digest(file: ResultFile, entry: Entry) -> str:
    shown = File(
        id=entry.file, owner="", name="", media_type="", size=0, sha256=file.sha256, crc32=0,
        blob="", created=0,
    )  # fmt: skip
    return identity(shown, entry)


def _frame_name(result: Result, member: str) -> str:
    """Name a frame after its video too, so that frames of several keep apart."""
    return with_suffix(result.name, f"-{member}")
