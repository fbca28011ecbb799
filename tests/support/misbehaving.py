"""The operations that misbehave as a catalogue, beside the program's own."""

from typing import Any

from mediamill.core.errors import NotFound
from mediamill.operations.base import Operation
from mediamill.operations.catalogue import OPERATIONS, Catalogue
from tests.support import operations


class Misbehaving(Catalogue):
    """Knows both."""

    builder = "tests.support.misbehaving:build"

    def get(self, name: str) -> type[Operation]:
        return operations.OPERATIONS.get(name) or super().get(name)


def build(name: str, parameters: dict[str, Any]) -> Operation:
    """Make an operation in a slot's process."""
    try:
        return operations.build(name, parameters)
    except NotFound:
        return OPERATIONS.build(name, parameters)
