"""One module or package per operation; `catalogue` finds them by name."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mediamill.operations.base import Operation


def build(name: str, parameters: dict[str, Any]) -> "Operation":
    """Make a step of its name and parameters in a slot's process; raises as `Catalogue.build`.

    Nothing is imported before: a process that only looks at a file is ready in half the time.
    """
    from mediamill.operations.catalogue import OPERATIONS

    return OPERATIONS.build(name, parameters)
