"""The pages' addresses, and the parts of pages that scripts fetch when something changed."""

from typing import Any

from fastapi import APIRouter, Request, Response

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.web.api.jobs import view
from mediamill.web.api.operations import operation_view
from mediamill.web.pages import signin
from mediamill.web.pages.agreed import Outliers, outliers, references
from mediamill.web.pages.calls import troubles
from mediamill.web.pages.forms import asking, inputs
from mediamill.web.pages.reading import pictures, sheets
from mediamill.web.pages.reference import endpoints
from mediamill.web.pages.rendering import page
from mediamill.web.parsing import After, FileId, JobId, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.views.files import FileView, file_view
from mediamill.web.views.jobs import JobView

FILES, JOBS, FAILED = 50, 8, 50

router = APIRouter(include_in_schema=False)
router.include_router(signin.router)


@router.get("/")
async def home_page(caller: Caller, mill: Mill) -> Response:
    """Show the caller's files, what can be done with them, and recent jobs."""
    files = await mill.files.list(caller, None, FILES)
    operations = [
        operation_view(name, mill.operations.get(name)) for name in mill.operations.names()
    ]
    return page(
        "home.html",
        user=await mill.accounts.profile(caller),
        files=[file_view(file) for file in await mill.kept.dated(files.rows)],
        after=files.after,
        operations=[(operation, inputs(operation.schema_)) for operation in operations],
        asking=asking(mill.operations),
        jobs=await _recent(mill, caller),
        usage=await mill.repositories.usages.get(caller.user),
        quota=(await mill.repositories.usages.limits(caller.user)).bytes,
    )


@router.get("/jobs/{job_id}")
async def job_page(job_id: JobId, caller: Caller, mill: Mill) -> Response:
    """Show one job, live until it has ended."""
    job = await mill.jobs.get(caller, job_id)
    return page(
        "job.html",
        user=await mill.accounts.profile(caller),
        job=await view(mill, job),
        **await _outcome(mill, caller, job_id),
    )


@router.get("/trash")
async def trash_page(caller: Caller, mill: Mill) -> Response:
    """Show what the caller deleted and can bring back."""
    files = await mill.trash.list(caller, None, FILES)
    user = await mill.accounts.profile(caller)
    views = [file_view(file) for file in await mill.kept.dated(files.rows)]
    return page("trash.html", user=user, files=views, after=files.after)


@router.get("/docs")
async def docs_page(request: Request) -> Response:
    """Show the API's description, rendered from its own document."""
    document = request.app.openapi()
    return page("docs.html", document=document, groups=endpoints(document), user=None)


# -- parts ------------------------------------------------------------------------------------


@router.get("/parts/files")
async def files_part(caller: Caller, mill: Mill, after: After = None) -> Response:
    """Render more rows of the list of files."""
    with cursor(after):
        files = await mill.files.list(caller, after, FILES)
    views: list[FileView] = [file_view(file) for file in await mill.kept.dated(files.rows)]
    return page("parts/files.html", files=views, after=files.after)


@router.get("/parts/trash")
async def trash_part(caller: Caller, mill: Mill, after: After = None) -> Response:
    """Render more rows of the trash."""
    with cursor(after):
        files = await mill.trash.list(caller, after, FILES)
    views = [file_view(file) for file in await mill.kept.dated(files.rows)]
    return page("parts/trash.html", files=views, after=files.after)


@router.get("/parts/files/{file_id}")
async def file_part(file_id: FileId, caller: Caller, mill: Mill) -> Response:
    """Render one row of the list of files."""
    file = await mill.kept.dated_one(await mill.files.get(caller, file_id))
    waits = await mill.waiting.file(file)
    return page("parts/file.html", file=file_view(file, for_workers=waits))


@router.get("/parts/jobs")
async def jobs_part(caller: Caller, mill: Mill) -> Response:
    """Render the list of recent jobs."""
    return page("parts/jobs.html", jobs=await _recent(mill, caller))


@router.get("/parts/jobs/{job_id}")
async def outcome_part(job_id: JobId, caller: Caller, mill: Mill) -> Response:
    """Render what a job came to: its failed items and its pictures."""
    job = await view(mill, await mill.jobs.get(caller, job_id))
    return page("parts/outcome.html", job=job, **await _outcome(mill, caller, job_id))


@router.get("/parts/jobs/{job_id}/outliers")
async def outliers_part(job_id: JobId, caller: Caller, mill: Mill, after: After = None) -> Response:
    """Render more images that a job marked as far from the set."""
    job = await mill.jobs.get(caller, job_id)
    with cursor(after):
        found = await outliers(mill, caller, job, after) or Outliers([])
    return page("parts/outliers.html", outliers=found, job=job.id)


@router.get("/parts/frames/{file_id}")
async def frames_part(file_id: FileId, caller: Caller, mill: Mill, after: After = None) -> Response:
    """Render more pictures of an archive."""
    shown, following = await pictures(mill, caller, file_id, after)
    return page("parts/frames.html", pictures=shown, after=following, file=file_id)


async def _recent(mill: App, caller: Principal) -> list[JobView]:
    jobs = await mill.jobs.list(caller, None, JOBS)
    return [await view(mill, job) for job in jobs.rows]


async def _outcome(mill: App, caller: Principal, job_id: str) -> dict[str, Any]:
    job = await mill.jobs.get(caller, job_id)
    failed = await mill.items.list(caller, job_id, "failed", None, FAILED)
    found = await sheets(mill, caller, job) if job.state.terminal else []
    told = await mill.notifications.deliveries(caller, job_id) if job.state.terminal else ()
    return {
        "money": await mill.models.ledger.of_job(job),
        "troubles": await troubles(mill, caller, job),
        "untold": [one for one in told if one.state == "failed"],
        "failed": failed.rows,
        "more_failed": failed.after is not None,
        "sheets": found,
        "references": references(job),
        "outliers": await outliers(mill, caller, job) if job.state.terminal else None,
    }
