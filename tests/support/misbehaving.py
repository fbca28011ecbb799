"""The operations that misbehave as a catalogue, under their own names."""

from mediamill.operations.base import Operation
from mediamill.operations.catalogue import Catalogue
from tests.support import operations


class Misbehaving(Catalogue):
    """The test operations beside the program's own."""

    builder = "tests.support.operations:build"

    def get(self, name: str) -> type[Operation]:
        return operations.OPERATIONS.get(name) or super().get(name)
