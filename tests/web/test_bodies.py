"""Bodies that are not what they should be: always a 4xx problem, never a 5xx."""

import io
import json
import os
from pathlib import Path

import pytest

from mediamill.core.logs import configure_logging
from mediamill.web import limits
from tests.support.services import unavailable

STEP = b'{"files": ["x"], "steps": [{"operation": "extract-frames", "parameters": %s}]}'
PATHS = ("/v1/jobs", "/v1/tokens", "/v1/auth/login", "/v1/auth/register", "/v1/auth/redeem")


def is_problem(response):
    assert 400 <= response.status_code < 500, (response.status_code, response.text[:300])
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert body["instance"].startswith("req_")
    assert body["detail"]
    return body


def hostile_json():
    folder = os.environ.get("MEDIAMILL_HOSTILE")
    if not folder:
        unavailable("MEDIAMILL_HOSTILE is not set")
    found = sorted((Path(folder) / "json").iterdir())
    assert found, "MEDIAMILL_HOSTILE/json is empty"
    return found


async def test_hostile_documents(ann):
    for document in hostile_json():
        for path in PATHS:
            response = await ann.client.post(
                path, content=document.read_bytes(), headers={"content-type": "application/json"}
            )
            is_problem(response)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b"1", b'"x"', b"\xff\xfe", b'{"email": "\xff"}', b"\0", b"NaN",
        b'{"name": "\\u0000"}', b'{"name": "a\\u0000b"}', b'{"\\u0000": 1}', b'{"name": "\\ud800"}',
        b'{"\\ud800": 1}', b"[" * 100_000, b'{"a":' * 100_000, b'{"name": ' + b"9" * 5000 + b"}",
        b'{"name": 1e400}', b'{"name": {"a": [[[[]]]]}}',
        b'{"files": ["\\u0000"], "steps": [{"operation": "x"}]}',
        STEP % b'{"\\ud800": 1}',
        STEP % b'{"fps": 1e999}',
        b'{"files": ["x"], "steps": [{"operation": "nothing"}]}',
        STEP % b'{"fps": []}',
        b'{"files": ["x"], "steps": [{"operation": "x"}], "seed": 99999999999999999999}',
    ],
)  # fmt: skip
async def test_crafted_documents(ann, body):
    for path in PATHS:
        response = await ann.client.post(
            path, content=body, headers={"content-type": "application/json"}
        )
        is_problem(response)


async def test_a_wrong_parameter_is_named(ann):
    step = {"operation": "extract-frames", "parameters": {"fps": -1, "quality": 101}}
    response = await ann.client.post("/v1/jobs", json={"files": ["x"], "steps": [step]})
    pointers = [error["pointer"] for error in is_problem(response)["errors"]]
    assert pointers == ["steps.0.parameters.fps", "steps.0.parameters.quality"]


async def test_a_body_over_the_limit(ann):
    body = b'{"name": "' + b"x" * limits.MAX_BODY + b'"}'
    headers = {"content-type": "application/json"}
    assert (
        is_problem(await ann.client.post("/v1/tokens", content=body, headers=headers))["status"]
        == 413
    )

    async def unannounced():
        for start in range(0, len(body), 1 << 20):
            yield body[start : start + (1 << 20)]

    response = await ann.client.post("/v1/tokens", content=unannounced(), headers=headers)
    assert is_problem(response)["code"] == "limit_exceeded"


async def test_a_form_where_json_belongs(ann):
    """Cross-site forms can send these types without asking first; none is read as JSON."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        body = json.dumps({"name": "x"}).encode()
        response = await ann.client.post("/v1/tokens", content=body, headers={"content-type": kind})
        is_problem(response)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files/%00", "/v1/files/file_%00", "/v1/jobs/..%2f..%2fetc", "/v1/files?limit=0",
        "/v1/files?limit=101", "/v1/files?limit=x", "/v1/files?after=%00", "/v1/files?after=zzz",
        "/v1/files?after=%F0%28", "/v1/jobs?after=eyJ9", "/v1/tokens?after=1", "/v1/operations/%00",
        "/v1/jobs/job_1?wait=nan", "/v1/jobs/job_1?wait=1e9", "/v1/jobs/job_1/items?state=x",
        "/v1/files/file_1-0-0-0", "/v1/files/file_1-99999999999-0-0/content", "/v1/nothing",
    ],
)  # fmt: skip
async def test_addresses_that_name_nothing(ann, path):
    is_problem(await ann.client.get(path))


async def test_wrong_method(ann):
    assert is_problem(await ann.client.put("/v1/files"))["code"] == "method_not_allowed"


async def test_an_unexpected_error_tells_nothing(ann, mill, monkeypatch):
    written = io.StringIO()
    configure_logging("json", "error", written)

    async def broken(*_):
        raise RuntimeError("the password of the database is hunter2")

    monkeypatch.setattr(mill.files, "list", broken)
    response = await ann.client.get("/v1/files")
    assert response.status_code == 500
    assert response.json()["code"] == "internal"
    assert "hunter2" not in response.text
    logged = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["action"] for line in logged] == ["request_failed"]
    assert logged[0]["request"] == response.json()["instance"]
    assert "RuntimeError" in logged[0]["exception"]


async def test_a_full_disk_is_one_line_in_the_log(ann, mill, monkeypatch):
    written = io.StringIO()
    configure_logging("json", "warning", written)

    async def full():
        return 0

    monkeypatch.setattr(mill.blobs, "free_bytes", full)
    response = await ann.client.post("/v1/files", content=b"some bytes")
    assert (response.status_code, response.json()["code"]) == (507, "storage_full")
    (line,) = map(json.loads, written.getvalue().splitlines())
    assert (line["action"], line["code"], line["level"]) == (
        "request_unserved",
        "storage_full",
        "warning",
    )
    assert "exception" not in line


@pytest.mark.parametrize(
    "body",
    [b"NaN", b'{"name": Infinity}', b'{"name": "\\ud800"}', b'{"name": "\\u0000"}', b"[" * 999],
)
async def test_what_only_a_lax_parser_takes_is_malformed(ann, body):
    """Python's own parser would let each of these through to what comes after it."""
    headers = {"content-type": "application/json"}
    response = await ann.client.post("/v1/tokens", content=body, headers=headers)
    assert (response.status_code, is_problem(response)["code"]) == (400, "malformed")
