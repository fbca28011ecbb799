"""Resumable uploads as they look outside."""

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.store.repositories.uploads import Upload
from mediamill.web.views.common import Count, Time, View


class UploadView(View):
    id: str = Field(examples=["upload_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    name: str
    state: str = Field(
        description="`receiving`, `checking`, then `ready` or `rejected`.", examples=["receiving"]
    )
    offset: Count = Field(description="Bytes that are here.")
    size: Count | None = Field(description="Bytes of the whole file; null while not known.")
    direct: bool = Field(description="Whether its bytes go to the bucket, past this service.")
    tags: list[str]
    project: str | None
    file: str | None = Field(description="The file that it has become.")
    for_workers: bool = Field(
        description="It waits for a worker, for it is larger than what functions can check."
    )
    code: str | None = Field(description="Why it was rejected, as the code of an error.")
    error: str | None
    created_at: Time
    expires_at: Time
    links: dict[str, str]


def upload_view(upload: Upload, *, for_workers: bool) -> UploadView:
    links = {"self": f"/v1/uploads/{upload.id}"}
    if upload.direct and not upload.file:
        links |= {name: f"/v1/uploads/{upload.id}/{name}" for name in ("parts", "complete")}
    if upload.file:
        links["file"] = f"/v1/files/{upload.file}"
    return UploadView(
        id=upload.id,
        name=upload.name,
        state=upload.state,
        offset=upload.offset,
        size=upload.size,
        direct=upload.direct,
        tags=list(upload.tags),
        project=upload.project or None,
        file=upload.file or None,
        for_workers=for_workers,
        code=upload.code or None,
        error=upload.error or None,
        created_at=rfc3339(upload.created),
        expires_at=rfc3339(upload.expires),
        links=links,
    )
