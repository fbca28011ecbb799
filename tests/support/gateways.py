"""Gateways as they are in front of a function: requests become events, answers come back.

    httpx.AsyncClient(transport=Gateway("http-2.0", invoke))

What each form makes of a request is written down in `mediamill.aws.payloads`; here it is done the
other way round, on its own account.
"""

import base64
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx

from tests.support.runtime_api import LARGEST as LAMBDAS

FORMS = ("http-2.0", "http-1.0", "rest", "url", "alb", "alb-single")
API_HOST = "abcdef1234.execute-api.us-east-1.amazonaws.com"
URL_HOST = "abcdefghijklmnop.lambda-url.us-east-1.on.aws"
STAGE = "prod"
CALLER = "203.0.113.7"
LARGEST = {"alb": 1_000_000, "alb-single": 1_000_000}
"""Bytes of a body, and of an answer as JSON, that a gateway takes and gives where not Lambda's."""

Invoke = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def host_of(form: str) -> str:
    return {"url": URL_HOST, "alb": "mill.test", "alb-single": "mill.test"}.get(form, API_HOST)


def base_of(form: str) -> str:
    """Return the address of what is behind such a gateway."""
    scheme = "http" if form.startswith("alb") else "https"
    return f"{scheme}://{host_of(form)}" + (f"/{STAGE}" if form == "rest" else "")


@dataclass
class Gateway(httpx.AsyncBaseTransport):
    """Invokes a function for each request."""

    form: str
    invoke: Invoke

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await passed(self.form, request, await request.aread(), self.invoke)


async def passed(form: str, request: httpx.Request, body: bytes, invoke: Invoke) -> httpx.Response:
    """Pass a request on, and the answer back, as far as they pass."""
    event, most = event_of(form, request, body), LARGEST.get(form, LAMBDAS)
    if len(json.dumps(event)) > LAMBDAS or (form in LARGEST and len(body) > most):
        return httpx.Response(413, json={"message": "Request Entity Too Large"})
    answer = await invoke(event)
    assert len(json.dumps(answer)) <= most, "a gateway would say 502"
    return response_of(answer)


def event_of(form: str, request: httpx.Request, body: bytes) -> dict[str, Any]:
    """Write a request as the event of a form."""
    path, _, query = request.url.raw_path.decode().partition("?")
    headers = [(name.decode().lower(), value.decode()) for name, value in request.headers.raw]
    headers = [pair for pair in headers if pair[0] != "transfer-encoding"]
    headers += [
        ("x-forwarded-for", CALLER),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "443"),
    ]
    sent = {
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }
    if form in ("http-2.0", "url"):
        return sent | _second(form, request.method, path, query, headers)
    if form.startswith("alb"):
        return sent | _balanced(form, request.method, path, query, headers)
    return sent | _first(form, request.method, path, query, headers)


def _second(
    form: str, method: str, path: str, query: str, headers: list[tuple[str, str]]
) -> dict[str, Any]:
    raw = path if form == "url" else unquote(path).partition("?")[0]
    cookies = [c for name, value in headers if name == "cookie" for c in value.split("; ")]
    joined: dict[str, str] = {}
    for name, value in headers:
        if name != "cookie":
            joined[name] = f"{joined[name]},{value}" if name in joined else value
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw,
        "rawQueryString": query,
        **({"cookies": cookies} if cookies else {}),
        "headers": joined,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": host_of(form),
            "http": {
                "method": method,
                "path": raw,
                "protocol": "HTTP/1.1",
                "sourceIp": CALLER,
                "userAgent": "test",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
        },
    }


def _first(
    form: str, method: str, path: str, query: str, headers: list[tuple[str, str]]
) -> dict[str, Any]:
    several = _several(headers)
    pairs = _several(parse_qsl(query, keep_blank_values=True))
    stage = STAGE if form == "rest" else "$default"
    inside = path.removeprefix(f"/{STAGE}") or "/" if form == "rest" else unquote(path)
    return {
        **({} if form == "rest" else {"version": "1.0"}),
        "resource": "/{proxy+}",
        "path": inside,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
        "queryStringParameters": {name: values[-1] for name, values in pairs.items()} or None,
        "multiValueQueryStringParameters": pairs or None,
        "pathParameters": {"proxy": inside.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": host_of(form),
            "httpMethod": method,
            "identity": {"sourceIp": CALLER, "userAgent": "test"},
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTimeEpoch": int(time.time() * 1000),
            "resourcePath": "/{proxy+}",
            "stage": stage,
        },
    }


def _balanced(
    form: str, method: str, path: str, query: str, headers: list[tuple[str, str]]
) -> dict[str, Any]:
    pairs = [(n, v) for n, _, v in (each.partition("=") for each in query.split("&") if each)]
    headers = [(n, "http" if n == "x-forwarded-proto" else v) for n, v in headers]
    target = (
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/lambda/49e9d65c45c6791a"
    )
    common = {
        "requestContext": {"elb": {"targetGroupArn": target}},
        "httpMethod": method,
        "path": path,
    }
    if form == "alb-single":
        return common | {"headers": dict(headers), "queryStringParameters": dict(pairs)}
    return common | {
        "multiValueHeaders": _several(headers),
        "multiValueQueryStringParameters": _several(pairs),
    }


def _several(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def response_of(answer: dict[str, Any]) -> httpx.Response:
    """Read what a function answers, as a gateway does."""
    headers = list((answer.get("headers") or {}).items())
    headers += [(n, v) for n, vs in (answer.get("multiValueHeaders") or {}).items() for v in vs]
    headers += [("set-cookie", cookie) for cookie in answer.get("cookies") or ()]
    body = answer.get("body") or ""
    data = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    return httpx.Response(answer["statusCode"], headers=headers, stream=httpx.ByteStream(data))
