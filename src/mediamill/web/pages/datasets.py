"""The pages of projects: what is in them, drawn on them, made of them, and frozen."""

from typing import Any

from fastapi import APIRouter, Response

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import NotFound
from mediamill.datasets.exporting import EXPORTS
from mediamill.operations.base import Operation
from mediamill.store.repositories.projects import SPLITS, SUBSETS
from mediamill.web.api.jobs import view as job_view
from mediamill.web.api.projects import view
from mediamill.web.pages.agreed import chosen_before
from mediamill.web.pages.forms import form
from mediamill.web.pages.rendering import page
from mediamill.web.parsing import FileId, ProjectId
from mediamill.web.security import Caller, Mill
from mediamill.web.views.files import file_view
from mediamill.web.views.jobs import JobView

LOOKED_AT = 100
"""Latest jobs among which those of a project are looked for."""
HEALTH = "health-check"

router = APIRouter(include_in_schema=False)


@router.get("/projects")
async def projects_page(caller: Caller, mill: Mill) -> Response:
    """Show the caller's projects, and those that others share with them."""
    return page("projects.html", user=await mill.accounts.profile(caller))


@router.get("/projects/{project_id}")
async def project_page(project_id: ProjectId, caller: Caller, mill: Mill) -> Response:
    """Show the images of a project."""
    return await _page(mill, caller, project_id, "project.html", "")


@router.get("/projects/{project_id}/classes")
async def classes_page(project_id: ProjectId, caller: Caller, mill: Mill) -> Response:
    """Show the classes of a project; bring annotations in and out."""
    return await _page(mill, caller, project_id, "classes.html", "/classes")


@router.get("/projects/{project_id}/annotate/{file_id}")
async def annotate_page(
    project_id: ProjectId, file_id: FileId, caller: Caller, mill: Mill
) -> Response:
    """Show one image of a project with what is drawn on it, to draw more."""
    drawn = await mill.annotations.drawing.get(caller, project_id, file_id)
    file = file_view(await mill.kept.dated_one(drawn.file))
    return await _page(mill, caller, project_id, "annotate.html", "", file=file)


@router.get("/projects/{project_id}/split")
async def split_page(project_id: ProjectId, caller: Caller, mill: Mill) -> Response:
    """Show how a project is split, and split it anew."""
    return await _page(mill, caller, project_id, "split.html", "/split")


@router.get("/projects/{project_id}/process")
async def process_page(project_id: ProjectId, caller: Caller, mill: Mill) -> Response:
    """Choose operations for the images of a project, with previews."""
    kinds = {name: mill.operations.get(name) for name in mill.operations.names()}
    shown = [form(name, kind) for name, kind in kinds.items() if _for_images(name, kind)]
    jobs = await _jobs(mill, caller, project_id)
    return await _page(
        mill, caller, project_id, "process.html", "/process", forms=shown, jobs=jobs,
        reference=await chosen_before(mill, caller, jobs),
    )  # fmt: skip


@router.get("/projects/{project_id}/health")
async def health_page(project_id: ProjectId, caller: Caller, mill: Mill) -> Response:
    """Show what the latest health check of a project found."""
    jobs = await _jobs(mill, caller, project_id, HEALTH)
    checked = bool(jobs) or await _checked(mill, caller, project_id)
    return await _page(
        mill, caller, project_id, "health.html", "/health", jobs=jobs, checked=checked
    )


@router.get("/projects/{project_id}/versions")
async def versions_page(project_id: ProjectId, caller: Caller, mill: Mill) -> Response:
    """Show the frozen versions of a project, and freeze another."""
    return await _page(mill, caller, project_id, "versions.html", "/versions")


@router.get("/projects/{project_id}/settings")
async def project_settings_page(project_id: ProjectId, caller: Caller, mill: Mill) -> Response:
    """Name, share, copy and delete a project."""
    return await _page(mill, caller, project_id, "settings.html", "/settings")


async def _page(
    mill: App, caller: Principal, project_id: str, template: str, section: str, **context: Any
) -> Response:
    project = await mill.projects.get(caller, project_id)
    return page(
        template,
        user=await mill.accounts.profile(caller),
        project=await view(mill, caller, project),
        section=section,
        subsets=SUBSETS,
        splits=SPLITS,
        exports=EXPORTS,
        **context,
    )


async def _checked(mill: App, caller: Principal, project_id: str) -> bool:
    """Tell whether somebody whose check the caller may see has checked a project."""
    try:
        await mill.datasets.checks.latest(caller, project_id)
    except NotFound:
        return False
    return True


def _for_images(name: str, kind: type[Operation]) -> bool:
    """Tell whether an operation takes images and gives some, or a report about them."""
    return name != HEALTH and "image/*" in kind.accepts


async def _jobs(
    mill: App, caller: Principal, project_id: str, operation: str | None = None
) -> list[JobView]:
    """Return the caller's latest jobs over a project, of one operation if that is named."""
    jobs = await mill.jobs.list(caller, None, LOOKED_AT)
    return [
        await job_view(mill, job)
        for job in jobs.rows
        if job.inputs.get("id") == project_id
        and (operation is None or job.steps[-1].operation == operation)
    ][:10]
