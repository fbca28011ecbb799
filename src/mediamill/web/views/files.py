"""Files and members of archives as they look outside."""

from typing import Any, Literal

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.media.documents.types import ZIPPED
from mediamill.store.repositories.files import File
from mediamill.web.views.common import Count, Listed, Time, View, moment


class FileView(View):
    id: str = Field(examples=["file_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    name: str
    media_type: str = Field(description="Found by looking at the content.", examples=["video/mp4"])
    size: Count = Field(description="Bytes.")
    sha256: str
    width: Count = Field(description="Pixels, after orientation; 0 where there are none.")
    height: Count
    duration: float = Field(ge=0, description="Seconds; 0 for what has none.")
    source: str = Field(examples=["upload", "result"])
    state: str = Field(examples=["receiving", "checking", "ready", "rejected", "trashed"])
    received: Count = Field(description="Bytes here so far, while it is `receiving`.")
    for_workers: bool = Field(
        False,
        description="It is not whole yet and waits for a worker, for functions could not take it; "
        "said where one file is asked for, not in lists.",
    )
    code: str = Field(description="Why it was rejected; empty otherwise.")
    error: str
    tags: list[str]
    revision: Count = Field(description="Grows with every change; `ETag` holds it.")
    lineage: dict[str, Any] = Field(description="What a result was made from, and how.")
    created_at: Time
    expires_at: Time | None = Field(
        description="When it goes by the rules of the installation and of its projects, with all "
        "that was made of it; a result goes with the file that it was made of. Null: it is kept."
    )
    trashed_at: Time | None
    purge_at: Time | None = Field(description="When what is deleted or rejected goes for good.")
    thumbnail: Literal["made", "coming", "none"] = Field(
        description="Its small picture: asked for before it is made, the link answers 404."
    )
    links: dict[str, str]


class UploadedView(FileView):
    duplicate: bool = Field(False, description="It was here already; nothing was stored.")
    project: str | None = Field(
        None, description="The one that it joined; null also if that was deleted meanwhile."
    )


def etag(file: File) -> str:
    """Return the entity tag of what is said of a file."""
    return f'"r{file.revision}"'


def file_view(file: File, *, for_workers: bool = False) -> FileView:
    """Show a file that was asked when it goes (`RetentionService.dated`)."""
    return FileView(**_fields(file), for_workers=for_workers)


def upload_view(file: File, *, duplicate: bool = False, project: str | None = None) -> UploadedView:
    return UploadedView(**_fields(file), duplicate=duplicate, project=project)


def _links(file: File) -> dict[str, str]:
    here = f"/v1/files/{file.id}"
    if file.hidden:
        drawn = {"thumbnail": f"{here}/thumbnail"} if _thumbnail(file) == "made" else {}
        return {"restore": f"{here}/restore", **drawn}
    links = {"self": here}
    if not file.obstacle:
        links["content"] = f"{here}/content"
        if file.thumbnail != "":
            links["thumbnail"] = f"{here}/thumbnail"
        if file.media_type in ZIPPED:
            links["members"] = f"{here}/members"
    return links


def _thumbnail(file: File) -> Literal["made", "coming", "none"]:
    """Tell how far a file's picture is; of deleted files only those that can come back show one."""
    if file.thumbnail:
        return "none" if file.hidden and file.trash is None else "made"
    return "coming" if file.awaits_thumbnail else "none"


def _fields(file: File) -> dict[str, Any]:
    return {
        "id": file.id,
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
        "width": file.width,
        "height": file.height,
        "duration": file.duration,
        "source": file.source,
        "state": file.state,
        "received": file.received if file.obstacle else file.size,
        "code": file.code,
        "error": file.error,
        "revision": file.revision,
        "tags": list(file.tags),
        "lineage": file.lineage,
        "created_at": rfc3339(file.created),
        "expires_at": moment(file.expires),
        "trashed_at": moment(file.trashed),
        "purge_at": moment(file.purge_at),
        "thumbnail": _thumbnail(file),
        "links": _links(file),
    }


class ArchiveMemberView(View):
    """A file inside an archive."""

    path: str
    size: Count
    crc32: str = Field(examples=["0a1b2c3d"])
    url: str


class ArchiveMemberList(Listed[ArchiveMemberView]):
    """A page of the members of an archive."""

    count: Count = Field(description="Members of the whole archive.")
    left_out: Count = Field(description="Links and devices in it, which are no members here.")


class RemovedMembersView(View):
    """What became of a deletion of members."""

    file: FileView = Field(description="The archive as it is now.")
    deleted: Count
    missing: list[str] = Field(description="Paths that it did not have.")
