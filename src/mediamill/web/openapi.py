"""The published description: FastAPI's, with our one error shape and nothing that is not served."""

import re
from collections.abc import Sequence
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from mediamill import __version__
from mediamill.web.idempotency import HEADER, LONGEST
from mediamill.web.security import recent, setting_up
from mediamill.web.views.common import Problem

SUMMARY = "Put images and videos in, get frames, datasets and answers out."
TAGS = [
    {"name": "accounts", "description": "Register, sign in, sign out."},
    {"name": "tokens", "description": "What programs show instead of a password."},
    {"name": "files", "description": "Media that was put in, and what jobs made of it."},
    {"name": "projects", "description": "Sets of files: members, splits, versions, sharing."},
    {"name": "templates", "description": "Steps with variables, kept under a name."},
    {"name": "operations", "description": "What can be done to a file."},
    {"name": "jobs", "description": "Operations over files, run in the background."},
    {"name": "links", "description": "Downloads that need no session, for a while."},
    {"name": "service", "description": "Health and metrics."},
]

TAKES_SESSION = "Takes a session, such as `POST /v1/auth/login` gives: no API token may do it."
SESSION = {"x-session": True}
"""Marks a route that asks for a session by itself, not by what it depends on."""
LISTED = re.compile(r"Listed_(\w+?)(?:View)?_")
LITERAL = frozenset({"default", "enum", "const", "example", "examples"})
"""Keywords of a schema whose values are data."""

IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Sent again with the same key within a day, the request is done once and "
    "answered the same.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[!-~]+$"},
}


def operation_id(route: APIRoute) -> str:
    """Name an operation by its function, and its method where the function serves two."""
    return f"{route.name}_head" if route.methods == {"HEAD"} else route.name


def describe(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Describe what is served."""
    document = get_openapi(
        title="Mediamill", version=__version__, summary=SUMMARY, routes=routes, tags=TAGS
    )
    reference = "#/components/schemas/{model}"
    problem = Problem.model_json_schema(ref_template=reference)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    document = rename(document)
    link(document["paths"])
    _tell_of_sessions(document["paths"], routes)
    _describe_keys(document)
    widen(document)
    return document


def rename(document: dict[str, Any]) -> dict[str, Any]:
    """Give pages of lists names that a generator can use: `FileList` for `Listed[FileView]`."""
    schemas = document["components"]["schemas"]
    names = {old: f"{found[1].capitalize() if found[1].islower() else found[1]}List"
             for old in schemas if (found := LISTED.fullmatch(old))}  # fmt: skip
    document["components"]["schemas"] = {names.get(old, old): schemas[old] for old in schemas}
    for old, new in names.items():
        schemas[old]["title"] = new
    begin = "#/components/schemas/"
    named: dict[str, Any] = _referring(
        document, {begin + old: begin + new for old, new in names.items()}
    )
    return named


def _referring(part: Any, names: dict[str, str]) -> Any:
    """Return a part of the document with its references by their new names."""
    if isinstance(part, list):
        return [_referring(one, names) for one in part]
    if not isinstance(part, dict):
        return part
    found = {name: _referring(one, names) for name, one in part.items()}
    if isinstance(found.get("$ref"), str):
        found["$ref"] = names.get(found["$ref"], found["$ref"])
    return found


def widen(part: Any) -> None:
    """Say of every whole number that it has 64 bits: generators take 32 where nothing is said."""
    if isinstance(part, list):
        for one in part:
            widen(one)
    elif isinstance(part, dict):
        if part.get("type") == "integer":
            part.setdefault("format", "int64")
        for name, one in part.items():
            if name not in LITERAL:
                widen(one)


def link(paths: dict[str, Any]) -> None:
    """Tell that what a POST creates is what the addresses below it are about, by its id."""
    for path, methods in paths.items():
        made = methods.get("post", {}).get("responses", {})
        below = re.compile(re.escape(path) + r"/\{(\w+)\}")
        links = {
            told["operationId"]: {
                "operationId": told["operationId"],
                "parameters": {found[1]: "$response.body#/id"},
            }
            for other, served in paths.items()
            if (found := below.match(other))
            for told in served.values()
        }
        for status in ("201", "202"):
            if status in made and links:
                made[status]["links"] = links


def _tell_of_sessions(paths: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Say of every route that takes a session that it does."""
    for route in iter_route_contexts(routes):
        served = paths.get(route.path_format or "", {})
        for method in route.methods or ():
            told = served.get(method.lower(), {})
            if told and _asks_lately(route.dependant):
                told |= SESSION
            if "x-session" in told:
                told["description"] = f"{told.get('description', '')}\n\n{TAKES_SESSION}".strip()


def _asks_lately(dependant: Dependant) -> bool:
    """Return whether a route asks who proved lately who they are, which no token does."""
    below = dependant.dependencies
    return dependant.call in (recent, setting_up) or any(_asks_lately(one) for one in below)


def _describe_keys(document: dict[str, Any]) -> None:
    """Add the header to every POST that does once what carries it (`web/idempotency.py`)."""
    for methods in document["paths"].values():
        made = methods.get("post", {})
        if made.get("security") and {"201", "202"} & made["responses"].keys():
            made.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
