"""Everybody's work, for administrators: how much waits, and what failed lately."""

from fastapi import APIRouter

from mediamill.web.parsing import PROBLEM, After, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.running import FailureView, QueueView, failure_view, queue_view

router = APIRouter(prefix="/v1/admin", tags=["admin"], responses=PROBLEM, route_class=StrictRoute)


@router.get("/queue")
async def read_queue(caller: Caller, mill: Mill) -> Listed[QueueView]:
    """Tell how much waits and runs, by class; it may be some seconds old."""
    return listed([queue_view(one) for one in await mill.running.queue(caller)], None)


@router.get("/failures")
async def list_failures(
    caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[FailureView]:
    """List everybody's jobs that failed, or failed in part, the latest end first.

    Ids, operations, error codes and counts: nothing of what was worked on.
    """
    with cursor(after):
        page = await mill.running.failures(caller, after, limit)
    return listed([failure_view(one) for one in page.rows], page.after)
