"""All operations by their public name, and steps made from what callers send."""

from collections.abc import Iterable
from typing import Any, Protocol

from pydantic import ValidationError

from mediamill.core.errors import InvalidInput
from mediamill.core.registry import Registry
from mediamill.operations.base import Operation


class StepLike(Protocol):
    """A step as it is stored."""

    @property
    def operation(self) -> str: ...

    @property
    def parameters(self) -> dict[str, Any]: ...


class Catalogue(Registry[type[Operation]]):
    """The operations of this folder and of installed packages."""

    builder = "mediamill.operations.catalogue:build"
    """The function that makes the same steps in a slot's process, as `module:function`."""

    def __init__(self) -> None:
        here = frozenset({"base", "catalogue"})
        super().__init__("mediamill.operations", "operation", exclude=here)

    def build(self, name: str, parameters: dict[str, Any], where: str = "steps.0") -> Operation:
        """Make a step of its name and parameters.

        Raises `NotFound` for the name and `InvalidInput` for the parameters, with one entry in
        `details["errors"]` for each that is wrong; `where` begins their pointers.
        """
        kind = self.get(name)
        try:
            return kind.model_validate(parameters)
        except ValidationError as error:
            problems = [_problem(item, where) for item in error.errors(include_url=False)]
        first = problems[0]
        field = first["pointer"].removeprefix(where).lstrip(".")
        text = ": ".join(part for part in (name, field, first["message"]) if part)
        raise InvalidInput(text, errors=problems)

    def build_all(self, steps: Iterable[StepLike]) -> list[Operation]:
        """Make all steps of a job; raises as `build` does, naming the step."""
        return [
            self.build(step.operation, step.parameters, f"steps.{place}.parameters")
            for place, step in enumerate(steps)
        ]


def _problem(item: Any, where: str) -> dict[str, str]:
    pointer = ".".join((where, *(str(part) for part in item["loc"])))
    return {"pointer": pointer, "message": item["msg"].removeprefix("Value error, ")}


OPERATIONS = Catalogue()
build = OPERATIONS.build
