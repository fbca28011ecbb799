"""Jobs as streams: events of all of them, and results as lines."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from mediamill.web.api.jobs import EVENTS
from mediamill.web.events import all_events
from mediamill.web.parsing import PROBLEM, JobId, StrictRoute
from mediamill.web.security import Caller, Mill
from mediamill.web.views.results import result_view

router = APIRouter(prefix="/v1", tags=["jobs"], responses=PROBLEM, route_class=StrictRoute)

ALL_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        **EVENTS[200],
        "description": "A `job` event with a snapshot of each unfinished job, then of each job "
        "that changes; `job_deleted` with an `id`. With `Last-Event-ID` also what ended since; "
        "an end may then come twice.",
    }
}
LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A `ResultView` per line.",
        "headers": {
            "Mediamill-Job-State": {
                "description": "State of the job; before its end, lines are still to come.",
                "schema": {"type": "string"},
            }
        },
        "content": {"application/jsonl": {"schema": {"type": "string"}}},
    }
}


@router.get("/events", responses=ALL_EVENTS, response_class=Response)
async def watch_jobs(caller: Caller, mill: Mill, request: Request) -> Response:
    """Follow all jobs of the caller, those of later too: server-sent events without end."""
    return await all_events(request, mill, caller)


@router.get("/jobs/{job_id}/results.jsonl", responses=LINES, response_class=Response)
async def stream_results(job_id: JobId, caller: Caller, mill: Mill) -> Response:
    """Read all outcomes of a job as JSON lines, those so far while it runs.

    First the items that failed in earlier stages, then the last stage's in the order of its inputs.
    """
    job = await mill.jobs.get(caller, job_id)

    async def lines() -> Any:
        async for result in mill.jobs.all_outcomes(job):
            yield result_view(result).model_dump_json(by_alias=True) + "\n"

    headers = {"Mediamill-Job-State": job.state, "Cache-Control": "no-store"}
    return StreamingResponse(lines(), media_type="application/jsonl", headers=headers)
