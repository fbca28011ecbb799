"""End a direct upload whose file was checked."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal
from mediamill.core.errors import ConditionFailed, NotFound, ProjectFull
from mediamill.services.projects.service import ProjectService
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.uploads import Upload, UploadRows, UploadState


@dataclass
class Settler:
    """Notes what became of an upload; doing so again is harmless."""

    rows: UploadRows
    blobs: Blobs
    projects: ProjectService

    async def settle(self, upload_id: str, file: File | None) -> None:
        """Let the file join its project, tell the upload's end, and remove what had arrived.

        `file` is None when it was deleted meanwhile.
        """
        upload = await self.rows.get(upload_id)
        if upload is None:
            return
        told = _told(file)
        if file is not None and file.state is FileState.READY and upload.project:
            told |= await self._join(upload, upload.project, file)
        if upload.state is UploadState.CHECKING:
            with suppress(ConditionFailed):  # it was deleted meanwhile
                await self.rows.write(upload, **told)
        await self.blobs.delete(upload.arriving)

    async def _join(self, upload: Upload, project: str, file: File) -> dict[str, Any]:
        """Let the file join its project; return what the upload says where it could not."""
        try:
            await self.projects.add(Principal(user=upload.owner), project, [file.id])
        except NotFound:  # the project went meanwhile
            return {}
        except ProjectFull as error:
            return {"code": error.code, "error": error.message}
        return {}


def _told(file: File | None) -> dict[str, Any]:
    """Return what an upload says once its file was checked."""
    if file is None or file.hidden:
        message = "The file was deleted while it was checked."
        return {"state": UploadState.REJECTED, "code": "not_found", "error": message}
    if file.state is FileState.REJECTED:
        return {"state": UploadState.REJECTED, "code": file.code, "error": file.error}
    return {"state": UploadState.READY}
