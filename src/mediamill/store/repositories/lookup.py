"""Find a file whatever it is: uploaded (a row of its own) or a result (embedded in its item)."""

from collections.abc import Sequence

from mediamill.store.port import Store
from mediamill.store.repositories.files import File, Files, FileState
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import Result, parse_result_file


class FileLookup:
    """Reads files of both kinds by id."""

    def __init__(self, store: Store) -> None:
        self.store, self.files = store, Files(store)

    async def get(self, file_id: str) -> File | None:
        """Return the file with this id, or None; hidden ones count as absent."""
        place = parse_result_file(file_id)
        file = await (self.files.get(file_id) if place is None else self._result(file_id, *place))
        return None if file is None or file.hidden else file

    async def get_many(self, ids: Sequence[str]) -> list[File | None]:
        """Return the file, or None, of each id, in order; trashed ones too, for running jobs."""
        plain = [file_id for file_id in ids if parse_result_file(file_id) is None]
        found = {f.id: f for f in await self.files.get_many(plain) if f is not None}
        files: list[File | None] = []
        for file_id in ids:
            place = parse_result_file(file_id)
            made = await self._result(file_id, *place) if place else None
            files.append(made or found.get(file_id))
        return files

    async def _result(self, file_id: str, job: str, stage: int, item: int, n: int) -> File | None:
        result = await self.store.get(Result, job, stage, item)
        owner = await self.store.get(Job, job)
        if result is None or owner is None or result.file_id(n) != file_id:
            return None
        if n >= len(result.files):
            return None
        made = result.files[n]
        return File(
            id=file_id,
            owner=owner.owner,
            name=made.name,
            media_type=made.media_type,
            size=made.size,
            sha256=made.sha256,
            crc32=made.crc32,
            width=int(made.info.get("width", 0)),
            height=int(made.info.get("height", 0)),
            source="result",
            state=FileState.TRASHED if owner.hidden else FileState.READY,
            blob=made.blob,
            lineage={"job": job, "input": result.input, "report": result.report},
            created=result.created,
        )
