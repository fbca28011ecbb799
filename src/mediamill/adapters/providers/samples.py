"""Make a JSON document that fits a schema, for tests and trials; the same for the same seed.

It knows what schemas of answers are made of: types, properties, items, enums, lengths, ranges,
`$ref` into the schema itself, and `anyOf`. A pattern it does not follow.
"""

from collections.abc import Mapping
from typing import Any

DEEPEST = 12


def sample(schema: Any, seed: str) -> Any:
    """Return a document that fits; texts are made of the seed."""
    return _sample(schema, schema, seed, DEEPEST)


def _sample(schema: Any, root: Any, seed: str, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth <= 0:
        return None
    if "$ref" in schema:
        return _sample(_referred(schema["$ref"], root), root, seed, depth - 1)
    if found := next((key for key in ("anyOf", "oneOf", "allOf") if schema.get(key)), None):
        return _sample({**schema, found: None, **schema[found][0]}, root, seed, depth - 1)
    fixed = [schema[key] for key in ("const", "default") if key in schema]
    fixed += (
        [schema["enum"][sum(seed.encode()) % len(schema["enum"])]] if schema.get("enum") else []
    )
    return fixed[0] if fixed else _made(schema, root, seed, depth)


def _made(schema: Mapping[str, Any], root: Any, seed: str, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        wanted = schema.get("properties", {})
        return {
            name: _sample(part, root, f"{seed} {name}", depth - 1) for name, part in wanted.items()
        }
    if kind == "array":
        count = max(1, int(schema.get("minItems", 1)))
        count = min(count, int(schema.get("maxItems", count)), 100)
        part = schema.get("items", {"type": "string"})
        return [_sample(part, root, f"{seed} {n + 1}", depth - 1) for n in range(count)]
    return _value(kind, schema, seed)


def _value(kind: str, schema: Mapping[str, Any], seed: str) -> Any:
    if kind == "string":
        text = seed[: int(schema.get("maxLength", len(seed)))]
        return text.ljust(min(int(schema.get("minLength", 0)), 10_000), ".")
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1))
        return min(int(low) + 1, int(high)) if kind == "integer" else (low + high) / 2
    return kind == "boolean" or None


def _referred(name: Any, root: Any) -> Any:
    found = root
    for part in str(name).removeprefix("#").strip("/").split("/"):
        found = found.get(part) if isinstance(found, Mapping) and part else found
    return found
