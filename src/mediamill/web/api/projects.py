"""Projects: named sets of files."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, PlainValidator, WithJsonSchema

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput
from mediamill.core.retention import AS_INSTALLED, MOST_DAYS, NEVER, KeepDays, rule_of
from mediamill.datasets.exporting import ExportFormat
from mediamill.services.projects.service import MAX_AT_ONCE
from mediamill.store.repositories.projects import Project
from mediamill.web.api.project_members import SplitBody
from mediamill.web.parsing import (
    PROBLEM,
    After,
    Body,
    FileId,
    Limit,
    ProjectId,
    StrictRoute,
    cursor,
)
from mediamill.web.security import Caller, Mill
from mediamill.web.submitting import StepBody
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.projects import (
    AddedFilesView,
    KeepingView,
    ProjectView,
    RemovedFilesView,
    keeping_view,
    project_view,
)

router = APIRouter(
    prefix="/v1/projects", tags=["projects"], responses=PROBLEM, route_class=StrictRoute
)

Name = Annotated[str, Field(min_length=1, max_length=200)]
Description = Annotated[str, Field(max_length=2_000)]


WORDS = {"none": NEVER, "installation": AS_INSTALLED}


def _days(value: Any) -> KeepDays:
    """Read how long files are kept; one reason for all that is wrong, rather than one a type."""
    if value in (*WORDS,) or (type(value) is int and 1 <= value <= MOST_DAYS):
        days: KeepDays = value
        return days
    raise ValueError(f"Say days, 1 to {MOST_DAYS:,}, none to keep them for ever, or installation.")


GivenDays = Annotated[
    KeepDays,
    PlainValidator(_days),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_DAYS},
                {"type": "string", "enum": [*WORDS]},
            ]
        }
    ),
]


class ProjectBody(Body):
    name: Name
    description: Description = ""


class SettingsBody(Body):
    """What jobs, splits and exports over a project begin with."""

    steps: list[StepBody] = Field([], max_length=20)
    split: SplitBody | None = None
    export: ExportFormat | None = None
    seed: int | None = Field(None, ge=0, le=2**53 - 1, strict=True)
    max_files: int | None = Field(
        None, ge=1, le=10_000_000, strict=True, description="More members are refused."
    )


class ProjectPatch(Body):
    name: Name | None = None
    description: Description | None = None
    settings: SettingsBody | None = Field(None, description="Replaces all of them.")
    keep_days: GivenDays | None = Field(
        None,
        description="How long its files are kept from when they joined; `none`: for ever; "
        "`installation`: as that says. Its owner's alone; what it was holds beside for a day.",
    )


class MembersBody(Body):
    files: list[Annotated[str, Field(max_length=100)]] = Field(
        min_length=1, max_length=MAX_AT_ONCE, description="Ids of uploaded files or of results."
    )


@router.post("", status_code=201)
async def create_project(
    body: ProjectBody, caller: Caller, mill: Mill, response: Response
) -> ProjectView:
    """Make an empty project."""
    project = await mill.projects.create(caller, body.name, body.description)
    response.headers["Location"] = f"/v1/projects/{project.id}"
    return project_view(project)


@router.get("")
async def list_projects(
    caller: Caller,
    mill: Mill,
    state: Annotated[
        Literal["trashed", "shared"] | None,
        Query(description="Those deleted instead, or those of others that are shared."),
    ] = None,
    file: Annotated[
        str | None,
        Query(
            pattern="^file_[0-9A-Za-z-]{1,64}$",
            description="Those that hold this file instead, also those of others.",
        ),
    ] = None,
    after: After = None,
    limit: Limit = 20,
) -> Listed[ProjectView]:
    """List the caller's projects, newest first; those that hold a file in no order.

    Of these a page may hold few, or none, and still have `has_more`.
    """
    lists = {"trashed": mill.projects.trash, "shared": mill.datasets.sharing.with_me}
    with cursor(after):
        if file is None:
            page = await lists.get(state or "", mill.projects.list)(caller, after, limit)
        elif state is None:
            page = await mill.datasets.members.holding(caller, file, after, limit)
        else:
            raise InvalidInput.at("state", "Ask for `file` or for `state`, not for both.")
    return listed([await view(mill, caller, project) for project in page.rows], page.after)


async def view(mill: App, caller: Principal, project: Project) -> ProjectView:
    """Show a project with what the caller is to it."""
    return project_view(project, await mill.datasets.sharing.role(caller, project))


@router.get("/{project_id}")
async def get_project(project_id: ProjectId, caller: Caller, mill: Mill) -> ProjectView:
    """Show one project."""
    return await view(mill, caller, await mill.projects.get(caller, project_id))


@router.patch("/{project_id}")
async def change_project(
    project_id: ProjectId, body: ProjectPatch, caller: Caller, mill: Mill
) -> ProjectView:
    """Rename or describe a project anew, replace its settings, or say how long it keeps its files.

    What is not given, or null, stays.
    """
    if body.keep_days is not None:
        await mill.datasets.keeping.own(caller, project_id)
    changed = await mill.projects.change(caller, project_id, body.name, body.description)
    if body.settings is not None:
        fields = body.settings.model_dump(exclude_none=True, exclude_defaults=True)
        changed = await mill.datasets.settings.change(caller, project_id, fields)
    if body.keep_days is not None:  # last: what is refused is to remove nothing
        rule = rule_of(body.keep_days)
        changed = await mill.datasets.keeping.change(caller, project_id, rule)
    return await view(mill, caller, changed)


def tried_rule(text: str | None) -> str | None:
    """Return the rule that a query names; None where it names none."""
    return None if text is None else WORDS.get(text, f"{text}d")


@router.get("/{project_id}/retention")
async def try_project_retention(
    project_id: ProjectId,
    caller: Caller,
    mill: Mill,
    keep_days: Annotated[
        str | None,
        Query(
            pattern=f"^(none|installation|[1-9][0-9]{{0,{len(str(MOST_DAYS)) - 1}}})$",
            description="The rule to try: days, `none`, or `installation`; else the one that is "
            "set.",
        ),
    ] = None,
    after: After = None,
) -> KeepingView:
    """Tell what a rule would take of a project's files, when, and why; nothing is changed.

    Of 200 members at a time: add up what the pages say.
    """
    with cursor(after):
        look = await mill.datasets.keeping.look(caller, project_id, tried_rule(keep_days), after)
    return keeping_view(look)


@router.delete("/{project_id}", status_code=204)
async def delete_project(
    project_id: ProjectId,
    caller: Caller,
    mill: Mill,
    now: Annotated[bool, Query(description="Without the day to undo.")] = False,
) -> None:
    """Delete a project; its files stay, and for a day it can be brought back."""
    await mill.projects.delete(caller, project_id, now=now)


@router.post("/{project_id}/restore")
async def restore_project(project_id: ProjectId, caller: Caller, mill: Mill) -> ProjectView:
    """Bring a deleted project back with its members; 409 once it is being removed."""
    return project_view(await mill.projects.restore(caller, project_id))


@router.post("/{project_id}/files")
async def add_project_files(
    project_id: ProjectId, body: MembersBody, caller: Caller, mill: Mill
) -> AddedFilesView:
    """Add files; all of them, or none when one is not there. Again is harmless."""
    return AddedFilesView(added=await mill.projects.add(caller, project_id, body.files))


@router.delete("/{project_id}/files/{file_id}", status_code=204)
async def remove_project_file(
    project_id: ProjectId, file_id: FileId, caller: Caller, mill: Mill
) -> None:
    """Take one file out of a project; again is harmless."""
    await mill.projects.remove(caller, project_id, [file_id])


@router.delete("/{project_id}/files")
async def remove_project_files(
    project_id: ProjectId, body: MembersBody, caller: Caller, mill: Mill
) -> RemovedFilesView:
    """Take files out of a project; the files themselves stay."""
    return RemovedFilesView(removed=await mill.projects.remove(caller, project_id, body.files))
