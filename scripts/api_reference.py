"""Write the reference of the HTTP API from its published description.

`reference.py` puts what is written here on `docs/reference/api.md` and `answers.md`.
"""

import json
from collections.abc import Iterator
from typing import Any

from api_errors import codes_of
from fastapi.routing import iter_route_contexts

from mediamill.web.app import description, routes
from mediamill.web.openapi import TAGS

GENERAL = {
    "rate_limited",
    "unavailable",
    "internal",
    "limit_exceeded",
    "second_factor_needed",
    "unverified",
}
"""Codes that any route may answer: the head of the page names them."""
METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
MADE_UP = {
    "boolean": False,
    "integer": 1,
    "number": 1,
    "string": "…",
    "object": {},
    "array": [],
}
"""What stands in an example where the description gives none."""
LISTED = ("View", "List", "Problem", "FieldError")
"""How what is answered is called."""
DEEPEST = 3
"""How far an example goes into what a body refers to."""


def api() -> Iterator[str]:
    """Write every route, by what it is about."""
    document = description()
    known = [tag["name"] for tag in TAGS]
    served = {
        (method.lower(), route.path_format): codes_of(route.dependant)
        for route in iter_route_contexts(routes())
        for method in (route.methods or ())
        if route.path_format in document["paths"]
    }
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                tag = methods[method].get("tags", ["service"])[0]
                route = methods[method] | {"codes": served[method, path]}
                found.setdefault(tag, []).append((method, path, route))
    told = {tag["name"]: tag["description"] for tag in TAGS}
    for tag in sorted(found, key=lambda name: (name not in known, name)):
        yield from (f"## {tag.capitalize()}", "")
        if tag in told:
            yield from (told[tag], "")
        for method, path, route in found[tag]:
            yield from _route(method, path, route, document["components"]["schemas"])


