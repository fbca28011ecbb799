"""Requests and answers as gateways write them into a function's event and take them from it.

| form | who sends it | path | query |
|---|---|---|---|
| 2.0 | HTTP APIs | decoded; what follows a `?` in it is cut off | as it was sent |
| 2.0 | function URLs | as it was sent | as it was sent |
| 1.0 | HTTP APIs | decoded | decoded lists |
| 1.0 without a `version` | REST APIs | as it was sent | decoded lists |
| of load balancers | ALB | as it was sent | lists as they were sent |

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html

Who asks, by which name and scheme is what the gateway itself says: of `X-Forwarded-For` and the
like only what a load balancer appends is believed, as it says it nowhere else.

On a name that API Gateway gave, REST APIs leave their stage out of the path, HTTP APIs never do.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pybase64

Event = Mapping[str, Any]
Headers = Sequence[tuple[bytes, bytes]]

FUNCTION_URL = ".on.aws"
"""How the names of function URLs end."""
GENERATED = ".execute-api."
"""What is in the names that API Gateway gives."""
DROPPED = frozenset({b"transfer-encoding", b"connection", b"content-length"})
"""Headers of a request that tell of its way to the gateway."""
TEXT = ("text/", "application/json", "application/problem+json", "application/jsonl")
PLAIN_BYTES = 1 << 17
"""Up to so many bytes text is sent as text; escaped it may become six times as many."""
MOST = 4_500_000
"""Bytes of a body: of the 6 MB of an event or an answer, base 64 takes a quarter, headers some."""
BALANCED_MOST = 700_000
"""The same of the 1 MB that a load balancer takes and gives."""
OURS = "/v1"
"""What the paths of our API begin with."""
KEPT_AS_IS = "/:@!$&'()*+,;=~-._"


class NoRequest(Exception):
    """An event that no gateway sends."""


@dataclass(frozen=True)
class Asked:
    """A request as it came to a gateway."""

    method: str
    path: str
    """Decoded."""
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    client: str
    host: str
    scheme: str
    most: int
    """Bytes that its body may have, and that of the answer."""
    stage: str = ""
    """What stands before our paths outside, such as `/prod`."""
    vouched: str = ""
    """The name by which it was asked, where the gateway itself says so rather than the caller."""
    bounded: bool = True
    """Whether the gateway itself waits for half a minute at most."""

    def scope(self) -> dict[str, Any]:
        """Return it as ASGI has it."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": self.scheme,
            "path": self.path,
            "raw_path": quote(self.path, safe=KEPT_AS_IS).encode(),
            "root_path": "",
            "query_string": self.query.encode(),
            "headers": self._sent(),
            "client": (self.client, 0) if self.client else None,
            "server": (self.host, 443 if self.scheme == "https" else 80),
            "state": {},
        }

    def _sent(self) -> list[tuple[bytes, bytes]]:
        """Return the headers; the length is that of the body, or more if more was announced."""
        sent = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in self.headers]
        said = next((value for name, value in sent if name == b"content-length"), b"")
        length = max(len(self.body), int(said) if said.isdigit() and len(said) < 20 else 0)
        kept = [(name, value) for name, value in sent if name not in DROPPED]
        if length or said:
            kept.append((b"content-length", str(length).encode()))
        return kept


def asked(event: Any, prefix: str = "") -> Asked:
    """Read an event; `prefix` is the path of the address that users see. Raises `NoRequest`."""
    try:
        if event.get("version") == "2.0":
            return _second(event, prefix)
        if "elb" in event["requestContext"]:
            return _balanced(event, prefix)
        return _first(event, prefix)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NoRequest(f"no request of a gateway: {error!r}") from None


def _second(event: Event, prefix: str) -> Asked:
    context = event["requestContext"]
    http, host = context["http"], str(context.get("domainName", ""))
    own = host.endswith(FUNCTION_URL)
    name = str(context.get("stage", ""))
    path, stage = _stripped(event["rawPath"], prefix, _before(event["rawPath"], name, host))
    headers = _single(event.get("headers"))
    if cookies := event.get("cookies"):
        headers.append(("cookie", "; ".join(cookies)))
    return Asked(
        method=http["method"],
        path=unquote(path) if own else path,
        query=event.get("rawQueryString") or "",
        headers=tuple(headers),
        body=_body(event),
        client=http.get("sourceIp", ""),
        host=host,
        scheme="https",
        most=MOST,
        stage=stage,
        vouched=host,
        bounded=not own,
    )


