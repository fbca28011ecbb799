"""S3: `owner`, `role`, `quota`, every field that a record has, sent in every write: none changes.

The writes and their bodies are those of the app's own description, so a new one is tried as well.
"""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from mediamill.core.records import type_map
from mediamill.store.codec import layout_of
from mediamill.store.repositories.rates import Window
from mediamill.store.schema import all_kinds
from tests.faults import rows as stored
from tests.web.test_strangers import PNG, belongings, fill  # noqa: F401 - a fixture
from tests.web.test_uploading import FORM, form, part

NOT_OURS = frozenset({"/v1/auth/logout", "/v1/me"})
"""End the session that the others need; the first is tried at the end."""
KNOWN = frozenset({"name", "tags", "project", "sha256", "filename", "now"})
"""Fields of records that a query or tus metadata may set."""
TAKE_NOTHING = frozenset(
    {
        "/v1/trash", "/v1/uploads", "/v1/me/factors/totp", "/v1/me/sessions",
        "/v1/auth/verify/resend", "/v1/me/export",
    }
)  # fmt: skip
"""Do what they do, whatever is sent beside it."""
BATCH = 90
"""Fields in one request: an answer names at most a hundred."""


def rows(mill) -> dict[str, list[dict[str, Any]]]:
    """Read every table, but for that in which requests are counted, refused ones too."""
    kinds = [kind for kind in all_kinds() if kind is not Window]
    found = stored.rows(mill.settings.store_url, *kinds)
    columns = {kind.table: list(layout_of(kind).by_name) for kind in all_kinds()}
    return {
        name: [dict(zip(columns[name], row, strict=True)) for row in rows]
        for name, rows in found.items()
    }


def of(told: dict[str, list[dict[str, Any]]], user: str) -> dict[str, list[dict[str, Any]]]:
    """Return a user's rows: their account, and all that they own."""
    mine = {
        name: [row for row in found if user in (row.get("owner"), row.get("user"), row.get("id"))]
        for name, found in told.items()
    }
    return {name: found for name, found in mine.items() if found}


def planted(ann, belongings) -> dict[str, Any]:
    """Return fields with values that would be worth something."""
    fields = {name for kind in type_map.values() for name in kind.__struct_fields__}
    fields |= {"quota", "quota_bytes", "is_admin", "scopes", "grants", "principal", "__class__"}
    values = dict.fromkeys(sorted(fields), 1)
    hers = dict.fromkeys(("owner", "user", "listed", "active", "trash", "principal"), ann.id)
    return {**values, **hers, "role": "admin", "quota": 1 << 60, "charged": 0, "disabled": False,
            "id": belongings["file_id"], "blob": f"files/{belongings['file_id']}"}  # fmt: skip


