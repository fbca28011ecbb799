"""What a worker that runs by itself serves: its numbers, and whether it lives and works.

It is no part of the API: nobody signs in, nothing is read but what these three addresses tell.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mediamill.app import App
from mediamill.web.metrics.exposing import scrape


def create_alone(app: App) -> Starlette:
    """Build the application over an open `App`, which the caller closes."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        health = await app.health()
        return JSONResponse(health, 200 if health["ok"] else 503)

    async def metrics(_: Request) -> Response:
        return await scrape(app, shared=False)

    return Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/metrics", metrics),
        ]
    )
