"""Events as AWS's documentation shows them, and what they are read as.

http-*: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
rest: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
url: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
alb: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html

Those of `rest`, `url` and `alb` have an escaped path and a query besides, as these three send them:
https://github.com/middleapi/standard-server/pull/93
"""

import json
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamill.aws.payloads import Answered, NoRequest, asked
from tests.support.gateways import CALLER, FORMS, base_of, event_of

EVENTS = Path(__file__).parent / "events"


def event(name: str) -> dict:
    return json.loads((EVENTS / f"{name}.json").read_text())


def headers(request) -> dict[bytes, bytes]:
    return dict(request.scope()["headers"])


PAIRS = "parameter1=value1&parameter1=value2&parameter2=value"


@pytest.mark.parametrize(
    ("name", "method", "path", "query", "client", "body"),
    [
        ("http-2.0", "POST", "/my/path", PAIRS, "192.0.2.1", b"Hello from Lambda"),
        ("http-1.0", "GET", "/my/path", PAIRS, "192.0.2.1", b"Hello from Lambda!"),
        ("rest", "POST", "/hello/world of/paths", "name=me%20%26%20you&empty=",
         "192.168.196.186", b'{"a": 1}'),
        ("url", "POST", "/my/path with%", PAIRS, "123.123.123.123", b"Hello from client!"),
        ("alb", "GET", "/a b", "parameters=a%20b", "72.21.198.66", b"request_body"),
    ],
)  # fmt: skip
def test_what_an_event_asks(name, method, path, query, client, body):
    request = asked(event(name))
    assert (request.method, request.path, request.query) == (method, path, query)
    assert (request.client, request.body, request.scheme) == (client, body, "https")
    assert headers(request)[b"content-length"] == str(len(body)).encode()


def test_cookies_are_one_header():
    assert headers(asked(event("http-2.0")))[b"cookie"] == b"cookie1; cookie2"
    assert headers(asked(event("rest")))[b"cookie"] == b"a=1; b=2"


def test_what_stands_before_our_paths():
    assert asked(event("rest")).stage == "/testStage"
    assert asked(event("http-2.0")).stage == ""
    staged = event("http-2.0")
    staged["rawPath"], staged["requestContext"]["stage"] = "/prod/v1/files", "prod"
    assert (asked(staged).path, asked(staged).stage) == ("/v1/files", "/prod")
    mapped = event("http-1.0") | {"path": "/mill/v1/files"}
    assert (asked(mapped, "/mill").path, asked(mapped, "/mill").stage) == ("/v1/files", "/mill")


OWN, DOMAIN = "abcdef1234.execute-api.us-east-1.amazonaws.com", "api.example.org"


@pytest.mark.parametrize(
    ("name", "host", "stage", "path", "whole", "wanted"),
    [
        ("rest", OWN, "v1", "/v1/files", "/v1/v1/files", ("/v1/files", "/v1")),
        ("rest", DOMAIN, "v1", "/v1/files", "/v1/files", ("/v1/files", "")),
        ("rest", DOMAIN, "v1", "/v1/v1/files", "/v1/v1/files", ("/v1/files", "/v1")),
        ("rest", DOMAIN, "prod", "/prod/v1/files", "/prod/v1/files", ("/v1/files", "/prod")),
        ("rest", DOMAIN, "prod", "/v1/files", "/v1/files", ("/v1/files", "")),
        ("http-1.0", OWN, "v1", "/v1/v1/files", "/v1/v1/files", ("/v1/files", "/v1")),
        ("http-1.0", OWN, "v1", "/v1/files/x", "/v1/files/x", ("/files/x", "/v1")),
        ("http-1.0", DOMAIN, "v1", "/v1/files", "/v1/files", ("/v1/files", "")),
        ("http-2.0", OWN, "v1", "/v1/v1/files", "/v1/v1/files", ("/v1/files", "/v1")),
        ("http-2.0", OWN, "v1", "/v1/files/x", "/v1/files/x", ("/files/x", "/v1")),
        ("http-2.0", DOMAIN, "v1", "/v1/files", "/v1/files", ("/v1/files", "")),
        ("http-2.0", DOMAIN, "prod", "/prod/v1/files", "/prod/v1/files", ("/v1/files", "/prod")),
        ("http-2.0", OWN, "$default", "/v1/files", "/v1/files", ("/v1/files", "")),
        ("alb", DOMAIN, "v1", "/v1/files", "/v1/files", ("/v1/files", "")),
    ],
)
def test_a_stage_that_is_called_as_our_paths_begin(name, host, stage, path, whole, wanted):
    """REST APIs take the stage off, on their own names; HTTP APIs never do."""
    sent = event(name)
    sent["path" if "path" in sent else "rawPath"] = path
    sent["requestContext"] |= {"domainName": host, "stage": stage, "path": whole}
    request = asked(sent)
    assert (request.path, request.stage) == wanted


