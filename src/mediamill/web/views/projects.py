"""Projects as they look outside."""

from dataclasses import asdict
from typing import Any

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.core.retention import HOLD_MS, KeepDays, days_of
from mediamill.services.projects.keeping import Going, Look
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
    keep_days: KeepDays = Field(
        description="How long its files are kept from when they joined; `none`: for ever; "
        "`installation`: as that says."
    )
    keep_days_alone_at: Time | None = Field(
        description="When that alone holds, or did: for a day what was said before holds too, and "
        "a file goes when both let it go. Null: it was never changed."
    )
    role: str = Field(examples=["owner", "editor", "viewer"], description="The caller's own.")
    revision: Count = Field(description="Grows with every change of name or description.")
    created_at: Time
    deleted_at: Time | None
    links: dict[str, str]


class AddedFilesView(View):
    """How many files joined; those that were members already are not counted."""

    added: Count


class RemovedFilesView(View):
    """How many files left; those that were no members are not counted."""

    removed: Count


class GoingView(View):
    """Files, and what goes with them."""

    files: Count
    bytes: Count
    results: Count = Field(description="Files that jobs made of them.")
    result_bytes: Count
    frozen: Count = Field(description="Images of frozen versions that were made of them.")


class KeepingView(View):
    """What some members of a project come to by a rule."""

    keep_days: KeepDays = Field(description="The rule that is tried.")
    alone_at: Time | None = Field(
        description="When it alone would hold, were it set now; null: it does."
    )
    goes: dict[str, GoingView] = Field(
        description="By when: `now`, within a `day`, a `week`, a `month` (30 days), `later`; each "
        "without those before."
    )
    kept: GoingView = Field(description="What stays for ever.")
    why: dict[str, Count] = Field(
        description="What decides, of so many files: this `project`, the `installation`, or an "
        "`other` project."
    )
    results: Count = Field(description="Members that jobs made: they go with their files.")
    mixed: Count = Field(
        description="Of these, those that other files have a part in: they go with the first."
    )
    has_more: bool = Field(description="Whether there are further members: ask with `after`.")
    after: str | None


WHEN = ("now", "day", "week", "month", "later")


def keeping_view(look: Look) -> KeepingView:
    return KeepingView(
        keep_days=days_of(look.rule),
        alone_at=moment(look.in_force),
        goes={when: _going(going) for when, going in zip(WHEN, look.goes, strict=True)},
        kept=_going(look.kept),
        why=look.why,
        results=look.results,
        mixed=look.mixed,
        has_more=look.after is not None,
        after=look.after,
    )


def _going(going: Going) -> GoingView:
    return GoingView(**asdict(going))


def project_view(project: Project, role: str = "owner") -> ProjectView:
    here = f"/v1/projects/{project.id}"
    links = {"self": here, "files": f"{here}/files", "versions": f"{here}/versions"}
    links["retention"] = f"{here}/retention"
    counts = {s: {t: max(0, n) for t, n in own.items()} for s, own in project.counts.items()}
    return ProjectView(
        id=project.id,
        name=project.name,
        description=project.description,
        files=max(0, project.files),
        counts=counts,
        settings=project.settings,
        keep_days=days_of(project.keep),
        keep_days_alone_at=moment(max(project.former.values()) + HOLD_MS)
        if project.former
        else None,
        role=role,
        revision=project.revision,
        created_at=rfc3339(project.created),
        deleted_at=moment(project.deleted),
        links={"restore": f"{here}/restore"} if project.hidden else links,
    )
