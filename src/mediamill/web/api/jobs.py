"""Jobs: submit, watch, steer, and read what came of them."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from mediamill.app import App
from mediamill.services.jobs.requests import MOST_BUDGET
from mediamill.services.jobs.retrying import Only
from mediamill.services.jobs.service import chosen_by
from mediamill.store.repositories.jobs import Job
from mediamill.web.api.files import BYTES, ELSEWHERE
from mediamill.web.events import job_events
from mediamill.web.gateway import gateway_of
from mediamill.web.parsing import PROBLEM, After, JobId, Limit, StrictRoute, cursor
from mediamill.web.redirecting import redirected
from mediamill.web.security import Caller, Mill
from mediamill.web.serving import serve
from mediamill.web.submitting import JobBody
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.jobs import JobView, job_view
from mediamill.web.views.plans import PlanView, plan_view
from mediamill.web.views.results import ItemView, ResultView, item_view, result_view

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=PROBLEM, route_class=StrictRoute)

EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A `job` event with a snapshot at each change, and `retry`; the id is "
        "its revision and its progress. With `Last-Event-ID` what was seen is not sent again.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "The job has ended and the caller has seen it."},
}


async def view(mill: App, job: Job) -> JobView:
    """Describe a job with its progress."""
    inputs = await mill.repositories.manifests.named(job.inputs)
    progress, money = await mill.jobs.progress(job), await mill.models.ledger.of_job(job)
    return job_view(job, progress, money, inputs)


async def row(mill: App, job: Job) -> JobView:
    """Describe a job as one of many: without names that are not in its row."""
    return job_view(job, await mill.jobs.progress(job), await mill.models.ledger.of_job(job))


PLANNED: dict[int | str, dict[str, Any]] = {
    200: {"model": PlanView, "description": "With `dry_run`: what the job would be."}
}


@router.post("", status_code=202, responses=PLANNED)
async def submit_job(
    body: JobBody,
    caller: Caller,
    mill: Mill,
    response: Response,
    dry_run: Annotated[bool, Query(description="Only tell what the job would be.")] = False,
) -> JobView | PlanView:
    """Accept a job; once answered, it survives anything and reaches an end."""
    if dry_run:
        response.status_code = 200
        return plan_view(await mill.planner.plan(caller, body.request()))
    job = await mill.jobs.submit(caller, body.request())
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return await view(mill, job)


Shown = Literal[
    "expanding", "running", "cancelling", "succeeded", "partial", "failed", "cancelled", "expired",
    "unfinished", "trashed",
]  # fmt: skip
UNFINISHED = "unfinished"


@router.get("")
async def list_jobs(
    caller: Caller,
    mill: Mill,
    state: Annotated[
        Shown | None,
        Query(description="Only those; `unfinished`: the first three; deleted: `trashed`."),
    ] = None,
    name: Annotated[str, Query(max_length=200, description="Part of the name.")] = "",
    template: Annotated[str, Query(max_length=100, description="Id of a template.")] = "",
    operation: Annotated[str, Query(max_length=100, description="Of one of its steps.")] = "",
    project: Annotated[
        str, Query(max_length=100, description="Whose files it reads, or which its results join.")
    ] = "",
    after: After = None,
    limit: Limit = 20,
) -> Listed[JobView]:
    """List the caller's jobs, newest first; with a filter a page may hold fewer than there are."""
    with cursor(after):
        if state == "trashed":
            page = await mill.job_trash.list(caller, after, limit)
        else:
            chosen = chosen_by(
                None if state == UNFINISHED else state, name, template, operation, project
            )
            unfinished = state == UNFINISHED
            page = await mill.jobs.list(caller, after, limit, chosen, unfinished=unfinished)
    views = await asyncio.gather(*(row(mill, job) for job in page.rows))
    return listed(list(views), page.after)


@router.get("/{job_id}")
async def get_job(
    job_id: JobId,
    caller: Caller,
    mill: Mill,
    request: Request,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for its end, 55 at most.")
    ] = 0,
) -> JobView:
    """Show a job, at once or when it has ended."""
    if wait := gateway_of(request.scope).patience(wait):
        return await view(mill, await mill.jobs.wait(caller, job_id, wait))
    return await view(mill, await mill.jobs.get(caller, job_id))


