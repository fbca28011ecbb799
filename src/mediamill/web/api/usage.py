"""Usage: what the caller keeps here, and how much that may be."""

from fastapi import APIRouter
from pydantic import Field

from mediamill.web.parsing import PROBLEM, StrictRoute
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import View

router = APIRouter(prefix="/v1/usage", tags=["usage"], responses=PROBLEM, route_class=StrictRoute)


class UsageView(View):
    bytes: int = Field(
        description="What you keep: files, those in the trash too, unfinished uploads and results.",
        examples=[734_003_200],
    )
    results_bytes: int = Field(
        description="How much of it is results of jobs.", examples=[94_371_840]
    )
    quota_bytes: int | None = Field(
        description="The most that you may keep; null: as much as there is room for.",
        examples=[10_737_418_240],
    )


@router.get("")
async def read_usage(caller: Caller, mill: Mill) -> UsageView:
    """Say how many bytes the caller keeps, and how many that may be."""
    usages = mill.repositories.usages
    usage = await usages.get(caller.user)
    return UsageView(bytes=usage.bytes, results_bytes=usage.results, quota_bytes=usages.quota)
