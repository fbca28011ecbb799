"""Clients of the web application behind gateways, inside the test's own loop."""

import json
from contextlib import asynccontextmanager

import httpx

from mediamill.aws.bridge import exchange
from mediamill.aws.payloads import asked
from tests.support.gateways import Gateway, base_of


def through(web, seconds: float = 30.0):
    """Return what invokes the application as its function does."""

    async def invoke(event):
        event = json.loads(json.dumps(event))
        request = asked(event)
        answer = (await exchange(web, request, seconds)).written(event, request.stage)
        return json.loads(json.dumps(answer))

    return invoke


@asynccontextmanager
async def behind(form, web, seconds: float = 30.0, **headers):
    """Give a client of the application behind a gateway."""
    async with httpx.AsyncClient(
        transport=Gateway(form, through(web, seconds)), base_url=base_of(form), headers=headers
    ) as client:
        yield client
