"""Turn the inputs of a job's stage into units, resumable at any item.

Units are inserted if absent in the transaction that moves the checkpoint, so an expansion that is
killed and begun again makes each unit once. Small jobs are expanded where they are accepted.
"""

from collections.abc import Sequence
from dataclasses import replace

from mediamill.engine.costing import seconds_of
from mediamill.engine.gathering.members import guessed
from mediamill.engine.stages import Piece
from mediamill.operations.base import Operation, SourceFacts
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Weight

UNITS_PER_STEP = 90
"""Units that one transaction inserts, beside the job and the checkpoint."""


def facts(file: File) -> SourceFacts:
    """Return what an operation may know of a file before it is opened."""
    size = file.width, file.height
    return SourceFacts(
        file.media_type, file.size, *size, file.duration, rate=file.rate, steady=file.steady
    )


def facts_of(entry: Entry, file: File) -> SourceFacts:
    """Return what may be known of an input; a member's type is guessed by its name."""
    if entry.place is not None:
        return SourceFacts(guessed(entry.path), entry.place.size, split=entry.split)
    return replace(facts(file), split=entry.split)


def piece(item: int, entry: Entry, file: File | None, steps: Sequence[Operation]) -> Piece:
    """Estimate one item; a missing input costs nothing and fails when its unit runs."""
    if entry.weight is not None:
        return Piece(item, entry.weight.seconds, entry.weight.alone)
    if file is None:
        return Piece(item, 0.0, alone=False)
    known = weight(entry, file, steps)
    return Piece(item, known.seconds, known.alone)


def weight(entry: Entry, file: File, steps: Sequence[Operation]) -> Weight:
    """Estimate what an input costs."""
    known = facts_of(entry, file)
    return Weight(seconds_of(steps, known), known.media_type.startswith("video/"))


def pieces(
    first: int, entries: Sequence[Entry], files: Sequence[File | None], steps: Sequence[Operation]
) -> list[Piece]:
    """Estimate consecutive items, the first of which has index `first`."""
    found = {file.id: file for file in files if file is not None}
    return [
        piece(first + place, entry, found.get(entry.file), steps)
        for place, entry in enumerate(entries)
    ]
