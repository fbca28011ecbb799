"""Workers, for administrators: which there are, and letting them finish."""

from typing import Annotated

from fastapi import APIRouter, Path

from mediamill.web.parsing import PROBLEM, StrictRoute
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.workers import WorkerView, worker_view

router = APIRouter(
    prefix="/v1/admin/workers", tags=["workers"], responses=PROBLEM, route_class=StrictRoute
)

WorkerId = Annotated[
    str,
    Path(pattern=r"^worker_[0-9A-Za-z-]{1,64}$", examples=["worker_01KAHRQPV0V3E3M2X5E2C8T2QG"]),
]


@router.get("")
async def list_workers(caller: Caller, mill: Mill) -> Listed[WorkerView]:
    """List workers, oldest first, and those of the last day that were lost or have drained."""
    return listed([worker_view(one) for one in await mill.workers.list(caller)], None)


@router.post("/{worker_id}/drain")
async def drain_worker(worker_id: WorkerId, caller: Caller, mill: Mill) -> WorkerView:
    """Have a worker finish what it has and take nothing new; then it ends, or waits."""
    return worker_view(await mill.workers.drain(caller, worker_id))


@router.post("/{worker_id}/undrain")
async def undrain_worker(worker_id: WorkerId, caller: Caller, mill: Mill) -> WorkerView:
    """Have a worker take jobs again; 409 for one that has drained and ended."""
    return worker_view(await mill.workers.undrain(caller, worker_id))