def _route(method: str, path: str, route: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    yield from (f"### {method.upper()} {path}", "", _lines(route.get("description", "")), "")
    rows = [*_parameters(route, schemas), *_body(route, schemas)]
    if rows:
        yield from ("| name | in | | meaning |", "|---|---|---|---|", *rows, "")
    yield from (_answers(route), "", _errors(route), "")
    yield from ("```sh", *_example(method, path, route, schemas), "```", "")


def _lines(text: str) -> str:
    return text.replace("{", "&#123;").strip()


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ").replace("{", "&#123;")


def _parameters(route: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    for one in route.get("parameters", ()):
        kind = _kind(one["schema"], schemas)
        needed = "" if not one.get("required") or one["in"] == "path" else ", required"
        meaning = one.get("description", "")
        yield f"| `{one['name']}` | {one['in']} | {kind}{needed} | {_cell(meaning)} |"


def _body(route: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    for media, content in route.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(content.get("schema", {}), schemas)
        if media != "application/json" or "properties" not in schema:
            yield f"| | body | `{media}` | |"
            continue
        required = schema.get("required", ())
        for name, field in schema["properties"].items():
            needed = ", required" if name in required else ""
            meaning = field.get("description", "")
            yield f"| `{name}` | body | {_kind(field, schemas)}{needed} | {_cell(meaning)} |"


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {**schemas[schema["$ref"].rpartition("/")[2]], **schema}
    return schema


def _kind(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Write what a value may be."""
    several = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    if several:
        return " or ".join(dict.fromkeys(_kind(part, schemas) for part in several))
    whole = _resolved(schema, schemas)
    if "enum" in whole:
        return ", ".join(f"`{one}`" if one else "empty" for one in whole["enum"])
    if "const" in whole:
        return f"`{whole['const']}`"
    if "$ref" in schema:
        return _led(schema["$ref"])
    kind = str(whole.get("type", "anything"))
    if kind == "array":
        return f"list of {_kind(whole.get('items', {}), schemas)}"
    low = whole.get("minimum", whole.get("exclusiveMinimum"))
    high = whole.get("maximum", whole.get("exclusiveMaximum"))
    if low is not None or high is not None:
        kind += f" {'' if low is None else low}…{'' if high is None else high}"
    if (default := schema.get("default")) not in (None, [], {}, ""):
        kind += f", `{json.dumps(default)}`"
    return kind


def _led(reference: str) -> str:
    """Lead to a shape where it is listed; bodies have no page of their own."""
    name = reference.rpartition("/")[2]
    return f"[{name}](answers.md#{name.lower()})" if name.endswith(LISTED) else name


def _answers(route: dict[str, Any]) -> str:
    """Say what comes back when all is well."""
    found = []
    for status, answer in route["responses"].items():
        if not status.startswith(("2", "3")):
            continue
        kinds = []
        for media, content in answer.get("content", {}).items():
            name = _named(content.get("schema", {}))
            kinds.append(name if name and media == "application/json" else f"`{media}`")
        found.append(f"{status}{' ' + ', '.join(kinds) if kinds else ''}")
    return f"Answers {'; '.join(found)}."


def _named(schema: dict[str, Any]) -> str:
    parts = schema.get("anyOf", [schema])
    return " or ".join(_led(part["$ref"]) for part in parts if "$ref" in part)


def _errors(route: dict[str, Any]) -> str:
    """Name the errors of what the route takes and calls; any may have the general ones."""
    codes = []
    if route.get("security"):
        codes += ["unauthenticated", "forbidden"]
    places = {one["in"] for one in route.get("parameters", ())}
    if "path" in places:
        codes.append("not_found")
    if "requestBody" in route or places & {"query", "path"}:
        codes.append("invalid_input")
    if any(one["name"] == "Idempotency-Key" for one in route.get("parameters", ())):
        codes += ["idempotency_key_reused", "idempotency_in_progress"]
    codes += [code for code in route["codes"] if code not in {*codes, *GENERAL}]
    named = ", ".join(f"[`{code}`](errors.md#{code})" for code in codes)
    return f"Errors: {named}." if codes else "Errors: the general ones alone."


def _example(
    method: str, path: str, route: dict[str, Any], schemas: dict[str, Any]
) -> Iterator[str]:
    """Write a request that the description allows."""
    words = ["curl -s"]
    if method not in ("get", "head"):
        words.append(f"-X {method.upper()}")
    if method == "head":
        words.append("-I")
    if route.get("security"):
        secret = "$SESSION" if "x-session" in route else "$TOKEN"
        words.append(f'-H "Authorization: Bearer {secret}"')
    contents = route.get("requestBody", {}).get("content", {})
    if "application/json" in contents:
        body = _made(contents["application/json"].get("schema", {}), schemas, 0)
        text = json.dumps(body, ensure_ascii=False).replace("'", "’")
        words.append(f"--json '{text}'")
    elif contents:
        words.append(f"-H 'Content-Type: {next(iter(contents))}' --data-binary @part")
    query = "&".join(
        f"{one['name']}={_plain(_made(one['schema'], schemas, 0))}"
        for one in route.get("parameters", ())
        if one["in"] == "query" and one.get("required")
    )
    address = f"http://127.0.0.1:8750{path}{'?' + query if query else ''}"
    yield f'{" ".join(words)} "{address}"'


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _made(schema: dict[str, Any], schemas: dict[str, Any], deep: int) -> Any:
    """Make a value that a schema allows: its example, its default, or the least there can be."""
    several = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
    whole = _resolved({**several[0], **schema} if several else schema, schemas)
    for word in ("examples", "enum"):
        if whole.get(word):
            return whole[word][0]
    for word in ("default", "const", "minimum"):
        if whole.get(word) is not None:
            return whole[word]
    if "properties" in whole and deep < DEEPEST:
        names = whole.get("required") or list(whole["properties"])[:1]
        return {name: _made(whole["properties"][name], schemas, deep + 1) for name in names}
    if whole.get("type") == "array" and deep < DEEPEST:
        return [_made(whole.get("items", {}), schemas, deep + 1)]
    return MADE_UP.get(str(whole.get("type")), "…")


def shapes() -> Iterator[str]:
    """List what is answered: every field of every view."""
    schemas = description()["components"]["schemas"]
    asked = {name for name in schemas if name.endswith(LISTED)}
    for name in sorted(asked):
        whole = schemas[name]
        yield from (f"## {name}", "")
        if text := whole.get("description"):
            yield from (_lines(text), "")
        yield from ("| field | | meaning |", "|---|---|---|")
        for field, facts in whole.get("properties", {}).items():
            meaning = _cell(facts.get("description", ""))
            yield f"| `{field}` | {_kind(facts, schemas)} | {meaning} |"
        yield ""
