"""Check JSON Schemas that users send, so that answers can be checked against them (`judging`).

References stay inside a schema, and none leads round in a circle without going into the answer.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from mediamill.operations.prompt import patterns
from mediamill.operations.prompt.judging import mapping, validator_class
from mediamill.operations.prompt.patterns import SHOWN

MAX_BYTES = 64_000
MAX_DEPTH = 64
MAX_SCHEMAS = 1_000
"""Schemas inside a schema; to see that all are well formed takes a third of a second."""

_DIALECTS = (
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
)
_REFUSED = frozenset({"$dynamicRef", "$recursiveRef", "$vocabulary", "unevaluatedItems",
                      "unevaluatedProperties"})  # fmt: skip
"""What few use and none of the models' own checks know."""
_ONE = frozenset({"not", "if", "then", "else", "items", "contains", "additionalProperties",
                  "additionalItems", "propertyNames"})  # fmt: skip
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas",
                   "dependencies"})  # fmt: skip
_SAME_PLACE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else",
                         "dependentSchemas", "dependencies"})  # fmt: skip
"""Keywords whose schemas are about the same value."""


def checked(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that can be used; raises `ValueError` for one that cannot, and says why."""
    try:
        length = len(json.dumps(schema, allow_nan=False).encode())
    except (RecursionError, ValueError) as error:
        raise ValueError("output_schema is nested too deep, or no JSON") from error
    if length > MAX_BYTES:
        raise ValueError(f"output_schema has {length:,} bytes, more than {MAX_BYTES:,}")
    dialect = str(schema.get("$schema", _DIALECTS[0])).rstrip("#")
    if dialect not in _DIALECTS:
        raise ValueError(f"output_schema is of a dialect that is not known: {dialect[:SHOWN]}")
    if _depth(schema) > MAX_DEPTH:
        raise ValueError(f"output_schema is nested more than {MAX_DEPTH} deep")
    _Structure(schema).check()
    _well_formed(schema)
    return schema


def _depth(value: Any) -> int:
    deepest, pending = 0, [(value, 1)]
    while pending:
        one, depth = pending.pop()
        deepest = max(deepest, depth)
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        pending.extend((part, depth + 1) for part in inner)
    return deepest


class _Structure:
    """The schemas inside a schema and how they refer to each other."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._root = schema
        self._all: dict[int, dict[str, Any]] = {}
        self._weight = 0

    def check(self) -> None:
        """Raise `ValueError` for what is refused, and for a schema that never ends."""
        pending: list[Any] = [self._root]
        while pending:
            one = pending.pop()
            if isinstance(one, dict) and id(one) not in self._all:
                self._all[id(one)] = one
                self._check_one(one)
                pending.extend(_inside(one, _ONE | _LISTS | _MAPS))
                if len(self._all) > MAX_SCHEMAS:
                    raise ValueError(f"output_schema has more than {MAX_SCHEMAS:,} schemas inside")
        for one in self._all.values():
            self._references(one)
        self._check_ends()

    def _check_one(self, schema: dict[str, Any]) -> None:
        if refused := _REFUSED & schema.keys():
            raise ValueError(f"output_schema may not have {min(refused)}")
        if "$id" in schema and schema is not self._root:
            raise ValueError("output_schema may have an $id at its top only")
        for pattern in (schema.get("pattern"), *mapping(schema.get("patternProperties"))):
            if isinstance(pattern, str):
                self._weight += patterns.weight(pattern)
                if self._weight > patterns.MAX_WEIGHT:
                    raise ValueError("output_schema has patterns that repeat too much")
                patterns.check(pattern)

    def _referred(self, reference: Any) -> Any:
        """Return the schema that a reference names: a JSON pointer into the whole (RFC 6901)."""
        if reference == "#":
            return self._root
        if not isinstance(reference, str) or not reference.startswith("#/"):
            told = str(reference)[:SHOWN]
            raise ValueError(f"output_schema may refer to its own parts (#/…) only, not to {told}")
        found: Any = self._root
        for step in reference[2:].split("/"):
            found = _part(found, unquote(step).replace("~1", "/").replace("~0", "~"))
        if not isinstance(found, dict | bool):
            raise ValueError(f"output_schema has nothing at {reference[:SHOWN]}")
        if isinstance(found, dict) and id(found) not in self._all:
            raise ValueError(f"output_schema has no schema at {reference[:SHOWN]}; use $defs")
        return found

    def _check_ends(self) -> None:
        """Raise where a schema leads to itself without going deeper into the answer."""
        state: dict[int, bool] = {}
        for begin in self._all.values():
            pending: list[tuple[dict[str, Any], bool]] = [(begin, False)]
            while pending:
                one, left = pending.pop()
                if left:
                    state[id(one)] = True
                elif id(one) not in state:
                    state[id(one)] = False
                    pending.append((one, True))
                    pending.extend((each, False) for each in self._beside(one, state))

    def _beside(self, one: dict[str, Any], state: dict[int, bool]) -> Iterator[dict[str, Any]]:
        for each in (*_inside(one, _SAME_PLACE), *self._references(one)):
            if not isinstance(each, dict):
                continue
            if state.get(id(each)) is False:
                raise ValueError("output_schema refers to itself without an end")
            yield each

    def _references(self, one: dict[str, Any]) -> list[Any]:
        return [self._referred(one["$ref"])] if "$ref" in one else []


def _part(whole: Any, name: str) -> Any:
    """Return what an object or a list has under a name or a number; None where it has not."""
    if isinstance(whole, list):
        return whole[int(name)] if name.isdecimal() and int(name) < len(whole) else None
    return whole.get(name) if isinstance(whole, dict) else None


def _inside(schema: dict[str, Any], keywords: frozenset[str]) -> Iterator[Any]:
    """Yield the schemas that some keywords of a schema have."""
    for keyword in keywords & schema.keys():
        value = schema[keyword]
        if keyword in _MAPS:
            yield from mapping(value).values()
        elif keyword in _LISTS and isinstance(value, list):
            yield from value
        elif keyword in _ONE:
            yield value


def _well_formed(schema: dict[str, Any]) -> None:
    from jsonschema.exceptions import SchemaError

    try:
        validator_class(schema).check_schema(schema)
    except SchemaError as error:
        place = "/".join(map(str, error.absolute_path)) or "its top"
        raise ValueError(f"output_schema is wrong at {place}: {error.message[:SHOWN]}") from None


def size(schema: dict[str, Any] | None) -> int:
    """Return the bytes that a schema takes when it is told to a model."""
    return len(json.dumps(schema, ensure_ascii=False).encode(errors="replace")) if schema else 0