def _first(event: Event, prefix: str) -> Asked:
    context = event["requestContext"]
    whole, name = str(context.get("path") or event["path"]), str(context.get("stage", ""))
    host, of_rest = str(context.get("domainName") or ""), event.get("version") != "1.0"
    own = of_rest and GENERATED in host
    before = "" if own else _before(event["path"], name, host)
    path, stage = _stripped(event["path"], prefix, before)
    if not stage and whole == f"/{name}{event['path']}":
        stage = f"/{name}"  # only said beside the path
    headers = _many(event)
    return Asked(
        method=event["httpMethod"],
        path=unquote(path) if of_rest else path,
        query=urlencode(_pairs(event), quote_via=quote),
        headers=tuple(headers),
        body=_body(event),
        client=context.get("identity", {}).get("sourceIp") or "",
        host=host or dict(headers).get("host", ""),
        scheme="https",
        most=MOST,
        stage=stage,
        vouched=host,
    )


def _balanced(event: Event, prefix: str) -> Asked:
    path, stage = _stripped(event["path"], prefix, "")
    headers = _many(event)
    said = dict(headers)
    query = "&".join(f"{name}={value}" if value else name for name, value in _pairs(event))
    return Asked(
        method=event["httpMethod"],
        path=unquote(path),
        query=query,
        headers=tuple(headers),
        body=_body(event),
        client=said.get("x-forwarded-for", "").rpartition(",")[2].strip(),
        host=said.get("host", ""),
        scheme=said.get("x-forwarded-proto", "http"),
        most=BALANCED_MOST,
        stage=stage,
        bounded=False,
    )


def _before(path: str, stage: str, host: str) -> str:
    """Return the stage if it stands before our paths: on a gateway's own name it always does.

    On a domain of ours it depends on the mapping. A stage that is called as our paths begin is
    taken for one only where it is there twice.
    """
    named = f"/{stage}"
    if GENERATED in host or named != OURS or path.startswith(f"{OURS}{OURS}/"):
        return named
    return ""


def _stripped(path: str, prefix: str, staged: str) -> tuple[str, str]:
    """Take what stands before our paths off one; return both."""
    for before in (prefix.rstrip("/"), staged):
        if before and path.startswith(f"{before}/"):
            return path[len(before) :], before
        if before and path == before:
            return "/", before
    return path, prefix.rstrip("/")


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return pybase64.b64decode(body, validate=True)
    return str(body).encode()


def _single(headers: Mapping[str, str] | None) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in (headers or {}).items()]


def _many(event: Event) -> list[tuple[str, str]]:
    several: Mapping[str, Iterable[str]] | None = event.get("multiValueHeaders")
    if not several:
        return _single(event.get("headers"))
    found = [(name.lower(), value) for name, values in several.items() for value in values]
    cookies = [value for name, value in found if name == "cookie"]
    return [pair for pair in found if pair[0] != "cookie"] + (
        [("cookie", "; ".join(cookies))] if cookies else []
    )


def _pairs(event: Event) -> list[tuple[str, str]]:
    several: Mapping[str, Iterable[str]] | None = event.get("multiValueQueryStringParameters")
    if several:
        return [(name, value) for name, values in several.items() for value in values]
    return list((event.get("queryStringParameters") or {}).items())


@dataclass(frozen=True)
class Answered:
    """An answer on its way to a gateway."""

    status: int
    headers: Headers
    body: bytes

    def written(self, event: Event, stage: str = "") -> dict[str, Any]:
        """Return it as the sender of an event takes it; paths of ours get the `stage` before."""
        body, encoded = self._text()
        said = [(name.decode().lower(), value.decode("latin-1")) for name, value in self.headers]
        said = [(name, _outside(name, value, stage)) for name, value in said]
        payload = {"statusCode": self.status, "body": body, "isBase64Encoded": encoded}
        return payload | _headers_for(event, said)

    def _text(self) -> tuple[str, bool]:
        """Return the body as text, and whether that is base 64; a range may cut a letter in two."""
        kind = _value(self.headers, b"content-type")
        if kind.startswith(TEXT) and len(self.body) <= PLAIN_BYTES:
            with suppress(UnicodeDecodeError):
                return self.body.decode(), False
        return pybase64.b64encode(self.body).decode(), bool(self.body)


def _headers_for(event: Event, said: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return headers in the form that the sender of an event takes."""
    if event.get("version") == "2.0":
        cookies = [value for name, value in said if name == "set-cookie"]
        return {"headers": _joined(said), **({"cookies": cookies} if cookies else {})}
    if "headers" in event and "multiValueHeaders" not in event:  # of a load balancer
        return {"headers": _joined(said) | {n: v for n, v in said if n == "set-cookie"}}
    several: dict[str, list[str]] = {}
    for name, value in said:
        several.setdefault(name, []).append(value)
    return {"multiValueHeaders": several}


def _joined(said: Sequence[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in said:
        if name != "set-cookie":
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _outside(name: str, value: str, stage: str) -> str:
    """Return a header as it is right outside, where our paths may have something before them."""
    own = name == "location" and value.startswith("/") and not value.startswith("//")
    return stage + value if own else value


def _value(headers: Headers, name: bytes) -> str:
    return next((v.decode("latin-1") for n, v in headers if n.lower() == name), "")
