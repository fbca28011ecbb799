"""The page where jobs are made: what they work on, their steps, and what they would come to."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.store.repositories.projects import SPLITS, SUBSETS
from mediamill.store.repositories.spending import MICRO
from mediamill.web.pages.forms import forms
from mediamill.web.pages.rendering import page
from mediamill.web.security import Caller, Mill

router = APIRouter(include_in_schema=False)

_NAMED = ("files", "selection", "project", "archive", "manifest")
"""What an address says that the job works on."""
_PLACES = 24
"""Of files that an address names so many have their places before scripts run."""

Again = Annotated[str, Query(pattern=r"^(|job_[0-9A-Za-z-]{1,64})$")]


@router.get("/jobs/new")
async def new_job_page(request: Request, caller: Caller, mill: Mill, again: Again = "") -> Response:
    """Choose files and steps, and see what comes of them; with `again` as in an earlier job.

    Scripts read what else the address says: `files`, `selection`, `project`, `archive`,
    `manifest`, `template` and `operation`.
    """
    said = request.query_params
    earlier = await _earlier(mill, caller, again) if again else None
    files = [one for one in said.get("files", "").split(",") if one]
    if earlier:
        files = (earlier["inputs"] or {}).get("files", [])
    return page(
        "new_job.html",
        user=await mill.accounts.profile(caller),
        forms=forms(mill.operations),
        subsets=SUBSETS,
        splits=SPLITS,
        named=bool(again) or any(said.get(one) for one in _NAMED),
        coming=min(len(files), _PLACES),
        again=earlier,
    )


async def _earlier(mill: App, caller: Principal, job_id: str) -> dict[str, Any]:
    """Return what an earlier job was asked, as its request; raises `NotFound`."""
    job = await mill.jobs.get(caller, job_id)
    steps = [{"operation": one.operation, "parameters": one.parameters} for one in job.steps]
    return {
        "job": job.id,
        "inputs": await mill.items.inputs(caller, job_id),
        "steps": steps,
        "name": job.name,
        "seed": job.seed,
        "budget": None if job.budget is None else job.budget / MICRO,
        "output_project": job.output_project or None,
        "reuse": job.reuse,
        "batch": job.batch,
        "notify": {"email": job.mail},
    }