def writes(web) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield every route of the API that changes something, with the schema of its JSON body."""
    for path, methods in web.openapi()["paths"].items():
        for method, told in methods.items():
            if method not in ("get", "head", "options"):
                content = told.get("requestBody", {}).get("content", {})
                schema = content.get("application/json", {}).get("schema")
                yield f"{method.upper()} {path}", schema


def resolved(schema: dict[str, Any], every: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and what a field may be beside null."""
    while True:
        if "$ref" in schema:
            schema = every[schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
        else:
            return schema


def bodies(schema: Any, every: dict[str, Any], extra: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a value of a schema for each closed object in it, that one with more fields than known.

    Beside it comes the place of that object, dotted.
    """
    schema = resolved(schema, every)
    known = dict(schema.get("properties", {}))
    if schema.get("type") == "array":
        yield from ((f"0.{at}".rstrip("."), [one]) for at, one in bodies(
            schema["items"], every, extra))  # fmt: skip
    elif known:
        assert schema["additionalProperties"] is False, schema
        whole = {name: value(one, every) for name, one in known.items()}
        yield "", {**whole, **{name: one for name, one in extra.items() if name not in known}}
        for name, one in known.items():
            for at, inner in bodies(one, every, extra):
                yield f"{name}.{at}".rstrip("."), {**whole, name: inner}
    elif isinstance(one := schema.get("additionalProperties"), dict):
        yield from ((f"a.{at}".rstrip("."), {"a": made}) for at, made in bodies(one, every, extra))


def value(schema: Any, every: dict[str, Any]) -> Any:
    """Return something of a schema's type; whether it is right otherwise does not matter."""
    match resolved(schema, every).get("type"):
        case "array":
            return [value(resolved(schema, every)["items"], every)]
        case "object":
            known = resolved(schema, every).get("properties", {})
            return {name: value(one, every) for name, one in known.items()}
        case "integer" | "number":
            return 1
        case "boolean":
            return True
    return "x"


async def test_every_closed_body_refuses_every_field_of_every_record(
    mill,
    web,
    ann,
    bob,
    belongings,
):
    """Refused by name, wherever it stands, so nothing of it is ever looked at."""
    every, before = web.openapi()["components"]["schemas"], rows(mill)
    fields, places = planted(ann, belongings), 0
    for route, schema in writes(web):
        if schema is None:
            continue
        method, path = fill(route, belongings)
        for start in range(0, len(fields), BATCH):
            some = dict([*fields.items()][start : start + BATCH])
            for at, body in bodies(schema, every, some):
                answer = await bob.client.request(method, path, json=body)
                assert answer.status_code == 422, (route, at, answer.text)
                pointers = {error["pointer"] for error in answer.json()["errors"]}
                object_ = body
                for step in filter(None, at.split(".")):
                    object_ = object_[int(step) if step.isdigit() else step]
                assert len(pointers) >= min(10, len(some)), (route, at)
                for name in set(object_) & set(some) - ours(schema, every, at):
                    assert ".".join(filter(None, (at, name))) in pointers, (route, at, name)
                places += 1
    assert places >= 40, "the description was not walked"
    await try_parameters(ann, bob)
    assert rows(mill) == before


async def try_parameters(ann, bob):
    """The same within the parameters of each operation, which a template keeps as well."""
    names = [one["name"] for one in (await bob.client.get("/v1/operations")).json()["data"]]
    fields = {"owner": ann.id, "role": "admin", "quota": 1, "blob": "x", "scratch": "/", "user": 1}
    assert names
    for name in names:
        body = {"files": ["x"], "steps": [{"operation": name, "parameters": fields}]}
        for path, sent in (("/v1/jobs", body), ("/v1/templates", {"name": "t", **body})):
            sent.pop("files", None) if path.endswith("templates") else None
            answer = await bob.client.post(path, json=sent)
            pointers = {error["pointer"] for error in answer.json()["errors"]}
            assert {f"steps.0.parameters.{field}" for field in fields} <= pointers, (name, path)


def ours(schema: Any, every: dict[str, Any], at: str) -> set[str]:
    """Return the names that the object at a place does have."""
    for step in filter(None, at.split(".")):
        schema = resolved(schema, every)
        schema = (
            schema["items"]
            if schema.get("type") == "array"
            else schema.get("properties", {}).get(step) or schema["additionalProperties"]
        )
    return set(resolved(schema, every).get("properties", {}))


async def test_what_has_no_such_body_takes_nothing_from_elsewhere(
    mill,
    web,
    ann,
    bob,
    belongings,
):
    """In the query, in headers, in a body that is not asked for, in forms, in tus metadata."""
    before, fields = rows(mill), planted(ann, belongings)
    told = {name: str(one) for name, one in fields.items() if name not in KNOWN}
    headers = {f"x-{name.strip('_').replace('_', '-')}": one for name, one in told.items()}
    headers = {**headers, "x-http-method-override": "DELETE", "tus-resumable": "1.0.0"}
    sent = {"headers": headers, "params": told}
    for route, schema in writes(web):
        method, path = fill(route, belongings)
        if schema is None and path not in NOT_OURS:
            answer = await bob.client.request(method, path, json=fields, **sent)
            assert answer.status_code >= 400 or path in TAKE_NOTHING, route
    pairs = [f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in told.items()]
    some = [",".join(pairs[start::4]) for start in range(4)]  # as much as one header takes
    tus = [{**headers, "upload-length": "100", "upload-metadata": each} for each in some]
    made = [await bob.client.post("/v1/files", content=PNG, **sent)]
    beside = [(f'Content-Disposition: form-data; name="{k}"', v.encode()) for k, v in told.items()]
    whole = form(*beside, (part("dot.png"), PNG))
    made += [await bob.client.post("/v1/files", content=whole, headers={**headers, **FORM})]
    made += [await bob.client.post("/v1/uploads", headers=each) for each in tus]
    assert [answer.status_code for answer in made] == [201] * 6, [a.text for a in made]
    await bob.client.post("/v1/auth/logout", json=fields, **sent)
    after = rows(mill)
    assert of(after, ann.id) == of(before, ann.id)
    assert [but_epoch(row) for row in after["users"]] == [but_epoch(r) for r in before["users"]]
    mine = of(after, bob.id)
    assert {row["owner"] for name in ("files", "uploads") for row in mine[name]} == {bob.id}
    plain, other = mine["files"][-2:]
    for row in (plain, other):
        assert row["charged"] == row["size"] == len(PNG)
        assert (row["state"], row["source"], row["lineage"]) == ("ready", "upload", "{}")


def but_epoch(row: dict[str, Any]) -> dict[str, Any]:
    """Return a user but for what says that they ended their sessions, which one route does."""
    return {name: value for name, value in row.items() if name != "epoch"}


async def test_a_body_that_lets_fields_pass_is_noticed(web):
    """The walk stops at an object that is not closed."""
    every = {"Open": {"type": "object", "properties": {"name": {"type": "string"}}}}
    with pytest.raises((AssertionError, KeyError)):
        [*bodies({"$ref": "#/Open"}, every, {"owner": "x"})]
