"""Members of projects by subset, split, group and class; splits; tasks."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from mediamill.services.projects.members import MAX_AT_ONCE
from mediamill.store.repositories.projects import Members
from mediamill.web.gateway import gateway_of
from mediamill.web.parsing import (
    PROBLEM,
    After,
    Body,
    Limit,
    ProjectId,
    StrictRoute,
    TaskId,
    cursor,
)
from mediamill.web.security import Caller, Mill
from mediamill.web.thumbnails import Thumbnails, pictured
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.datasets import (
    CheckView,
    ProjectFileView,
    TaskView,
    check_view,
    member_view,
    task_view,
)

router = APIRouter(
    prefix="/v1/projects", tags=["projects"], responses=PROBLEM, route_class=StrictRoute
)

Subset = Literal["original", "preprocessed", "augmented"]
Split = Literal["train", "validation", "test", ""]
Group = Annotated[str, Field(max_length=200)]
Class = Annotated[str, Field(min_length=1, max_length=200)]
Wait = Annotated[float, Query(ge=0, le=60, description="Seconds to wait for its end, 55 at most.")]
Share = Annotated[float, Field(ge=0, le=1_000_000, strict=True)]


class Fields(Body):
    """What members get anew; what is not given stays."""

    subset: Subset | None = None
    split: Split | None = None
    group: Group | None = None


class MovesBody(Body):
    files: list[Annotated[str, Field(max_length=100)]] | None = Field(
        None, min_length=1, max_length=MAX_AT_ONCE, description="Members, moved at once."
    )
    members: Fields | None = Field(
        None, description="All members of a subset, split or group instead, in the background."
    )
    set: Fields


class SplitBody(Body):
    train: Share = 0.8
    validation: Share = 0.1
    test: Share = 0.1
    seed: int = Field(0, ge=0, le=2**53 - 1, strict=True)
    stratify: bool = Field(
        True, strict=True, description="Spread every class in these proportions."
    )
    group_by: list[Literal["video", "name", "near-duplicates"]] = Field(
        ["video"], max_length=3, description="What keeps members together in one split."
    )
    keep: bool = Field(
        True, strict=True, description="Leave members where they are; place only the others."
    )


@router.get("/{project_id}/files")
async def list_project_files(
    project_id: ProjectId,
    caller: Caller,
    mill: Mill,
    subset: Annotated[Subset | None, Query()] = None,
    split: Annotated[Split | None, Query(description="Empty for those in none.")] = None,
    group: Annotated[str | None, Query(max_length=200)] = None,
    class_: Annotated[
        str | None, Query(alias="class", max_length=200, description="With annotations of it.")
    ] = None,
    annotated: Annotated[
        bool | None, Query(description="Those with annotations, or those without.")
    ] = None,
    thumbnails: Thumbnails = "own",
    after: After = None,
    limit: Limit = 20,
) -> Listed[ProjectFileView]:
    """List a project's files, oldest first; those in the trash are left out.

    With a filter a page may hold fewer than there are.
    """
    wanted = Members(subset, split, group)
    with cursor(after):
        page = await mill.datasets.members.page(
            caller, project_id, after, limit, wanted, class_, annotated=annotated
        )
    files = await mill.kept.dated([file for _, file in page.rows])
    rows = [row for row, _ in page.rows]
    views = [member_view(one) for one in zip(rows, files, strict=True)]
    return listed(await pictured(mill, files, views, thumbnails), page.after)


@router.patch("/{project_id}/files", status_code=202)
async def move_project_files(
    project_id: ProjectId, body: MovesBody, caller: Caller, mill: Mill
) -> TaskView:
    """Move members to another subset, split or group; the task that did it can be undone."""
    fields = body.set.model_dump(exclude_none=True)
    if body.files is not None:
        task = await mill.datasets.members.move(caller, project_id, body.files, fields)
    else:
        meant = body.members or Fields()
        wanted = Members(meant.subset, meant.split, meant.group)
        task = await mill.datasets.members.move_all(caller, project_id, wanted, fields)
    return task_view(task)


@router.post("/{project_id}/split", status_code=202)
async def split_project(
    project_id: ProjectId, body: SplitBody, caller: Caller, mill: Mill
) -> TaskView:
    """Place members in splits: seeded, grouped, stratified by class.

    The task's outcome tells the ratios wanted and reached, and the classes by split; with
    `near-duplicates` also how many members the health check has not looked at (`unchecked`). 409
    when no check has compared the images of all splits.
    """
    ratios = {"train": body.train, "validation": body.validation, "test": body.test}
    task = await mill.datasets.splits.begin(
        caller,
        project_id,
        ratios,
        seed=body.seed,
        stratify=body.stratify,
        group_by=body.group_by,
        keep=body.keep,
    )
    return task_view(task)


@router.get("/{project_id}/health")
async def latest_check(project_id: ProjectId, caller: Caller, mill: Mill) -> CheckView:
    """Show the newest health check of a project that has ended; 404 when there is none."""
    return check_view(await mill.datasets.checks.latest(caller, project_id))


@router.get("/{project_id}/tasks")
async def list_tasks(
    project_id: ProjectId, caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[TaskView]:
    """List what was done to a project in the background, newest first."""
    with cursor(after):
        page = await mill.datasets.tasks.list(caller, project_id, after, limit)
    return listed([task_view(task) for task in page.rows], page.after)


@router.get("/{project_id}/tasks/{task_id}")
async def get_task(
    project_id: ProjectId,
    task_id: TaskId,
    caller: Caller,
    mill: Mill,
    request: Request,
    wait: Wait = 0,
) -> TaskView:
    """Show a task, at once or when it has ended."""
    seconds = gateway_of(request.scope).patience(wait)
    return task_view(await mill.datasets.tasks.get(caller, project_id, task_id, seconds))


@router.post("/{project_id}/tasks/{task_id}/undo", status_code=202)
async def undo_task(project_id: ProjectId, task_id: TaskId, caller: Caller, mill: Mill) -> TaskView:
    """Take a move or a split back, save for members that were moved again since."""
    return task_view(await mill.datasets.tasks.undo(caller, project_id, task_id))
