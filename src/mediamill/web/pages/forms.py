"""A form of an operation's parameters, made of their JSON Schema and nothing else.

A description that ends with a choice in brackets, as in “Frames per second (fps).”, ties its field
to that choice: it shows only while `fps` is chosen.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_TIED = re.compile(r"\s*\(([\w-]+)\)(?=\.?$)")


@dataclass(frozen=True)
class Input:
    """One labelled control."""

    name: str
    kind: str
    """`number`, `integer`, `boolean`, `choice`, `list` or `text`."""
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    open: bool = False
    """Whether `low` itself is not allowed."""
    when: tuple[str, str] | None = None
    """The choice that must be made for this control to show: its name and value."""
    main: bool = True
    """Whether it shows at once, or among more options."""

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @property
    def shown(self) -> str:
        """What the control holds at first."""
        if self.default is None or isinstance(self.default, list | dict | bool):
            return ""
        if isinstance(self.default, float) and self.default.is_integer():
            return str(int(self.default))
        return str(self.default)

    @property
    def range(self) -> str:
        """The range for people, empty if there is none worth telling."""
        if self.low is None:
            return "" if self.high is None else f"at most {self.high:,}"
        if self.high is None:
            return f"above {self.low:g}" if self.open else f"from {self.low:g}"
        return (
            f"above {self.low:g}, to {self.high:,}"
            if self.open
            else f"{self.low:g} to {self.high:,}"
        )


def inputs(schema: dict[str, Any]) -> list[Input]:
    """Make the controls of a schema's properties, in their order."""
    return list(_main_first(_controls(schema)))


def _controls(schema: dict[str, Any]) -> list[Input]:
    definitions = schema.get("$defs", {})
    properties = {
        name: _resolved(entry, definitions) for name, entry in schema.get("properties", {}).items()
    }
    choices = {value: name for name, entry in properties.items() for value in entry.get("enum", ())}
    return [_control(name, entry, choices) for name, entry in properties.items()]


def _control(name: str, entry: dict[str, Any], choices: dict[Any, str]) -> Input:
    text = entry.get("description", "")
    tied = _TIED.search(text)
    when = (choices[tied[1]], tied[1]) if tied and choices.get(tied[1], name) != name else None
    return Input(
        name=name,
        kind=_kind(entry),
        help=_TIED.sub("", text) if when else text,
        default=entry.get("default"),
        choices=tuple(str(value) for value in entry.get("enum", ())),
        low=entry.get("minimum", entry.get("exclusiveMinimum")),
        high=entry.get("maximum", entry.get("exclusiveMaximum")),
        open="minimum" not in entry and "exclusiveMinimum" in entry,
        when=when,
    )


def _resolved(entry: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, and take the first thing that a nullable one can be."""
    own = {key: value for key, value in entry.items() if key not in ("anyOf", "$ref", "allOf")}
    inner = next(
        (option for option in entry.get("anyOf", entry.get("allOf", ()))
         if option.get("type") != "null"),
        None,
    )  # fmt: skip
    if "$ref" in entry:
        inner = definitions.get(entry["$ref"].rpartition("/")[2], {})
    return own if inner is None else _resolved(inner, definitions) | own


def _kind(entry: dict[str, Any]) -> str:
    if "enum" in entry:
        return "choice"
    known = {"number": "number", "integer": "integer", "boolean": "boolean", "array": "list"}
    return known.get(entry.get("type", ""), "text")


def _main_first(controls: list[Input]) -> Iterator[Input]:
    """Say which controls show at once: a choice and what is tied to it, else the first three."""
    tied = {control.when[0] for control in controls if control.when}
    for place, control in enumerate(controls):
        main = control.name in tied or control.when is not None if tied else place < 3
        yield Input(**{**control.__dict__, "main": main})
