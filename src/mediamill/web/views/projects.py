"""Projects as they look outside."""

from typing import Any

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.store.repositories.projects import Project
from mediamill.web.views.common import Count, Time, View, moment


class ProjectView(View):
    id: str = Field(examples=["proj_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    name: str
    description: str
    files: Count = Field(description="Members, those in the trash included.")
    counts: dict[str, dict[str, Count]] = Field(
        description="Members by subset and split; the empty split is of those in none.",
        examples=[{"original": {"": 0, "train": 80, "validation": 10, "test": 10}}],
    )
    settings: dict[str, Any] = Field(description="What jobs over it begin with.")
    role: str = Field(examples=["owner", "editor", "viewer"], description="The caller's own.")
    revision: Count = Field(description="Grows with every change of name or description.")
    created_at: Time
    deleted_at: Time | None
    links: dict[str, str]


class AddedView(View):
    """How many files joined; those that were members already are not counted."""

    added: Count


class RemovedView(View):
    """How many files left; those that were no members are not counted."""

    removed: Count


def project_view(project: Project, role: str = "owner") -> ProjectView:
    here = f"/v1/projects/{project.id}"
    links = {"self": here, "files": f"{here}/files", "versions": f"{here}/versions"}
    counts = {s: {t: max(0, n) for t, n in own.items()} for s, own in project.counts.items()}
    return ProjectView(
        id=project.id,
        name=project.name,
        description=project.description,
        files=max(0, project.files),
        counts=counts,
        settings=project.settings,
        role=role,
        revision=project.revision,
        created_at=rfc3339(project.created),
        deleted_at=moment(project.deleted),
        links={"restore": f"{here}/restore"} if project.hidden else links,
    )
