"""What a unit of items works on, its stage's steps and its inputs; and what a row says of them."""

from dataclasses import dataclass

from mediamill.core.errors import MediamillError, NotFound
from mediamill.engine.stages import split
from mediamill.operations.base import Operation, Output
from mediamill.operations.catalogue import Catalogue
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Job, Step
from mediamill.store.repositories.results import ResultFile


@dataclass(frozen=True)
class Work:
    """One item to be run: its index, its entry in the manifest, its file, and its digest."""

    item: int
    entry: Entry
    file: File
    digest: str = ""


def steps_of(
    catalogue: Catalogue, job: Job, stage: int
) -> tuple[tuple[Step, ...], tuple[Operation, ...]]:
    """Return the steps of one stage as they are stored, and as they are made."""
    start = 0
    for place, cut in enumerate(split(catalogue.build_all(job.steps))):
        if place == stage:
            return job.steps[start : start + len(cut.steps)], cut.steps
        start += len(cut.steps)
    raise NotFound(f"Job {job.id} has no stage {stage}.")


def result_file(output: Output, blob: str) -> ResultFile:
    """Describe a file that a slot wrote and the store now holds."""
    return ResultFile(
        name=output.name,
        media_type=output.media_type,
        size=output.size,
        sha256=output.sha256,
        crc32=output.crc32,
        blob=blob,
        info=dict(output.info),
    )


def public(error: BaseException) -> MediamillError:
    """Return an error that may be shown; an unexpected one says only that it was."""
    if isinstance(error, MediamillError):
        return error
    return MediamillError("An internal error kept this item from running; the log has it.")
