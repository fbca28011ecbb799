"""Check JSON Schemas that users send, and what models answer against them, within bounds.

`jsonschema` does the work. What is added: references stay inside the schema; patterns are those of
Rust's `regex`, which takes time in proportion to the text, as pydantic does; each keyword that is
looked at counts, so an answer and a schema that would multiply end in an error, not in an hour.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from pydantic_core import SchemaError as PatternError
from pydantic_core import SchemaValidator, ValidationError, core_schema

from mediamill.core.errors import InvalidInput

MAX_BYTES = 64_000
MAX_DEPTH = 64
MAX_PATTERN = 500
"""Characters of a pattern; those that repeat much are refused by `regex` for their size."""
MAX_STEPS = 300_000
"""Keywords, and entries of their lists, that are looked at for one answer: about a second."""
MAX_ERRORS = 20
SHOWN = 200
"""Characters of an error's message."""
_STEP_OF_TEXT = 5_000
"""Characters of text times weight of a pattern that cost what a keyword does, at worst."""
_REPEATED = re.compile(r"\{(\d+)(?:,(\d*))?\}")

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

Schema = dict[str, Any] | bool
Path = tuple[str | int, ...]


class TooCostly(InvalidInput):
    """Checking an answer would take too long."""


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

    def check(self) -> None:
        """Raise `ValueError` for what is refused, and for a schema that never ends."""
        pending: list[Any] = [self._root]
        while pending:
            one = pending.pop()
            if isinstance(one, dict) and id(one) not in self._all:
                self._all[id(one)] = one
                self._check_one(one)
                pending.extend(_inside(one, _ONE | _LISTS | _MAPS))
        for one in self._all.values():
            self._references(one)
        self._check_ends()

    def _check_one(self, schema: dict[str, Any]) -> None:
        if refused := _REFUSED & schema.keys():
            raise ValueError(f"output_schema may not have {min(refused)}")
        if "$id" in schema and schema is not self._root:
            raise ValueError("output_schema may have an $id at its top only")
        for pattern in (schema.get("pattern"), *_mapping(schema.get("patternProperties"))):
            if isinstance(pattern, str):
                _check_pattern(pattern)

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
            yield from _mapping(value).values()
        elif keyword in _LISTS and isinstance(value, list):
            yield from value
        elif keyword in _ONE:
            yield value


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _check_pattern(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"output_schema has a pattern of more than {MAX_PATTERN} characters")
    try:
        _compiled(pattern)
    except PatternError as error:
        *_, why = str(error).strip().splitlines()
        raise ValueError(
            f"output_schema has a pattern that cannot be used, {pattern[:SHOWN]}: {why}"
        ) from None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def _matches(pattern: str, text: str) -> bool:
    try:
        _compiled(pattern).validate_python(text)
    except ValidationError:
        return False
    return True


def _well_formed(schema: dict[str, Any]) -> None:
    from jsonschema.exceptions import SchemaError

    try:
        _validator_class(schema).check_schema(schema)
    except SchemaError as error:
        place = "/".join(map(str, error.absolute_path)) or "its top"
        raise ValueError(f"output_schema is wrong at {place}: {error.message[:SHOWN]}") from None


def _validator_class(schema: Mapping[str, Any]) -> Any:
    from jsonschema.validators import Draft202012Validator, validator_for

    return validator_for(schema, default=Draft202012Validator)


def size(schema: dict[str, Any] | None) -> int:
    """Return the bytes that a schema takes when it is told to a model."""
    return len(json.dumps(schema, ensure_ascii=False).encode(errors="replace")) if schema else 0


