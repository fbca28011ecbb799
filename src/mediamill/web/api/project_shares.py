"""Who sees a project, and copies of it; what comes into it from archives."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from mediamill.engine.gathering.members import MAX_PATTERN, MAX_PATTERNS
from mediamill.services.projects.copies import SAMPLE
from mediamill.web.parsing import (
    PROBLEM,
    After,
    Body,
    Limit,
    ProjectId,
    StrictRoute,
    UserId,
    cursor,
)
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.datasets import ShareView, TaskView, share_view, task_view

router = APIRouter(
    prefix="/v1/projects", tags=["projects"], responses=PROBLEM, route_class=StrictRoute
)

Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)]


class ShareBody(Body):
    user: str = Field(
        min_length=1, max_length=320, description="Their e-mail address, or their id."
    )
    role: Literal["viewer", "editor"]


class CopyBody(Body):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    files: int | None = Field(
        None, ge=1, le=1_000_000, strict=True, description="So many at random; all, if not given."
    )
    seed: int = Field(0, ge=0, le=2**53 - 1, strict=True)


class SampleBody(Body):
    name: Annotated[str, Field(min_length=1, max_length=200)] = SAMPLE


DEFAULT = SampleBody()


class ArchiveImportBody(Body):
    file: str | None = Field(None, max_length=100, description="A zip of images.")
    job: str | None = Field(
        None, max_length=100, description="A job instead, of whose archives of frames all join."
    )
    members: list[Pattern] | None = Field(
        None,
        max_length=MAX_PATTERNS,
        description="Which members of it, by name or by patterns as for a job.",
        examples=[["frame-*.jpg"]],
    )
    folders: Literal["none", "split", "split-and-class"] = Field(
        "split", description="What the folders in it say, as in `train/cat/1.jpg`."
    )


@router.get("/{project_id}/shares")
async def list_shares(
    project_id: ProjectId, caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[ShareView]:
    """List with whom a project of one's own is shared."""
    with cursor(after):
        page = await mill.datasets.sharing.list(caller, project_id, after, limit)
    views = [share_view(share, user.email, user.name) for share, user in page.rows]
    return listed(views, page.after)


@router.post("/{project_id}/shares", status_code=201)
async def share_project(
    project_id: ProjectId, body: ShareBody, caller: Caller, mill: Mill
) -> ShareView:
    """Share a project as viewer or editor, or change somebody's role; it works at once."""
    share, user = await mill.datasets.sharing.share(caller, project_id, body.user, body.role)
    return share_view(share, user.email, user.name)


@router.delete("/{project_id}/shares/{user_id}", status_code=204)
async def revoke_share(project_id: ProjectId, user_id: UserId, caller: Caller, mill: Mill) -> None:
    """Take a share back, or leave a project of somebody else; it works at once."""
    await mill.datasets.sharing.revoke(caller, project_id, user_id)


@router.post("/{project_id}/copy", status_code=202)
async def copy_project(
    project_id: ProjectId, body: CopyBody, caller: Caller, mill: Mill, response: Response
) -> TaskView:
    """Copy a project, or files of it drawn by the seed, with splits and annotations.

    The task is the new project's. Files of others are copied; one's own are members of both.
    """
    task = await mill.datasets.copies.copy(caller, project_id, body.name, body.files, body.seed)
    response.headers["Location"] = f"/v1/projects/{task.project}"
    return task_view(task)


@router.post("/sample", status_code=202)
async def create_sample(
    caller: Caller, mill: Mill, response: Response, body: SampleBody = DEFAULT
) -> TaskView:
    """Make a project of small pictures with classes and boxes, to try everything on."""
    task = await mill.datasets.copies.sample(caller, body.name)
    response.headers["Location"] = f"/v1/projects/{task.project}"
    return task_view(task)


@router.post("/{project_id}/import", status_code=202)
async def import_archive(
    project_id: ProjectId, body: ArchiveImportBody, caller: Caller, mill: Mill
) -> TaskView:
    """Make the members of an archive files of the project, in the background.

    What could not be taken is listed in the task, each with its reason; so are annotations that
    are in the archive, which `…/annotations/import` takes.
    """
    task = await mill.datasets.copies.bring(
        caller, project_id, body.file, body.job, body.folders, body.members or ()
    )
    return task_view(task)
