"""Members, tasks and versions of projects as they look outside."""

from typing import Any

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.handlers.datasets.checked import Check
from mediamill.services.projects.comparing import Difference
from mediamill.services.projects.members import Shown
from mediamill.store.repositories.datasets import DatasetVersion, ProjectShare, ProjectTask
from mediamill.web.views.common import Count, Fraction, Time, View, moment
from mediamill.web.views.files import FileView, file_view


class ProjectFileView(FileView):
    """A file as a member of a project."""

    subset: str = Field(examples=["original", "preprocessed", "augmented"])
    split: str = Field(description="Empty for none, which counts as train.", examples=["train"])
    group: str = Field(description="Members of one group belong into one split.")
    added_at: Time


class TaskView(View):
    """Work on a project."""

    id: str = Field(examples=["task_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    kind: str = Field(examples=["split", "move", "undo", "import", "copy", "version"])
    state: str = Field(examples=["waiting", "running", "succeeded", "failed"])
    done: Count
    total: Count = Field(description="0 until it is known.")
    progress: Fraction
    request: dict[str, Any]
    outcome: dict[str, Any]
    code: str
    error: str
    created_at: Time
    finished_at: Time | None
    links: dict[str, str]


class ShareView(View):
    """With whom a project is shared."""

    id: str = Field(description="Of the user.", examples=["user_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    email: str
    name: str
    role: str = Field(examples=["viewer", "editor"])
    created_at: Time


class VersionView(View):
    """A project as it was frozen."""

    id: int = Field(description="The same as `number`.")
    number: Count
    name: str
    state: str = Field(examples=["building", "ready", "failed"])
    hash: str = Field(description="SHA-256 of its document; empty until it is ready.")
    files: Count
    bytes: Count
    summary: dict[str, Any] = Field(description="Images by split, subset and class.")
    steps: list[dict[str, Any]]
    seed: int | None
    subsets: list[str]
    job: str | None = Field(description="The job that ran its steps.")
    task: str
    lost: Count = Field(description="Images that had to go since, as they expired.")
    error: str
    created_at: Time
    finished_at: Time | None
    links: dict[str, str]


class DifferenceView(View):
    """How a version differs from another."""

    added: Count
    removed: Count
    changed: Count = Field(description="Other pixels under the same name.")
    moved: Count = Field(description="Of another split.")
    annotated: Count = Field(description="With other annotations.")
    names: dict[str, list[str]] = Field(description="The first names of each.")


class CheckView(View):
    """The latest finished health check of a project."""

    job: str
    finished_at: Time | None
    summary: dict[str, Any]
    links: dict[str, str] = Field(description="Of its files, by name, and of its job.")


def check_view(check: Check) -> CheckView:
    row = check.result
    files = {file.name: f"/v1/files/{row.file_id(n)}/content" for n, file in enumerate(row.files)}
    return CheckView(
        job=check.job.id,
        finished_at=moment(check.job.finished),
        summary=row.data or {},
        links={"job": f"/v1/jobs/{check.job.id}", **files},
    )


def member_view(shown: Shown) -> ProjectFileView:
    row, file = shown
    fields = file_view(file).model_dump()
    own = {"subset": row.subset, "split": row.split, "group": row.group}
    return ProjectFileView(**fields, **own, added_at=rfc3339(row.added))


def task_view(task: ProjectTask) -> TaskView:
    here = f"/v1/projects/{task.project}/tasks/{task.id}"
    return TaskView(
        id=task.id,
        kind=task.kind,
        state=task.state,
        done=task.done,
        total=task.total,
        progress=1.0 if task.finished else min(1.0, task.done / task.total if task.total else 0.0),
        request=task.request,
        outcome=task.outcome,
        code=task.code,
        error=task.error,
        created_at=rfc3339(task.created),
        finished_at=moment(task.finished),
        links={"self": here, "undo": f"{here}/undo"},
    )


def share_view(share: ProjectShare, email: str, name: str) -> ShareView:
    return ShareView(
        id=share.user, email=email, name=name, role=share.role, created_at=rfc3339(share.created)
    )


def version_view(version: DatasetVersion) -> VersionView:
    here = f"/v1/projects/{version.project}/versions/{version.number}"
    return VersionView(
        id=version.number,
        number=version.number,
        name=version.name,
        state=version.state,
        hash=version.hash,
        files=version.files,
        bytes=version.bytes,
        summary=version.summary,
        steps=version.request.get("steps", []),
        seed=version.request.get("seed"),
        subsets=version.request.get("subsets", []),
        job=version.job or None,
        task=version.task,
        lost=version.lost,
        error=version.error,
        created_at=rfc3339(version.created),
        finished_at=moment(version.finished),
        links={"self": here, "export": f"{here}/export", "document": f"{here}/document"},
    )


def difference_view(found: Difference) -> DifferenceView:
    return DifferenceView(
        added=found.added,
        removed=found.removed,
        changed=found.changed,
        moved=found.moved,
        annotated=found.annotated,
        names=found.names,
    )
