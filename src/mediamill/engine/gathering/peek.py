"""Look into the directory of a large archive, far enough to tell whether a job has anything to do.

Listing it whole reads every member's own header; that is done once, in the background.
"""

from collections.abc import Callable
from typing import BinaryIO

from mediamill.media.archive.directory import Record, locate, records
from mediamill.media.archive.names import safe_path
from mediamill.media.archive.read import MAX_MEMBERS
from mediamill.store.repositories.jobs import Entry, Place

SMALL = 2_000
"""Members of an archive that is listed whole at once."""

LOOKED_AT = 20_000
"""Records that are looked at in a larger one."""


def peek(
    stream: BinaryIO, archive: str, chosen: Callable[[str], bool], most: int
) -> tuple[list[Entry], bool] | None:
    """Return some inputs and whether there may be more; None for a small archive.

    Where a member's bytes lie is not known yet. Raises as `read_members` does, for less.
    """
    directory = locate(stream, MAX_MEMBERS)
    if directory.count <= SMALL:
        return None
    found: list[Entry] = []
    for place, record in enumerate(records(stream, directory)):
        if place >= LOOKED_AT or len(found) >= most:
            return found, True
        path = safe_path(record.name)
        if not record.is_folder and chosen(path):
            found.append(_entry(archive, path, record))
    return found, False


def _entry(archive: str, path: str, record: Record) -> Entry:
    where = Place(0, record.size, record.compressed_size, record.method, record.crc32)
    return Entry(archive, path.rpartition("/")[2], path, where)