def errors_of(schema: dict[str, Any], answer: Any) -> list[str]:
    """Return what is wrong with an answer, `/path: why`, at most `MAX_ERRORS`; empty where it fits.

    Takes a second at most, or some of it: not for an event loop. Raises `TooCostly`.
    """
    from jsonschema.validators import extend
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    base = _validator_class(schema)
    count = _Count()
    checks = {**base.VALIDATORS, **_OWN}
    counted = {name: count.of(name, check) for name, check in checks.items()}
    registry: Any = Registry()  # without a way to retrieve anything
    validator = extend(base, counted)(_without_id(schema), registry=registry)
    found: list[str] = []
    try:
        for error in validator.iter_errors(answer):
            found.append(_told(error))
            if len(found) == MAX_ERRORS:
                break
    except RecursionError:
        raise TooCostly("The answer is nested too deep to be checked.") from None
    except Unresolvable as error:
        raise InvalidInput(f"output_schema refers to what it does not have: {error}") from None
    return found


def _without_id(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that is its own base, so that no reference leads elsewhere."""
    return {key: value for key, value in schema.items() if key != "$id"}


def _told(error: Any) -> str:
    place = "".join(f"/{part}" for part in error.absolute_path) or "/"
    return f"{place[:SHOWN]}: {error.message[:SHOWN]}"


class _Count:
    """Counts what is looked at, and ends it."""

    def __init__(self) -> None:
        self._left = MAX_STEPS

    def of(self, keyword: str, check: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
        """Return a keyword's check that counts."""

        def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            self._left -= 1 + len(value) if isinstance(value, dict | list) else 1
            self._left -= _reading(keyword, value, instance)
            if self._left < 0:
                raise TooCostly("The answer takes too long to check against output_schema.")
            yield from check(validator, value, instance, schema) or ()

        return counted


def _reading(keyword: str, value: Any, instance: Any) -> int:
    """Return what it costs to match texts with the patterns that a keyword has."""
    if keyword == "pattern" and isinstance(value, str) and isinstance(instance, str):
        return len(instance) * _weight(value) // _STEP_OF_TEXT
    if keyword == "patternProperties" and isinstance(value, dict) and isinstance(instance, dict):
        letters = sum(map(len, instance))
        weights = sum(map(_weight, value))
        # once for the patterns' own schemas, once for what is left to `additionalProperties`
        return 2 * (len(value) * len(instance) + letters * weights // _STEP_OF_TEXT)
    return 0


@lru_cache(maxsize=256)
def _weight(pattern: str) -> int:
    """Return how large a pattern is with its repetitions written out, at most, roughly."""
    counts = (int(found[2] or found[1]) for found in _REPEATED.finditer(pattern))
    return min(1 << 20, math.prod((max(1, count) for count in counts), start=len(pattern)))


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError as Wrong

    if isinstance(instance, str) and not _matches(pattern, instance):
        yield Wrong(f"{instance[:SHOWN]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], instance: Any, schema: Any
) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    for pattern, inner in patterns.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(validator: Any, inner: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError as Wrong

    if not isinstance(instance, dict):
        return
    known, patterns = _mapping(schema.get("properties")), _mapping(schema.get("patternProperties"))
    extra = [
        name
        for name in instance
        if name not in known and not any(_matches(pattern, name) for pattern in patterns)
    ]
    if isinstance(inner, dict):
        for name in extra:
            yield from validator.descend(instance[name], inner, path=name)
    elif not inner and extra:
        told = ", ".join(repr(name[:SHOWN]) for name in extra[:MAX_ERRORS])
        yield Wrong(f"there may be no properties beside those named: {told}")


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError as Wrong

    if unique and isinstance(instance, list) and len({*map(_key, instance)}) < len(instance):
        yield Wrong("the items are not all different")


def _key(value: Any) -> Any:
    """Return what is equal for values that JSON Schema calls equal: 1 is 1.0, and not true."""
    if isinstance(value, dict):
        return frozenset((name, _key(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return tuple(map(_key, value))
    return (isinstance(value, bool), value)


_OWN: dict[str, Callable[..., Iterator[Any]]] = {
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}
"""Checks that would match patterns with time without bound, or compare all with all."""
