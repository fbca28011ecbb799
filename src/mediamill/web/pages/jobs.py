"""The pages of jobs: the list of all of them, and one with what came of it.

What is live there comes from the public API and its stream of events; rendered here is what a
step agreed on, what was far from it, and what model calls cost.
"""

from typing import Any

from fastapi import APIRouter, Response

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.store.repositories.jobs import Job
from mediamill.web.api.jobs import view
from mediamill.web.pages.agreed import Outliers, outliers, references
from mediamill.web.pages.calls import troubles
from mediamill.web.pages.rendering import page
from mediamill.web.parsing import After, JobId, cursor
from mediamill.web.security import Caller, Mill

STATES = (
    "unfinished", "running", "succeeded", "partial", "failed", "cancelled", "expired", "trashed",
)  # fmt: skip
"""By which the list is filtered."""

router = APIRouter(include_in_schema=False)


@router.get("/jobs")
async def jobs_page(caller: Caller, mill: Mill) -> Response:
    """Show the caller's jobs, those under way first, live."""
    user = await mill.accounts.profile(caller)
    return page("jobs.html", user=user, operations=mill.operations.names(), states=STATES)


@router.get("/jobs/{job_id}")
async def job_page(job_id: JobId, caller: Caller, mill: Mill) -> Response:
    """Show one job, live until it has ended."""
    job = await mill.jobs.get(caller, job_id)
    return page(
        "job.html",
        user=await mill.accounts.profile(caller),
        job=await view(mill, job),
        **await _outcome(mill, caller, job),
    )


@router.get("/parts/jobs/{job_id}")
async def outcome_part(job_id: JobId, caller: Caller, mill: Mill) -> Response:
    """Render what a job's steps agreed on, what its calls cost, and mails that were not sent."""
    job = await mill.jobs.get(caller, job_id)
    context = await _outcome(mill, caller, job)
    return page("parts/ended.html", job=await view(mill, job), **context)


@router.get("/parts/jobs/{job_id}/outliers")
async def outliers_part(job_id: JobId, caller: Caller, mill: Mill, after: After = None) -> Response:
    """Render more images that a job marked as far from the set."""
    job = await mill.jobs.get(caller, job_id)
    with cursor(after):
        found = await outliers(mill, caller, job, after) or Outliers([])
    return page("parts/outliers.html", outliers=found, job=job.id)


async def _outcome(mill: App, caller: Principal, job: Job) -> dict[str, Any]:
    ended = job.state.terminal
    told = await mill.notifications.deliveries(caller, job.id) if ended else ()
    return {
        "money": await mill.models.ledger.of_job(job),
        "troubles": await troubles(mill, caller, job),
        "untold": [one for one in told if one.state == "failed"],
        "references": references(job),
        "outliers": await outliers(mill, caller, job) if ended else None,
    }
