"""Check what a model answered against a JSON Schema, within bounds.

`jsonschema` does the work. What is added: nothing is fetched, patterns take no longer than their
texts are (`patterns`), and each keyword that is looked at counts, so an answer and a schema that
multiply end in an error and not in an hour.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mediamill.core.errors import InvalidInput
from mediamill.operations.prompt.patterns import SHOWN, matches, weight

MAX_STEPS = 300_000
"""Keywords, and entries of their lists, that are looked at for one answer: about a second."""
_FOLLOWED = 5
"""What it costs to follow a reference."""
MAX_ERRORS = 20
_STEP_OF_TEXT = 4_000
"""Characters of text times weight of a pattern that cost what a keyword does, at worst."""


class TooCostly(InvalidInput):
    """Checking an answer would take too long."""


def validator_class(schema: Mapping[str, Any]) -> Any:
    """Return the class of `jsonschema` that knows a schema's dialect."""
    from jsonschema.validators import Draft202012Validator, validator_for

    return validator_for(schema, default=Draft202012Validator)


def errors_of(schema: dict[str, Any], answer: Any) -> list[str]:
    """Return what is wrong with an answer, `/path: why`, at most `MAX_ERRORS`; empty where it fits.

    Takes a second at most, or some of it: not for an event loop. Raises `TooCostly`.
    """
    from jsonschema.validators import extend
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    base = validator_class(schema)
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


def mapping(value: Any) -> dict[str, Any]:
    """Return a value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


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
            self._left -= _FOLLOWED if keyword == "$ref" else 1
            self._left -= len(value) if isinstance(value, dict | list) else 0
            self._left -= _reading(keyword, value, instance)
            if self._left < 0:
                raise TooCostly("The answer takes too long to check against output_schema.")
            yield from check(validator, value, instance, schema) or ()

        return counted


def _reading(keyword: str, value: Any, instance: Any) -> int:
    """Return what it costs to match texts with the patterns that a keyword has."""
    if keyword == "pattern" and isinstance(value, str) and isinstance(instance, str):
        return len(instance) * weight(value) // _STEP_OF_TEXT
    if keyword == "patternProperties" and isinstance(value, dict) and isinstance(instance, dict):
        letters = sum(map(len, instance))
        weights = sum(map(weight, value))
        # once for the patterns' own schemas, once for what is left to `additionalProperties`
        return 2 * (len(value) * len(instance) + letters * weights // _STEP_OF_TEXT)
    return 0


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError as Wrong

    if isinstance(instance, str) and not matches(pattern, instance):
        yield Wrong(f"{instance[:SHOWN]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], instance: Any, schema: Any
) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    for pattern, inner in patterns.items():
        for name, value in instance.items():
            if matches(pattern, name):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(validator: Any, inner: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError as Wrong

    if not isinstance(instance, dict):
        return
    known, patterns = mapping(schema.get("properties")), mapping(schema.get("patternProperties"))
    extra = [
        name
        for name in instance
        if name not in known and not any(matches(pattern, name) for pattern in patterns)
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
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}
"""Checks that would match patterns with time without bound, or compare all with all."""