def test_a_path_that_was_decoded_once_is_not_decoded_again():
    decoded = event("http-2.0") | {"rawPath": "/v1/files/x/members/100%25.jpg"}
    assert asked(decoded).path.endswith("/100%25.jpg")
    sent = event("url") | {"rawPath": "/v1/files/x/members/100%2525.jpg"}
    assert asked(sent).path.endswith("/100%25.jpg")


def test_who_asks_cannot_be_said_by_who_asks():
    for name in ("http-2.0", "http-1.0", "rest", "url"):
        forged = event(name)
        forged["headers"] = {"x-forwarded-for": "6.6.6.6", "x-forwarded-proto": "http",
                             "x-forwarded-host": "evil.example.org"}  # fmt: skip
        forged.get("multiValueHeaders", {}).pop("X-Forwarded-For", None)
        request = asked(forged)
        assert request.client != "6.6.6.6"
        assert (request.scheme, "evil" in request.host) == ("https", False)
    behind = event("alb")
    behind["headers"]["x-forwarded-for"] = "6.6.6.6, 72.21.198.66"
    assert asked(behind).client == "72.21.198.66"


def test_answers_have_the_form_that_their_sender_takes():
    said = ((b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"),
            (b"location", b"/v1/files/x"))  # fmt: skip
    answer = Answered(201, said, "grüß".encode())
    second = answer.written(event("http-2.0"))
    assert second["cookies"] == ["a=1", "b=2"]
    assert (second["body"], second["isBase64Encoded"]) == ("grüß", False)
    first = answer.written(event("rest"), "/testStage")
    assert first["multiValueHeaders"]["set-cookie"] == ["a=1", "b=2"]
    assert first["multiValueHeaders"]["location"] == ["/testStage/v1/files/x"]
    assert answer.written(event("alb"))["headers"]["set-cookie"] == "b=2"
    elsewhere = Answered(307, ((b"location", b"https://bucket.example.org/x"),), b"")
    assert elsewhere.written(event("rest"), "/testStage")["multiValueHeaders"] == {
        "location": ["https://bucket.example.org/x"]
    }


@pytest.mark.parametrize(
    "wrong", [{}, {"Records": []}, None, [], "text", {"version": "2.0"}, {"requestContext": {}}]
)
def test_what_is_no_request(wrong):
    with pytest.raises(NoRequest):
        asked(wrong)


def test_a_body_that_is_no_base_64_is_no_request():
    with pytest.raises(NoRequest):
        asked(event("rest") | {"body": "%%%"})


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)
SEGMENTS = st.lists(TEXT.filter(lambda text: text not in ("", ".", "..")), max_size=4)
PAIRS_OF_TEXT = st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=4)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=60, deadline=None)
@given(segments=SEGMENTS, pairs=PAIRS_OF_TEXT, body=st.binary(max_size=50), cookies=PAIRS_OF_TEXT)
def test_whatever_is_asked_comes_as_it_was(form, segments, pairs, body, cookies):
    """Each form loses what its table says, and nothing else."""
    path = "/" + "/".join(segments)
    if form.startswith("http"):
        path = path.replace("?", "_")  # such a gateway cuts a path there
    if form == "alb-single":
        pairs = list(dict(pairs).items())  # the last value of each name
    cookie = "; ".join(f"{quote(name)}={quote(value)}" for name, value in cookies)
    url = f"{base_of(form)}{quote(path)}" + (f"?{urlencode(pairs)}" if pairs else "")
    sent = httpx.Request("POST", url, content=body, headers={"cookie": cookie} if cookie else {})
    request = asked(json.loads(json.dumps(event_of(form, sent, body))))
    assert (request.method, request.path, request.body) == ("POST", path, body)
    found = parse_qsl(request.query, keep_blank_values=True)
    assert sorted(found) == sorted(pairs)
    assert headers(request).get(b"cookie", b"").decode() == cookie
    assert request.client == CALLER
    scope = request.scope()
    assert unquote(scope["raw_path"].decode()) == path
