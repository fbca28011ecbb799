"""Health and metrics, for whoever runs the service."""

from typing import Any

from fastapi import APIRouter, Depends, Response

from mediamill.web.metrics.allowing import refuse_unwatching
from mediamill.web.metrics.exposing import scrape
from mediamill.web.parsing import PROBLEM
from mediamill.web.security import Mill

router = APIRouter(tags=["service"], responses=PROBLEM)


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "ok"}


@router.get("/health/ready", responses={503: {"description": "Something is away."}})
async def ready(mill: Mill, response: Response) -> dict[str, Any]:
    """Tell whether every backend works; 503 when one does not."""
    health = await mill.health()
    response.status_code = 200 if health["ok"] else 503
    return health


@router.get("/metrics", response_class=Response, dependencies=[Depends(refuse_unwatching)])
async def metrics(mill: Mill) -> Response:
    """Give the numbers that Prometheus collects, to whoever is named for that."""
    return await scrape(mill, shared=True)
