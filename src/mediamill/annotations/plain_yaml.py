"""YAML as `data.yaml` has it: plain values. What could grow without end is refused."""

from typing import Any

import yaml

from mediamill.core.errors import InvalidInput

MAX_BYTES = 1 << 20

AT_ODDS = (ValueError, LookupError, ArithmeticError, AttributeError, TypeError, RecursionError)
"""What PyYAML raises for tags whose values they do not fit (`!!int ''`), and for deep nesting."""


class _Plain(yaml.SafeLoader):
    """Takes no aliases: by them, and by merges of them, a few lines become gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not taken")
        return super().compose_node(parent, index)


def load(data: bytes) -> Any:
    """Return what a document says; raises `InvalidInput` for what is no plain YAML."""
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"The YAML has more than {MAX_BYTES:,} bytes.")
    try:
        return yaml.load(data, _Plain)  # noqa: S506 - a loader that is safer than the safe one
    except (yaml.YAMLError, *AT_ODDS) as error:
        raise InvalidInput(f"This is no YAML that can be read: {str(error)[:200]}.") from None
