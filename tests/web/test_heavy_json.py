"""S20: a megabyte of JSON that is costly to read, before anybody is asked who they are.

Each shape once as large as a body may be, and once with as many values as are read.
"""

import gc
import json
import time

import pytest

from mediamill.core.errors import InvalidInput
from mediamill.operations.catalogue import MAX_WRONG, OPERATIONS
from mediamill.web import limits, parsing
from tests.web.test_bodies import is_problem
from tests.web.test_review import JSON, lag
from tests.web.test_uploading import resident

PATHS = ("/v1/auth/login", "/v1/jobs", "/v1/templates")
STEPS = b'{"files": ["x"], "steps": [%s]}'
STEP = b'{"operation": "extract-frames", "parameters": {%s}}'


def shapes(values: int, members: int) -> dict[str, bytes]:
    """Return bodies of about so many values, or of so many members."""
    fields = b",".join(b'"%d":0' % n for n in range(members))
    return {
        "numbers": b"[%s]" % b",".join([b"0"] * values),
        "lists": b"[%s]" % b",".join([b"[]"] * (values // 2)),
        "deep": b"[%s]" % b",".join([b"[" * 90 + b"]" * 90] * (values // 91)),
        "fields": b"{%s}" % fields,
        "parameters": STEPS % (STEP % fields),
        "times": STEPS % (STEP % (b'"at":[%s]' % b",".join([b"{}"] * min(values // 2, 9_990)))),
        "files": b'{"files":[%s],"steps":[{"operation":"thumbnail"}]}'
        % b",".join([b"[]"] * min(values // 2, 9_990)),
        "variables": b'{"name":"x","steps":[%s],"variables":{%s}}' % (STEP % b"", fields),
    }


FIXED = {
    "depth": b"[" * 900_000,
    "one text": b'"%s"' % (b"x" * 1_000_000),
    "escapes": b'"%s"' % (b"\\u00e9" * 170_000),
    "one number": b"9" * 1_000_000,
    "places": b'{"name":"x","variables":{"a":{"default":"%s"}},"steps":[%s]}'
    % (b"x" * 400_000, STEP % (b'"at":["%s"]' % (b"${a}" * 120_000))),
}


async def test_no_shape_of_a_megabyte_stops_the_loop(ann):
    """The most that was measured is 0.2 s of work; reading the deepest of them takes 0.7 s."""
    huge = {**shapes(500_000, 85_000), **FIXED}.items()
    wide = shapes(49_900, 4_900).items()
    tried = [(body, name, PATHS[1]) for name, body in huge]
    tried += [(body, name, path) for name, body in wide for path in PATHS]
    gc.collect()  # else some other test's garbage is counted here
    for body, name, path in tried:
        before = resident()
        sent = ann.client.post(path, content=body, headers=JSON)
        worst, answer = await lag(sent, time.thread_time)
        is_problem(answer)
        assert worst < 0.5, f"{name} at {path}: {worst:.2f} s"
        assert len(answer.content) < 100_000, (name, path)
        assert resident() - before < 64 << 20, name


@pytest.mark.parametrize("keyed", [False, True])
async def test_what_has_too_many_values_is_never_parsed(ann, monkeypatch, keyed):
    parsed = []
    real = parsing.from_json
    monkeypatch.setattr(parsing, "from_json", lambda *a, **k: parsed.append(1) or real(*a, **k))
    headers = {**JSON, "idempotency-key": "one"} if keyed else JSON
    for values, members, status in ((49_900, 4_900, 422), (50_200, 5_100, 413)):
        for name in ("numbers", "lists", "deep", "fields", "parameters"):
            body = shapes(values, members)[name]
            answer = await ann.client.post("/v1/tokens", content=body, headers=headers)
            assert (answer.status_code, len(parsed)) == (status, status == 422), (name, answer.text)
            parsed.clear()


async def test_the_largest_job_is_read(ann):
    """Ten thousand ids, and ten thousand times in a step, are well within the limits."""
    files = [f"file_01KAHRQPV0V3E3M2X5E2C{n:05d}" for n in range(10_000)]
    at = [f"{n // 3600}:{n // 60 % 60:02}:{n % 60:02}.5" for n in range(10_000)]
    step = {"operation": "extract-frames", "parameters": {"mode": "timestamps", "at": at}}
    answer = await ann.client.post("/v1/jobs", json={"files": files, "steps": [step]})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        f"There is no file {files[0]}.",
    )


async def test_signing_in_takes_little(nobody):
    body = json.dumps({"email": "a@example.org", "password": "x" * limits.MAX_SIGN_IN_BODY})
    answer = await nobody.post("/v1/auth/login", content=body, headers=JSON)
    assert is_problem(answer)["status"] == 413
    widest = {"email": "ä" * 300, "password": "\U0001f600" * 5000, "name": "ä" * 300}
    body = json.dumps(widest, ensure_ascii=True)
    assert len(body) < limits.MAX_SIGN_IN_BODY
    answer = await nobody.post("/v1/auth/register", content=body, headers=JSON)
    assert is_problem(answer)["status"] == 422


def test_wrong_parameters_are_described_up_to_a_number(monkeypatch):
    """Each once cost a schema of the whole operation: 80,000 of them a minute and a half."""
    described = []
    kind = OPERATIONS.get("extract-frames")
    real = kind.model_json_schema
    monkeypatch.setattr(kind, "model_json_schema", lambda: described.append(1) or real())
    for parameters in (dict.fromkeys(map(str, range(5_000)), 0), {"at": [{}] * 9_990}):
        with pytest.raises(InvalidInput) as caught:
            OPERATIONS.build("extract-frames", parameters)
        assert 90 <= len(caught.value.details["errors"]) <= MAX_WRONG
        assert described == [1]
        described.clear()
