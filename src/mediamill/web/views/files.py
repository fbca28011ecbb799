"""Files and members of archives as they look outside."""

from typing import Any

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.store.repositories.files import File
from mediamill.web.views.common import Count, Time, View, moment


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
    state: str = Field(examples=["ready"])
    tags: list[str]
    lineage: dict[str, Any] = Field(description="What a result was made from, and how.")
    created_at: Time
    expires_at: Time | None
    links: dict[str, str]


def file_view(file: File) -> FileView:
    here = f"/v1/files/{file.id}"
    links = {"self": here, "content": f"{here}/content"}
    if file.thumbnail != "":
        links["thumbnail"] = f"{here}/thumbnail"
    if file.media_type == "application/zip":
        links["members"] = f"{here}/members"
    return FileView(
        id=file.id,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
        width=file.width,
        height=file.height,
        duration=file.duration,
        source=file.source,
        state=file.state,
        tags=list(file.tags),
        lineage=file.lineage,
        created_at=rfc3339(file.created),
        expires_at=moment(file.expires),
        links=links,
    )


class MemberView(View):
    """A file inside an archive."""

    path: str
    size: Count
    crc32: str = Field(examples=["0a1b2c3d"])
    url: str