@router.delete("/{job_id}", status_code=204)
async def delete_job(
    job_id: JobId,
    caller: Caller,
    mill: Mill,
    now: Annotated[bool, Query(description="Remove its results without the day to undo.")] = False,
) -> None:
    """Cancel a job if it runs, and hide it at once; its results go after a day."""
    await mill.job_trash.delete(caller, job_id, now=now)


@router.post("/{job_id}/restore")
async def restore_job(job_id: JobId, caller: Caller, mill: Mill) -> JobView:
    """Bring a deleted job and its results back; 409 once they are being removed."""
    return await view(mill, await mill.job_trash.restore(caller, job_id))


@router.post("/{job_id}/cancel", status_code=202)
async def cancel_job(job_id: JobId, caller: Caller, mill: Mill) -> JobView:
    """Stop a job; what is done stays."""
    return await view(mill, await mill.jobs.cancel(caller, job_id))


@router.post("/{job_id}/retry", status_code=202)
async def retry_job(
    job_id: JobId,
    caller: Caller,
    mill: Mill,
    only: Annotated[Only, Query(description="Which items: `unfinished` is both others.")] = (
        "unfinished"
    ),
    budget: Annotated[
        float | None,
        Query(
            ge=0,
            le=MOST_BUDGET,
            description="Another budget in US dollars, for all its model calls, those before too.",
        ),
    ] = None,
) -> JobView:
    """Run the failed or cancelled items of an ended job again; what is done stays."""
    return await view(mill, await mill.jobs.retry(caller, job_id, only, budget))


ItemState = Literal["succeeded", "failed", "reused", "pending", "running", "cancelled", "expired"]


@router.get("/{job_id}/items")
async def list_items(
    job_id: JobId,
    caller: Caller,
    mill: Mill,
    state: Annotated[ItemState | None, Query()] = None,
    after: After = None,
    limit: Limit = 20,
) -> Listed[ItemView]:
    """List a job's inputs with what became of each, those first that failed in earlier stages.

    `running` are those that a worker has taken, with all others of its unit.
    """
    with cursor(after):
        page = await mill.items.list(caller, job_id, state, after, limit)
    job, places = await mill.jobs.get(caller, job_id), [(i.stage, i.index) for i in page.rows]
    money = await mill.models.ledger.of_items(job, places)
    views = [item_view(item, money.get((item.stage, item.index))) for item in page.rows]
    return listed(views, page.after)


@router.get("/{job_id}/results")
async def list_results(
    job_id: JobId,
    caller: Caller,
    mill: Mill,
    outlier: Annotated[
        bool, Query(description="Only images that preprocess marked as far from the set.")
    ] = False,
    after: After = None,
    limit: Limit = 20,
) -> Listed[ResultView]:
    """List a job's outcomes, in the order of its inputs.

    With `outlier` those of all stages; a page may then hold fewer than there are.
    """
    find = mill.jobs.outliers if outlier else mill.jobs.outcomes
    with cursor(after):
        page = await find(caller, job_id, after, limit)
    return listed([result_view(result) for result in page.rows], page.after)


@router.head("/{job_id}/download", responses=BYTES, response_class=Response)
@router.get("/{job_id}/download", responses=ELSEWHERE, response_class=Response)
async def download_job(job_id: JobId, caller: Caller, mill: Mill, request: Request) -> Response:
    """Download all results as one zip; 409 with the state until the job has ended.

    Behind a gateway that does not let it pass: 503 until it is put together, then 307.
    """
    content = await mill.downloads.job(caller, job_id)
    return await redirected(request, mill, content) or serve(request, content)


@router.get("/{job_id}/events", responses=EVENTS, response_class=Response)
async def watch_job(job_id: JobId, caller: Caller, mill: Mill, request: Request) -> Response:
    """Follow a job: server-sent events until it has ended."""
    return await job_events(request, mill, caller, job_id)
