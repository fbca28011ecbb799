"""All operations by their public name, and steps made from what callers send."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from pydantic import ValidationError

from mediamill.core.errors import InvalidInput, NewerVersion, NotFound
from mediamill.core.registry import Registry
from mediamill.core.wording import plainly
from mediamill.operations.base import Operation

_QUOTED = re.compile(r"`(\w+)`")
_BRANCH = re.compile(r"^(constrained-\w+|int|float|str|bool|none|\w+\[.*)$")
"""What pydantic adds to an error's place to say which member of a union it tried."""

_SHARED = frozenset({
    "asking", "base", "catalogue", "draws", "formatted", "image", "previews", "sending",
    "work", "writing",
})  # fmt: skip
"""Modules of this folder that are no operations."""

MAX_WRONG = 200
"""Errors that are put into words; a list of 10,000 times may hold as many and more."""


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a parameter; `together` where it is about several of them."""

    pointer: str
    message: str
    together: bool = False


class StepLike(Protocol):
    """A step as it is stored."""

    @property
    def operation(self) -> str: ...

    @property
    def parameters(self) -> dict[str, Any]: ...


class Catalogue(Registry[type[Operation]]):
    """The operations of this folder and of installed packages."""

    builder = "mediamill.operations:build"
    """The function that makes the same steps in a slot's process, as `module:function`."""

    def __init__(self) -> None:
        super().__init__("mediamill.operations", "operation", exclude=_SHARED)

    def build(self, name: str, parameters: dict[str, Any], where: str = "steps.0") -> Operation:
        """Make a step of its name and parameters.

        Raises `NotFound` for the name and `InvalidInput` for the parameters, with one entry in
        `details["errors"]` for each that is wrong; `where` begins their pointers.
        """
        try:
            return self.get(name).model_validate(parameters)
        except ValidationError:
            wrong = self.wrong(name, parameters, where)
        first = wrong[0]
        field = first.pointer.removeprefix(where).lstrip(".")
        whole = first.together or not first.message.startswith(("is ", "has "))
        text = f"{name}: {first.message}" if whole else f"{name}: {field} {first.message}"
        problems = [{"pointer": one.pointer, "message": one.message} for one in wrong]
        raise InvalidInput(text, errors=problems)

    def wrong(self, name: str, parameters: dict[str, Any], where: str) -> list[Wrong]:
        """Tell what is wrong with parameters, nothing if they are right; raises `NotFound`."""
        kind = self.get(name)
        try:
            kind.model_validate(parameters)
        except ValidationError as error:
            told = error.errors(include_url=False)[:MAX_WRONG]
            schema = kind.model_json_schema().get("properties", {})
            found = [_wrong(item, where, kind, schema) for item in told]
            return [*{one.pointer: one for one in reversed(found)}.values()][::-1]
        return []

    def build_all(self, steps: Iterable[StepLike]) -> list[Operation]:
        """Make all steps of an accepted job; raises `NewerVersion` for those not known here."""
        try:
            return [
                self.build(step.operation, step.parameters, f"steps.{place}.parameters")
                for place, step in enumerate(steps)
            ]
        except (NotFound, InvalidInput) as error:
            raise NewerVersion(f"This version cannot run it: {error.message}") from error


def _wrong(item: Any, where: str, kind: type[Operation], schema: dict[str, Any]) -> Wrong:
    """Put one of pydantic's errors into our words; `kind` knows the names, `schema` the ranges."""
    loc = tuple(str(part) for part in item["loc"])
    field = _resolved(schema[loc[0]]) if len(loc) == 1 and loc[0] in schema else {}
    message = plainly(item, kind.model_fields, _span(field))
    if not loc:
        named = (name for name in _QUOTED.findall(message) if name in kind.model_fields)
        loc = tuple(islice(named, 1))
        return Wrong(".".join((where, *loc)), message, together=True)
    pointer = ".".join((where, *(part for part in loc if not _BRANCH.match(part))))
    return Wrong(pointer, message)


def _resolved(field: dict[str, Any]) -> dict[str, Any]:
    """Return what a field may be beside null."""
    options = [part for part in field.get("anyOf", ()) if part.get("type") != "null"]
    return options[0] if len(options) == 1 else field


def _span(field: dict[str, Any]) -> str:
    """Write a number's range; empty where it has none."""
    if "minimum" in field and "maximum" in field:
        return f"from {field['minimum']:,} to {field['maximum']:,}"
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
        "maximum": "at most",
    }
    return " and ".join(f"{word} {field[key]:,}" for key, word in bounds.items() if key in field)


OPERATIONS = Catalogue()
