"""A form of an operation's parameters, made of their JSON Schema and nothing else.

A description that ends with a choice in brackets, as in “Frames per second (fps).”, ties its field
to that choice: it shows only while `fps` is chosen. Where several can be chosen from a list, fields
named as one of them are tied to it, and fields whose names go on after that: `erase_ratio`.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mediamill.operations.asking import ModelOperation
from mediamill.operations.base import Operation
from mediamill.operations.catalogue import Catalogue
from mediamill.operations.image import ImageOperation
from mediamill.web.api.operations import operation_view
from mediamill.web.texts import load
from mediamill.web.views.operations import OperationView

t = load()
GROUPS = {
    "part": ("start", "end", "max_frames", "pages", "max_pages"),
    "picture": (
        "format", "quality", "lossless", "width", "height", "fit", "background", "border", "fill",
        "interpolation", "deinterlace",
    ),
    "model": ("model", "providers", "temperature", "max_tokens", "continuations"),
}  # fmt: skip
"""Parameters of whatever operation that stand together among more options, by what they are of."""
OTHER = "other"
LINE = 500
"""Characters of a text; what may be longer has several lines, unless it begins with a word."""
_TIED = re.compile(r"\s*\(([\w-]+)\)(?=\.?$)")


@dataclass(frozen=True)
class Input:
    """One labelled control."""

    name: str
    kind: str
    """`number`, `integer`, `boolean`, `choice`, `choices` (several of them), `pair` (the ends of a
    range), `map` (names with numbers), `json` (any object), `list`, `colour` or `text`."""
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
    long: bool = False
    """Whether it is text of several lines, or JSON."""
    ordered: bool = False
    """Whether it matters in which order several are chosen."""
    step: float | None = None
    """By which a pair’s ends move."""
    needed: tuple[str, ...] = ()
    """Fields of which one must be filled in; this one is among them."""

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @property
    def group(self) -> str:
        """Among which more options it stands."""
        return next((group for group, names in GROUPS.items() if self.name in names), OTHER)

    @property
    def shown(self) -> str:
        """What the control holds at first."""
        if self.default is None or isinstance(self.default, list | dict | bool):
            return ""
        if isinstance(self.default, float) and self.default.is_integer():
            return str(int(self.default))
        return str(self.default)

    @property
    def written(self) -> str:
        """What a control of one line holds at first, a list with commas."""
        if isinstance(self.default, list):
            return ", ".join(str(value) for value in self.default)
        return self.shown

    @property
    def json(self) -> str:
        """The default as JSON."""
        return json.dumps(self.default)

    @property
    def range(self) -> str:
        """The range for people, empty if there is none worth telling."""
        if self.low is None and self.high is None:
            return ""
        begins = "" if self.low is None else "above" if self.open else "from"
        ends = "" if self.high is None else "to" if begins else "at_most"
        return t(
            "forms.range",
            which="_".join(filter(None, (begins, ends))),
            low=None if self.low is None else f"{self.low:g}",
            high=None if self.high is None else f"{self.high:,}",
        )


@dataclass(frozen=True)
class Form:
    """The form of one operation, and what is told of that before it is chosen."""

    operation: OperationView
    inputs: list[Input]
    asks: bool
    """Whether it asks models, which may cost money."""
    draws: bool
    pictured: bool
    """Whether there are previews of it: an image before and after."""
    varies: bool
    """Whether its previews show single parameters too."""
    gives: str
    """`frames` (many pictures of one), `image`, `texts`, `report`, or `file` for whatever else."""

    @property
    def label(self) -> str:
        """What it is called for people: `extract-frames`: Extract frames."""
        return self.operation.name.replace("-", " ").capitalize()

    @property
    def takes(self) -> tuple[str, ...]:
        """Kinds of files: `video`, `image`, `audio`, `document`; none for any."""
        kinds = (accepted.partition("/")[0] for accepted in self.operation.accepts)
        known = ("video", "image", "audio")
        return tuple(dict.fromkeys(kind if kind in known else "document" for kind in kinds))

    @property
    def more(self) -> dict[str, list[Input]]:
        """What does not show at once, by its groups; the others come first."""
        rest = [one for one in self.inputs if not one.main]
        groups = {name: [one for one in rest if one.group == name] for name in (OTHER, *GROUPS)}
        return {name: found for name, found in groups.items() if found}


def forms(catalogue: Catalogue) -> list[Form]:
    """Make the forms of all operations."""
    return [form(name, catalogue.get(name)) for name in catalogue.names()]


def form(name: str, kind: type[Operation]) -> Form:
    """Make the form of an operation."""
    view = operation_view(name, kind)
    return Form(
        operation=view,
        inputs=inputs(view.schema_),
        asks=issubclass(kind, ModelOperation),
        draws=kind.draws,
        pictured=issubclass(kind, ImageOperation) and bool(kind.gives),
        varies=issubclass(kind, ImageOperation) and kind.variants is not ImageOperation.variants,
        gives=_gives(kind),
    )


def _gives(kind: type[Operation]) -> str:
    if not kind.gives:
        return "texts" if issubclass(kind, ModelOperation) else "report"
    if not kind.gives.startswith("image/"):
        return "file"
    return "frames" if kind.fans_out else "image"


def inputs(schema: dict[str, Any]) -> list[Input]:
    """Make the controls of a schema's properties, in their order."""
    return list(_main_first(_controls(schema)))


