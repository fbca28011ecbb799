"""All operations by their public name, and steps read from what callers send."""

from collections.abc import Iterable
from typing import Any, Protocol

from pydantic import ValidationError

from mediamill.core.errors import InvalidInput
from mediamill.core.registry import Registry
from mediamill.operations.base import Operation

OPERATIONS: Registry[type[Operation]] = Registry(
    "mediamill.operations", "operation", exclude=frozenset({"base", "catalogue"})
)


def build(name: str, parameters: dict[str, Any], where: str = "steps.0") -> Operation:
    """Make a step of its name and parameters.

    Raises `NotFound` for the name and `InvalidInput` for the parameters, with one entry in
    `details["errors"]` for each that is wrong.
    """
    kind = OPERATIONS.get(name)
    try:
        return kind.model_validate(parameters)
    except ValidationError as error:
        problems = [
            {
                "pointer": ".".join((where, *(str(part) for part in item["loc"]))),
                "message": item["msg"].removeprefix("Value error, "),
            }
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = problems[0]
        summary = f"{name}: {first['pointer'].removeprefix(where).lstrip('.')}: {first['message']}"
        raise InvalidInput(summary.replace(": :", ":"), errors=problems) from None


class StepLike(Protocol):
    """A step as it is stored."""

    @property
    def operation(self) -> str: ...

    @property
    def parameters(self) -> dict[str, Any]: ...


def build_all(steps: Iterable[StepLike]) -> list[Operation]:
    """Make all steps of a job; raises as `build` does, naming the step."""
    return [
        build(step.operation, step.parameters, f"steps.{place}")
        for place, step in enumerate(steps)
    ]
