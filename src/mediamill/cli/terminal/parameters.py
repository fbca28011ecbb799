"""Make command-line options of an operation's JSON Schema, and parameters of what was typed.

The schema comes from the operation's pydantic fields, here or from a server, so names, ranges,
defaults and descriptions are written once.
"""

import json
from collections.abc import Mapping
from typing import Any

import click

Schema = Mapping[str, Any]

_SCALARS: dict[str, "click.ParamType[Any]"] = {
    "string": click.STRING,
    "integer": click.INT,
    "number": click.FLOAT,
}


def options(schema: Schema) -> list[click.Parameter]:
    """Make an option for each parameter; one that is not given keeps the operation's default."""
    required = set(schema.get("required", ()))
    return [
        _option(name, _resolved(schema, field), required=name in required)
        for name, field in schema.get("properties", {}).items()
    ]


def parameters(schema: Schema, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that were typed, lists split at their commas."""
    fields = schema.get("properties", {})
    given = {name: typed[name] for name in fields if typed.get(name) is not None}
    values = {}
    for name, text in given.items():
        try:
            values[name] = _value(_resolved(schema, fields[name]), text)
        except ValueError as error:
            hint = f"--{name.replace('_', '-')}"
            raise click.BadParameter(f"{text!r} is not JSON: {error}", param_hint=hint) from None
    return values


def _resolved(schema: Schema, field: Schema) -> dict[str, Any]:
    """Return a field with its reference followed and `null` taken out of its alternatives."""
    if "$ref" in field:
        place = field["$ref"].rpartition("/")[2]
        field = {**schema.get("$defs", {})[place], **field}
    choices = [part for part in field.get("anyOf", ()) if part.get("type") != "null"]
    if len(choices) == 1:
        field = {**_resolved(schema, choices[0]), **{k: field[k] for k in field if k != "anyOf"}}
    return dict(field)


def _option(name: str, field: Schema, *, required: bool) -> click.Option:
    flag, kind = f"--{name.replace('_', '-')}", field.get("type")
    declaration = f"{flag}/--no-{flag[2:]}" if kind == "boolean" else flag
    return click.Option(
        [declaration, name],
        type=click.BOOL if kind == "boolean" else _type(field),
        default=None,
        required=required,
        metavar=_metavar(field),
        help=_help(field),
    )


def _type(field: Schema) -> "click.ParamType[Any]":
    if "enum" in field:
        return click.Choice([str(choice) for choice in field["enum"]])
    if field.get("type") == "integer" and _bounded(field):
        return click.IntRange(*_limits(field, int))
    if field.get("type") == "number" and _bounded(field):
        low, high = "exclusiveMinimum" in field, "exclusiveMaximum" in field
        return click.FloatRange(*_limits(field, float), min_open=low, max_open=high)
    return _SCALARS.get(str(field.get("type")), click.STRING)


def _bounded(field: Schema) -> bool:
    return any("inimum" in key or "aximum" in key for key in field)


def _limits(field: Schema, number: type[Any]) -> tuple[Any, Any]:
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum", field.get("exclusiveMaximum"))
    if number is int:
        low = field["exclusiveMinimum"] + 1 if "exclusiveMinimum" in field else low
        high = field["exclusiveMaximum"] - 1 if "exclusiveMaximum" in field else high
    return (None if low is None else number(low), None if high is None else number(high))


def _metavar(field: Schema) -> str | None:
    if field.get("type") == "array":
        return "A,B,…"
    return "NAME=VALUE,…" if field.get("type") == "object" else None


def _help(field: Schema) -> str:
    """Return the description, how a list is written, and the default that the operation has."""
    default = _default(field.get("default"))
    notes = (
        str(field.get("description", "")),
        "Separated by commas." if field.get("type") == "array" else "",
        f"Default: {default}." if default else "",
    )
    return " ".join(note for note in notes if note)


def _default(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, list):
        return ",".join(str(item) for item in default)
    return "" if default in (None, {}) else str(default).removesuffix(".0")


def _value(field: Schema, text: Any) -> Any:
    """Turn typed text into what the operation's model reads."""
    if "enum" in field:
        return next(choice for choice in field["enum"] if str(choice) == text)
    if not isinstance(text, str) or field.get("type") == "string":
        return text
    if field.get("type") == "array":
        words = field.get("items", {}).get("type") == "string"
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return parts if words else [_item(part) for part in parts]
    if field.get("type") == "object" and "=" in text and text[:1] != "{":
        return dict(_pair(part) for part in text.split(","))
    if field.get("type") == "object" or text[:1] in "[{":
        return json.loads(text)
    return _item(text)


def _pair(text: str) -> tuple[str, int | float | str]:
    name, _, value = text.partition("=")
    return name.strip(), _item(value.strip())


def _item(text: str) -> int | float | str:
    """Read a number where it is one, so that a list may hold numbers and words."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
