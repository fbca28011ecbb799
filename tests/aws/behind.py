"""Clients of the web application behind gateways, inside the test's own loop."""

import json
from contextlib import asynccontextmanager

import httpx

from mediamill.aws.bridge import exchange
from mediamill.aws.payloads import asked
from tests.support.gateways import Gateway, base_of, passed


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


def front(form, invoke):
    """Return a web application that is a gateway: for clients that need a real connection."""

    async def app(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        path = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        url = httpx.URL(f"{base_of(form)}/").copy_with(raw_path=path)
        request = httpx.Request(scope["method"], url, headers=scope["headers"])
        answer = await passed(form, request, body, invoke)
        headers = [(n, v) for n, v in answer.headers.raw if n.lower() != b"content-length"]
        body = b"".join(answer.stream)
        if scope["method"] != "HEAD" and answer.status_code not in (204, 304):
            headers.append((b"content-length", str(len(body)).encode()))
        start = {"type": "http.response.start", "status": answer.status_code}
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app
