"""What a unit of items works on, its stage's steps and its inputs; and what a row says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mediamill.core.errors import MediamillError, NotFound
from mediamill.engine.stages import Stage, split
from mediamill.operations.base import Output
from mediamill.operations.catalogue import Catalogue
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Job, Place, Step
from mediamill.store.repositories.results import ResultFile


@dataclass(frozen=True)
class Work:
    """One item to be run: its index, its entry in the manifest, its file, and its digest."""

    item: int
    entry: Entry
    file: File
    digest: str = ""
    partners: "tuple[Work, ...]" = ()
    """Other inputs of the set that are opened beside it."""
    left_out: tuple[tuple[int, str], ...] = ()
    """Items that would be partners too, and why they are not."""

    def without(self, gone: Mapping[int, str], digest: str = "") -> "Work":
        """Return it without some partners, for the reasons given, and with another digest."""
        kept = tuple(partner for partner in self.partners if partner.item not in gone)
        out = (*self.left_out, *gone.items())
        return replace(self, partners=kept, left_out=out, digest=digest)


def stage_of(catalogue: Catalogue, job: Job, stage: int) -> Stage:
    """Return one stage of a job; raises `NotFound`."""
    stages = split(catalogue.build_all(job.steps))
    if stage >= len(stages):
        raise NotFound(f"Job {job.id} has no stage {stage}.")
    return stages[stage]


def stored(job: Job, stage: Stage) -> tuple[Step, ...]:
    """Return the steps of a stage as they are stored."""
    return job.steps[stage.first : stage.first + len(stage.steps)]


def agreed_in(job: Job, stage: Stage) -> dict[int, dict[str, Any]]:
    """Return what was agreed for steps of a stage, by their place in it."""
    steps = range(stage.first, stage.first + len(stage.steps))
    return {int(n) - stage.first: said for n, said in job.agreed.items() if int(n) in steps}


def measures_file(job: Job, entry: Entry) -> File:
    """Show the measures of a set, which an entry names in place of a file, as one."""
    place = entry.place or Place(0, 0, 0, 0, 0)
    return File(
        id="",
        owner=job.owner,
        name=entry.name,
        media_type="application/x-ndjson",
        size=place.size,
        sha256="",
        crc32=place.crc32,
        source="result",
        blob=entry.blob,
        created=job.created,
    )


def result_file(
    output: Output, blob: str, annotations_blob: str = "", *, inner: bool = False
) -> ResultFile:
    """Describe a file that a slot wrote and the store now holds, with what is marked on it."""
    return ResultFile(
        name=output.name,
        media_type=output.media_type,
        size=output.size,
        sha256=output.sha256,
        crc32=output.crc32,
        blob=blob,
        info=dict(output.info),
        annotations=b"" if annotations_blob else output.annotations,
        annotations_blob=annotations_blob,
        inner=inner,
    )


def public(error: BaseException) -> MediamillError:
    """Return an error that may be shown; an unexpected one says only that it was."""
    if isinstance(error, MediamillError):
        return error
    return MediamillError("An internal error kept this item from running; the log has it.")
