"""The reference page's contents, read out of the OpenAPI document."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from mediamill.web.texts import load

t = load()
METHODS = ("get", "head", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Endpoint:
    """One method of one address."""

    method: str
    path: str
    id: str
    summary: str
    signed_in: bool
    parameters: list[dict[str, Any]]
    body: dict[str, str]
    """Media type → what it holds."""
    answers: dict[str, str]


def endpoints(document: dict[str, Any]) -> dict[str, list[Endpoint]]:
    """Group what a document describes by its tags, in the document's order."""
    groups: dict[str, list[Endpoint]] = {tag["name"]: [] for tag in document.get("tags", ())}
    for path, entry in document["paths"].items():
        for method in METHODS:
            if method in entry:
                tag = entry[method].get("tags", ["other"])[0]
                groups.setdefault(tag, []).append(_endpoint(path, method, entry[method]))
    return groups


def type_text(schema: dict[str, Any]) -> str:
    """Write a schema's type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        options = dict.fromkeys(type_text(option) for option in schema["anyOf"])
        return reduce(lambda one, other: t("api.either", one=one, other=other), options)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return t("api.list_of", type=type_text(schema.get("items", {})))
    if schema.get("format") == "binary":
        return "bytes"
    return str(schema.get("const", schema.get("type", "any")))


def _endpoint(path: str, method: str, entry: dict[str, Any]) -> Endpoint:
    body = entry.get("requestBody", {}).get("content", {})
    return Endpoint(
        method=method.upper(),
        path=path,
        id=entry["operationId"],
        summary=entry.get("description", entry.get("summary", "")),
        signed_in=bool(entry.get("security")),
        parameters=[
            {**item, "type": type_text(item.get("schema", {}))}
            for item in entry.get("parameters", ())
        ],
        body={kind: type_text(media.get("schema", {})) for kind, media in body.items()},
        answers={status: _answer(answer) for status, answer in entry.get("responses", {}).items()},
    )


def _answer(answer: dict[str, Any]) -> str:
    kinds = [type_text(media.get("schema", {})) for media in answer.get("content", {}).values()]
    text = answer.get("description", "")
    return f"{text} — {', '.join(kinds)}" if kinds else text
