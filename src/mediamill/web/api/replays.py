"""Replays: make a result again, to see that it is the same."""

from fastapi import APIRouter, Response

from mediamill.web.api.jobs import view
from mediamill.web.parsing import PROBLEM, FileId, StrictRoute
from mediamill.web.security import Caller, Mill
from mediamill.web.views.jobs import JobView

router = APIRouter(prefix="/v1/files", tags=["files"], responses=PROBLEM, route_class=StrictRoute)


@router.post("/{file_id}/replay", status_code=202)
async def replay_file(file_id: FileId, caller: Caller, mill: Mill, response: Response) -> JobView:
    """Make a result file again by its lineage, as a job of one item; a report of all its inputs.

    The result of that job has the same `sha256` under the same libraries on the same kind of
    processor; else the `lineage` of both files names what differs. Of a frame that a project took
    out of a job's archive the archive is made again. A report lists its inputs in the background:
    where one is gone, the `error` of the job says so. Answers of models are refused, as they differ
    each time.
    """
    job = await mill.replays.begin(caller, file_id)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return await view(mill, job)
