"""What records look like outside: response models, and how each is made of its record."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from mediamill.core.clock import rfc3339
from mediamill.services.accounts import Issued
from mediamill.services.items import ItemView as ItemRecord
from mediamill.services.progress import Progress
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.users import Token, User

V = TypeVar("V")

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class View(BaseModel):
    """Something that is only ever written."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Listed(View, Generic[V]):
    """A page of a list; pass `after` again to get what follows."""

    data: list[V]
    has_more: bool
    after: str | None = Field(None, description="Cursor of the next page; null on the last.")


def listed(rows: list[V], after: str | None) -> Listed[V]:
    return Listed(data=rows, has_more=after is not None, after=after)


class FieldError(View):
    pointer: str = Field(description="Where in the body, dotted.", examples=["steps.0.operation"])
    message: str


class Problem(View):
    """An error as RFC 9457 describes it."""

    type: str = Field(examples=["/problems/not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(examples=["There is no job job_01KAHRQPV0V3E3M2X5E2C8T2QG."])
    code: str = Field(description="Stable; what programs should look at.", examples=["not_found"])
    errors: list[FieldError] = Field(description="One entry per wrong field.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    instance: str = Field(description="Id of the request, as in the log.")
    details: dict[str, Any] | None = None


class UserView(View):
    id: str = Field(examples=["user_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    email: str
    name: str
    role: str = Field(examples=["user", "admin"])
    created_at: Time


def user_view(user: User) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        created_at=rfc3339(user.created),
    )


class SessionView(View):
    token: str = Field(description="Send it as `Authorization: Bearer …`; it is not shown again.")
    expires_at: Time | None
    user: UserView


class TokenView(View):
    id: str
    name: str
    created_at: Time
    expires_at: Time | None


class IssuedView(TokenView):
    token: str = Field(description="The secret; it is not shown again.")


def _token_fields(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "created_at": rfc3339(token.created),
        "expires_at": moment(token.expires),
    }


def token_view(token: Token) -> TokenView:
    return TokenView(**_token_fields(token))


def issued_view(issued: Issued) -> IssuedView:
    return IssuedView(**_token_fields(issued.token), token=issued.secret)


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


class StepView(View):
    operation: str = Field(examples=["extract-frames"])
    parameters: dict[str, Any]


class CountsView(View):
    succeeded: Count
    failed: Count
    cancelled: Count
    reused: Count


class ProgressView(View):
    fraction: Fraction
    running: Count
    pending: Count
    seconds_left: float | None = Field(ge=0, description="Null while it cannot be told.")


class DownloadView(View):
    size: Count
    etag: str
    url: str


class JobView(View):
    id: str = Field(examples=["job_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    name: str
    state: str = Field(examples=["running", "succeeded"])
    klass: str = Field(serialization_alias="class", examples=["interactive", "bulk"])
    steps: list[StepView]
    seed: int
    generation: int
    items: Count
    counts: CountsView
    progress: ProgressView
    revision: int = Field(description="Grows with every change; the id of events.")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    error: str
    download: DownloadView | None = Field(description="All results as one zip, once ended.")
    links: dict[str, str]


def job_view(job: Job, progress: Progress) -> JobView:
    here = f"/v1/jobs/{job.id}"
    counts = CountsView(
        succeeded=progress.succeeded,
        failed=progress.failed,
        cancelled=progress.cancelled,
        reused=progress.reused,
    )
    download = DownloadView(size=job.download_size, etag=job.download_etag, url=f"{here}/download")
    return JobView(
        id=job.id,
        name=job.name,
        state=job.state,
        klass=job.klass,
        steps=[StepView(operation=s.operation, parameters=s.parameters) for s in job.steps],
        seed=job.seed,
        generation=job.generation,
        items=job.items,
        counts=counts,
        progress=ProgressView(
            fraction=round(progress.fraction, 4),
            running=progress.running,
            pending=progress.pending,
            seconds_left=progress.seconds_left,
        ),
        revision=job.revision,
        created_at=rfc3339(job.created),
        started_at=moment(job.started or progress.started),
        finished_at=moment(job.finished),
        error=job.error,
        download=download if job.layout else None,
        links={name: f"{here}/{name}" for name in ("items", "results", "events")} | {"self": here},
    )


class ResultFileView(View):
    id: str
    name: str
    media_type: str
    size: Count
    sha256: str
    info: dict[str, Any]
    url: str


class ResultView(View):
    """What one item became."""

    item: int
    input: str = Field(description="Id of the input file.")
    name: str = Field(description="Name of the input.")
    outcome: str = Field(examples=["succeeded", "failed", "reused"])
    files: list[ResultFileView]
    data: dict[str, Any] | None
    report: dict[str, Any]
    code: str
    error: str
    seconds: float


def result_view(result: Result) -> ResultView:
    return ResultView(
        item=result.item,
        input=result.input,
        name=result.name,
        outcome=result.outcome,
        files=_result_files(result),
        data=result.data,
        report=result.report,
        code=result.code,
        error=result.error,
        seconds=result.seconds,
    )


def _result_files(result: Result) -> list[ResultFileView]:
    return [
        ResultFileView(
            id=result.file_id(n),
            name=file.name,
            media_type=file.media_type,
            size=file.size,
            sha256=file.sha256,
            info=file.info,
            url=f"/v1/files/{result.file_id(n)}/content",
        )
        for n, file in enumerate(result.files)
    ]


class ItemView(View):
    """An input of a job and its outcome so far."""

    index: int
    file: str
    name: str
    state: str = Field(examples=["pending", "succeeded", "failed", "reused", "cancelled"])
    code: str
    error: str
    retryable: bool
    seconds: float
    outputs: list[ResultFileView]


def item_view(item: ItemRecord) -> ItemView:
    result = item.result
    return ItemView(
        index=item.index,
        file=item.file,
        name=item.name,
        state=item.state,
        code=result.code if result else "",
        error=result.error if result else "",
        retryable=result.retryable if result else False,
        seconds=result.seconds if result else 0.0,
        outputs=_result_files(result) if result else [],
    )


class OperationView(View):
    name: str = Field(examples=["extract-frames"])
    summary: str
    accepts: list[str] = Field(examples=[["video/*"]])
    gives: str
    schema_: dict[str, Any] = Field(
        serialization_alias="schema", description="JSON Schema of its parameters."
    )


def moment(milliseconds: int | None) -> str | None:
    """Write a time as RFC 3339, or None."""
    return None if milliseconds is None else rfc3339(milliseconds)
