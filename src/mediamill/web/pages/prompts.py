"""The pages of prompts: ask about files, and read the answers as they come."""

from typing import Any

from fastapi import APIRouter, Response

from mediamill.adapters.providers.port import Kind
from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.services.models.choices import Choices
from mediamill.store.repositories.jobs import Job
from mediamill.web.api.jobs import view
from mediamill.web.pages.answers import answers
from mediamill.web.pages.rendering import page
from mediamill.web.parsing import After, JobId, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.views.jobs import JobView

OPERATION = "prompt"
LOOKED_AT, RECENT = 100, 8
"""Latest jobs among which those that ask are looked for, and how many of these are listed."""

router = APIRouter(include_in_schema=False)


@router.get("/prompts")
async def prompts_page(caller: Caller, mill: Mill) -> Response:
    """Choose files and what is asked about them."""
    return await _page(mill, caller, None)


@router.get("/prompts/{job_id}")
async def answers_page(job_id: JobId, caller: Caller, mill: Mill) -> Response:
    """Show the answers of a job, live until it has ended, and what was asked, to ask again."""
    return await _page(mill, caller, await mill.jobs.get(caller, job_id))


@router.get("/parts/answers/{job_id}")
async def answers_part(job_id: JobId, caller: Caller, mill: Mill, after: After = None) -> Response:
    """Render some answers of a job."""
    with cursor(after):
        shown, following = await answers(mill, caller, job_id, after)
    return page("parts/answers.html", answers=shown, after=following, job_id=job_id)


async def _page(mill: App, caller: Principal, job: Job | None) -> Response:
    return page(
        "prompts.html",
        user=await mill.accounts.profile(caller),
        job=None if job is None else await view(mill, job),
        asked=_asked(job),
        inputs=None if job is None else await mill.items.inputs(caller, job.id),
        offer=await Choices(mill.parts.models, OPERATION, Kind.TEXT).offer(),
        accepts=mill.operations.get(OPERATION).accepts,
        jobs=await _recent(mill, caller),
    )


def _asked(job: Job | None) -> dict[str, Any]:
    """Return the parameters that a job asked with."""
    steps = [step for step in (job.steps if job else ()) if step.operation == OPERATION]
    return dict(steps[0].parameters) if steps else {}


async def _recent(mill: App, caller: Principal) -> list[JobView]:
    """Return the caller's latest jobs that end with a prompt."""
    jobs = await mill.jobs.list(caller, None, LOOKED_AT)
    found = [job for job in jobs.rows if job.steps[-1].operation == OPERATION]
    return [await view(mill, job) for job in found[:RECENT]]
