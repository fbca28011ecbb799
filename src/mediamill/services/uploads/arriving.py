"""Take files in that come in the background: listed from the start, checked at the end.

`begin … finish`, or `reject` when there is nothing to finish; the row says what became of the file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.blobs.port import Digest
from mediamill.core.access import Principal
from mediamill.core.clock import DAY
from mediamill.core.errors import InvalidInput, MediamillError, NotFound
from mediamill.services.repeats.attempts import made_before
from mediamill.services.uploads.recording import FileRows, Label, drawing, known
from mediamill.services.uploads.validating import Validator
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.purging import dooming, purge_unit
from mediamill.store.repositories.units import Unit

log = structlog.get_logger(__name__)

REJECTED_MS = 7 * DAY
"""How long a rejected file is listed with the reason."""


@dataclass
class Arrivals:
    """Keeps the rows of files that arrive in the background true."""

    rows: FileRows
    validator: Validator

    async def begin(
        self,
        principal: Principal,
        name: str,
        size: int | None,
        source: str = "import",
        *,
        tags: tuple[str, ...] = (),
        lineage: Mapping[str, Any] | None = None,
        work: Callable[[File], Unit] | None = None,
    ) -> File:
        """List a new file as `receiving`; its bytes belong under `file.blob`.

        `size` is what is expected, in bytes, None where it is not known. `work` makes the unit that
        will fetch them, written with the row. Raises as `Validator.require_room`.
        """
        if made := await made_before(self.rows.store, principal, File, "file"):
            return made
        await self.validator.require_room(principal.user, size)
        label = Label(source, tags, lineage=lineage or {})
        begun = await self.rows.begun(principal, name, size or 0, label)
        file = begun.evolve(charged=size or 0)
        await self.rows.insert(file, [work(file)] if work else ())
        log.info("file begun", action="file_begun", source=source, **file.log_context())
        return file

    async def progress(self, file: File, received: int, size: int | None = None) -> None:
        """Note how many bytes are here, and take room for those that are announced.

        Raises `NotFound` when the file was deleted meanwhile, and `QuotaExceeded`.
        """
        fields = {"received": received} if size is None else {"received": received, "size": size}
        least, receiving = max(received, size or 0), file.evolve(state=FileState.RECEIVING)
        if not await self.rows.change(receiving, fields, least=least, revision=0):
            raise _gone(file)

    async def finish(self, file: File, digest: Digest, announced: str | None = None) -> File:
        """Look at a file whose bytes are all there; return it `ready` or `rejected`.

        `announced` is the SHA-256 that was said. Again is harmless. Raises `QuotaExceeded`; and
        `NotFound`, the bytes removed, when it was deleted meanwhile.
        """
        if not file.passing:
            return file
        arrived = {"size": digest.size, "received": digest.size, "charged": digest.size}
        await self._move(file, {"state": FileState.CHECKING, **arrived})
        file = file.evolve(state=FileState.CHECKING, size=digest.size)
        try:
            facts = await self.validator.look(file.blob, file.name, digest, announced)
        except InvalidInput as error:
            return await self.reject(file, error)
        fields = known(file, digest, facts)
        ready = file.evolve(**fields)
        await self._move(file, fields, drawing(ready))
        log.info("file received", action="file_received", size=ready.size, **ready.log_context())
        return await self._again(file)

    async def reject(self, file: File, error: MediamillError) -> File:
        """End a file with the reason; it is listed for a week, its bytes go.

        Raises `NotFound` when it was deleted meanwhile.
        """
        now = await self.rows.store.now()
        due = now + REJECTED_MS
        fields = {
            "state": FileState.REJECTED,
            "code": error.code,
            "error": error.message[:1000],
            "thumbnail": "",
            "charged": 0,
            **dooming(file, due),
        }
        await self._move(file, fields, [purge_unit(file, now, due)])
        await self.validator.blobs.delete(file.blob)
        log.info("file rejected", action="file_rejected", code=error.code, **file.log_context())
        return await self._again(file)

    async def _move(self, file: File, fields: dict[str, Any], units: Sequence[Unit] = ()) -> None:
        """Write the next state; raises `NotFound`, the bytes removed, if the file went."""
        if not await self.rows.change(file, fields, units):
            await self.validator.blobs.delete(file.blob)
            raise _gone(file)

    async def _again(self, file: File) -> File:
        found = await self.rows.store.get(File, file.id)
        if found is None:
            raise _gone(file)
        return found


def _gone(file: File) -> NotFound:
    return NotFound(f"There is no file {file.id} any more: it was deleted while it came in.")
