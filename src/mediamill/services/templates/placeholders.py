"""Variables in the parameters of a template's steps.

    "${fps}"            a whole string: becomes the variable's value, of its own type
    "${name} small"     within a longer string: text, a number or true/false is written into it
    "$${fps}"           stays "${fps}"

A variable without a value is left out: as a parameter or in a list altogether, in a string as "".
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mediamill.core.errors import InvalidInput, wrong
from mediamill.store.repositories.templates import Variable

NAME = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
_PLACE = re.compile(r"\$(\$)?\{([^{}]*)\}")
_NAME = re.compile(NAME)
_ABSENT: Any = object()

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
    "any": (object,),
}


def names_in(value: Any) -> Iterator[str]:
    """Yield the variables that a value speaks of."""
    if isinstance(value, str):
        yield from (found[2] for found in _PLACE.finditer(value) if not found[1])
    elif isinstance(value, dict):
        for item in value.values():
            yield from names_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from names_in(item)


def fits(value: Any, kind: str) -> bool:
    """Tell whether a value is of a variable's type; true and false are no numbers."""
    return isinstance(value, TYPES[kind]) and (
        kind in ("boolean", "any") or not isinstance(value, bool)
    )


def check_name(name: str) -> bool:
    """Tell whether a variable may be called so."""
    return _NAME.fullmatch(name) is not None


def settle(variables: Mapping[str, Variable], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each variable that has one.

    Raises `InvalidInput` with an error for each that is unknown, missing or of another type.
    """
    values, known = dict[str, Any](), ", ".join(variables) or "none"
    errors = [
        _at(name, f"There is no variable {name[:80]}. Known: {known}.")
        for name in given
        if name not in variables
    ]
    for name, variable in variables.items():
        value = given.get(name)
        value = variable.default if value is None else value
        if value is None and variable.required:
            errors.append(_at(name, f"{name} is needed: the template gives no default."))
        elif value is not None and not fits(value, variable.type):
            errors.append(_at(name, f"{name} is of type {variable.type}, not {_shown(value)}."))
        elif value is not None:
            values[name] = value
    if errors:
        raise InvalidInput(errors[0]["message"], errors=errors[:100])
    return values


def filled(parameters: Mapping[str, Any], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return parameters with the values in place; `where` begins the pointers of errors.

    Raises `InvalidInput` for a list or an object within a longer string.
    """
    return dict(_filled(dict(parameters), values, where))


def _filled(value: Any, values: Mapping[str, Any], where: str) -> Any:
    if isinstance(value, str):
        return _text(value, values, where)
    if isinstance(value, dict):
        made = {key: _filled(item, values, f"{where}.{key}") for key, item in value.items()}
        return {key: item for key, item in made.items() if item is not _ABSENT}
    if isinstance(value, list | tuple):
        items = (_filled(item, values, f"{where}.{n}") for n, item in enumerate(value))
        return [item for item in items if item is not _ABSENT]
    return value


def _text(text: str, values: Mapping[str, Any], where: str) -> Any:
    whole = _PLACE.fullmatch(text)
    if whole and not whole[1]:
        return values.get(whole[2], _ABSENT)
    return _PLACE.sub(lambda found: _written(found, values, where), text)


def _written(found: re.Match[str], values: Mapping[str, Any], where: str) -> str:
    if found[1]:
        return found[0][1:]
    value = values.get(found[2], "")
    if isinstance(value, dict | list):
        message = f"{found[2]} is {_shown(value)}: only text and numbers fit within other text."
        raise InvalidInput.at(where, message)
    return value if isinstance(value, str) else json.dumps(value)


def _shown(value: Any) -> str:
    return (
        "a list"
        if isinstance(value, list)
        else "an object"
        if isinstance(value, dict)
        else (json.dumps(value, ensure_ascii=False)[:80])
    )


def _at(name: str, message: str) -> dict[str, str]:
    return wrong(f"variables.{name[:80]}", message)
