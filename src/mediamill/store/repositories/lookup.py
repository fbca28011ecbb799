"""Find a file whatever it is: uploaded (a row of its own) or a result (embedded in its item)."""

from collections.abc import Mapping, Sequence
from typing import Any

from mediamill.core.records import R
from mediamill.core.retention import FOR_EVER, Retention
from mediamill.store.port import Store
from mediamill.store.repositories.files import File, Files, FileState
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.keeping import Keeping
from mediamill.store.repositories.results import Result, parse_result_file
from mediamill.store.repositories.retention import Aging, Origin
from mediamill.store.repositories.versions import Versions

Place = tuple[str, int, int, int]
"""Job, stage, item and number of a result file."""


class FileLookup:
    """Reads files of both kinds by id; `retention` tells when results go."""

    def __init__(self, store: Store, retention: Retention = FOR_EVER) -> None:
        self.store, self.files = store, Files(store)
        self.versions, self.aging, self.retention = Versions(store), Aging(store), retention
        self.keeping = Keeping(store)

    async def get(self, file_id: str) -> File | None:
        """Return the file with this id, or None; hidden ones count as absent."""
        (file,) = await self.get_many([file_id])
        return None if file is None or file.hidden else file

    async def get_many(self, ids: Sequence[str], at: int | None = None) -> list[File | None]:
        """Return the file, or None, of each id, in order; hidden ones too, for running jobs.

        `at` asks for the bytes that files had at that time (ms): a job's inputs are what they were
        when it was accepted, whatever was deleted from archives since.
        """
        made = {i: place for i in ids if (place := parse_result_file(i)) is not None}
        found = await self._results(made, aging=at is None)
        plain = [file_id for file_id in ids if file_id not in made]
        found |= {file.id: file for file in await self.files.get_many(plain) if file is not None}
        if at is not None:
            for file in [file for file in found.values() if file.rewritten is not None]:
                old = await self.versions.as_of(file, at)
                if old is None:
                    del found[file.id]
                else:
                    found[file.id] = old
        return [found.get(file_id) for file_id in ids]

    async def root(self, file_id: str) -> str | None:
        """Return the id of the file that came in and that a file is, or was made of."""
        place = parse_result_file(file_id)
        if place is None:
            return file_id or None
        row = await self.store.get(Result, *place[:3])
        return None if row is None else row.source

    async def roots(self, ids: Sequence[str]) -> dict[str, str]:
        """Return what `root` does for many; the id itself where that is not known any more."""
        made = {i: place for i in ids if (place := parse_result_file(i)) is not None}
        rows = await self._rows(made)
        found = {i: row.source or i for i, row in zip(made, rows, strict=True) if row is not None}
        return {file_id: found.get(file_id, file_id) for file_id in ids}

    async def _results(self, made: Mapping[str, Place], *, aging: bool) -> dict[str, File]:
        """Read result files by the places that their ids name.

        With `aging` those are hidden whose origin has expired, and it is told when they go.
        """
        keys = [place[:3] for place in made.values()]
        jobs = await self._batches(Job, [(job,) for job in {key[0] for key in keys}])
        owners = {job.id: job for job in jobs if job is not None}
        rows = await self._rows(made)
        roots = {row.source for row in rows if row is not None and row.source} if aging else ()
        origins = await self.aging.known(roots)
        dues = await self.keeping.dues([*origins.values()], self.retention)
        return {
            file_id: _aged(
                _file(file_id, row, place[3], owners[row.job]), origins.get(row.source or ""), dues
            )
            for (file_id, place), row in zip(made.items(), rows, strict=True)
            if row is not None and row.job in owners and _names(row, place[3], file_id)
        }

    async def _rows(self, made: Mapping[str, Place]) -> list[Result | None]:
        """Read the row of each result file; that of several files is read once."""
        keys = list(dict.fromkeys(place[:3] for place in made.values()))
        rows = dict(zip(keys, await self._batches(Result, keys), strict=True))
        return [rows[place[:3]] for place in made.values()]

    async def _batches(self, kind: type[R], keys: Sequence[tuple[Any, ...]]) -> list[R | None]:
        found: list[R | None] = []
        for start in range(0, len(keys), 100):
            found += await self.store.get_many(kind, keys[start : start + 100])
        return found


def _names(row: Result, n: int, file_id: str) -> bool:
    """Tell whether this is the one spelling of a result file's id."""
    return n < len(row.files) and row.file_id(n) == file_id


def _aged(file: File, origin: File | Origin | None, dues: Mapping[str, int | None]) -> File:
    """Tell when a result goes; it is hidden once the file that it was made of has expired."""
    if origin is None:
        return file
    if origin.expired:
        return file.evolve(state=FileState.TRASHED, trashed=file.trashed or origin.expired)
    return file.evolve(expires=dues[origin.id])


def _file(file_id: str, row: Result, n: int, job: Job) -> File:
    """Show a result as a file of its job's owner."""
    made = row.files[n]
    return File(
        id=file_id,
        owner=job.owner,
        name=made.name,
        media_type=made.media_type,
        size=made.size,
        sha256=made.sha256,
        crc32=made.crc32,
        width=int(made.info.get("width", 0)),
        height=int(made.info.get("height", 0)),
        source="result",
        state=FileState.TRASHED if job.hidden else FileState.READY,
        blob=made.blob,
        lineage=_lineage(row, job),
        created=row.created,
        trashed=job.deleted,
    )


def _lineage(row: Result, job: Job) -> dict[str, Any]:
    """Return where a result file comes from: its input, and all steps of its job."""
    found = {
        "job": job.id, "input": row.input, "steps": job.told(), "seed": job.seed,
        "report": row.report, **row.lineage,
    }  # fmt: skip
    return {**found, "path": row.path} if row.path else found