def _controls(schema: dict[str, Any]) -> list[Input]:
    definitions = schema.get("$defs", {})
    properties = {
        name: _resolved(entry, definitions) for name, entry in schema.get("properties", {}).items()
    }
    several = {
        value: name
        for name, entry in properties.items()
        if "enum" not in entry
        for value in _values(entry)
    }
    one = {value: name for name, entry in properties.items() for value in entry.get("enum", ())}
    required = schema.get("required", ())
    return [
        replace(
            _control(name, entry, one | several, several),
            needed=(name,) if name in required else tuple(entry.get("one_of", ())),
        )
        for name, entry in properties.items()
    ]


def _values(entry: dict[str, Any]) -> tuple[str, ...]:
    """Return what can be chosen, once or several times."""
    listed = entry.get("items")
    own = entry if "enum" in entry or not isinstance(listed, dict) else listed
    return tuple(str(value) for value in own.get("enum", ()))


def _tie(
    name: str, text: str, choices: dict[Any, str], several: dict[str, str]
) -> tuple[str, str] | None:
    """Return the choice that a field is for: one in brackets, else one that begins its name."""
    tied = _TIED.search(text)
    if tied and choices.get(tied[1], name) != name:
        return choices[tied[1]], tied[1]
    own = [one for one in several if f"{name}_".startswith(f"{one.replace('-', '_')}_")]
    longest = max(own, key=len, default=None)
    return None if longest is None or several[longest] == name else (several[longest], longest)


def _control(
    name: str, entry: dict[str, Any], choices: dict[Any, str], several: dict[str, str]
) -> Input:
    text = entry.get("description", "")
    when = _tie(name, text, choices, several)
    kind = _kind(entry)
    ends = entry["prefixItems"][0] if kind == "pair" else entry
    low = ends.get("minimum", ends.get("exclusiveMinimum"))
    high = ends.get("maximum", ends.get("exclusiveMaximum"))
    return Input(
        name=name,
        kind=kind,
        help=_TIED.sub("", text) if when else text,
        default=entry.get("default"),
        choices=_values(entry),
        low=low,
        high=high,
        open="minimum" not in ends and "exclusiveMinimum" in ends,
        when=when,
        ordered=bool(entry.get("ordered")),
        long=kind == "json" or (not entry.get("default") and entry.get("maxLength", 0) > LINE),
        step=_step(ends, low, high) if kind == "pair" else None,
    )


def _step(ends: dict[str, Any], low: float | None, high: float | None) -> float:
    """Return a round number, a hundredth of the range or less; whole where the ends are."""
    if ends.get("type") == "integer":
        return float(ends.get("step", 1))
    return 10.0 ** math.floor(math.log10(((high or 1) - (low or 0)) / 100))


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
    if entry.get("type") == "array":
        ends = entry.get("prefixItems", ())
        if len(ends) == 2 and all("maximum" in end for end in ends):
            return "pair"
        return "choices" if _values(entry) else "list"
    if entry.get("pattern", "").startswith("^#"):
        return "colour"
    if entry.get("type") == "object":
        return "map" if isinstance(entry.get("additionalProperties"), dict) else "json"
    known = {"number": "number", "integer": "integer", "boolean": "boolean"}
    return known.get(entry.get("type", ""), "text")


def _main_first(controls: list[Input]) -> Iterator[Input]:
    """Say which show at once: a choice, what is tied to it, the first two; else the first three."""
    tied = {control.when[0] for control in controls if control.when}
    for place, control in enumerate(controls):
        main = control.name in tied or control.when is not None or place < (2 if tied else 3)
        yield Input(**{**control.__dict__, "main": main})
