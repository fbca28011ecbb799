"""Say in plain words what a pydantic error means, given as the dictionary that it reports.

A message says what would be right; where the value is short it says what was given. Kinds that
have no words here keep pydantic's own.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

Item = Mapping[str, Any]
Words = Callable[[Item, Mapping[str, Any]], str]

_NOUNS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "an object",
    "model": "an object",
    "model_attributes": "an object",
}


def plainly(item: Item, known: Iterable[str] = (), span: str = "") -> str:
    """Return the message of an error.

    `known` are the names that exist beside a field that does not; `span` is the whole range of a
    number that is outside it, as `from 1 to 100`.
    """
    kind, context = str(item["type"]), item.get("ctx") or {}
    if kind == "extra_forbidden":
        return _unknown(str(item["loc"][-1]), tuple(known))
    if kind in _RANGES:
        return f"is {span or _RANGES[kind](item, context)}{_given(item)}"
    noun, _, ending = kind.rpartition("_")
    if ending in ("type", "parsing") and noun in _NOUNS:
        return f"is {_NOUNS[noun]}{_given(item)}"
    if kind in _WORDS:
        return _WORDS[kind](item, context)
    return str(item["msg"]).removeprefix("Value error, ")


def _unknown(name: str, known: tuple[str, ...]) -> str:
    """Name the field that was meant, or all there are."""
    text = f"“{name[:80]}” is not known here"
    if close := get_close_matches(name, known, n=1, cutoff=0.6):
        return f"{text}; did you mean {close[0]}?"
    return f"{text}; known: {', '.join(known)}." if known else f"{text}."


def _given(item: Item) -> str:
    """Write what was given, where it is told and short enough to help."""
    if "input" not in item:
        return ""
    value = item["input"]
    if not isinstance(value, str | int | float | bool | None):
        kind = "an object" if isinstance(value, Mapping) else "a list"
        return f", not {kind}" if isinstance(value, Mapping | list | tuple) else ""
    text = json.dumps(value, ensure_ascii=False)
    return f", not {text}" if len(text) <= 60 else ""


def _least(number: int, one: str, things: str) -> str:
    return one if number == 1 else f"has at least {number:,} {things}"


_RANGES: dict[str, Words] = {
    "greater_than_equal": lambda item, c: f"at least {c['ge']:g}",
    "greater_than": lambda item, c: f"more than {c['gt']:g}",
    "less_than_equal": lambda item, c: f"at most {c['le']:g}",
    "less_than": lambda item, c: f"less than {c['lt']:g}",
}
_WORDS: dict[str, Words] = {
    "missing": lambda item, c: "is needed",
    "literal_error": lambda item, c: f"is one of {c['expected']}{_given(item)}".replace("'", ""),
    "enum": lambda item, c: f"is one of {c['expected']}{_given(item)}".replace("'", ""),
    "int_from_float": lambda item, c: f"is a whole number{_given(item)}",
    "finite_number": lambda item, c: "is a finite number",
    "too_long": lambda item, c: f"has at most {c['max_length']:,} entries",
    "too_short": lambda item, c: _least(c["min_length"], "has at least one entry", "entries"),
    "string_too_long": lambda item, c: f"has at most {c['max_length']:,} characters",
    "string_too_short": lambda item, c: _least(c["min_length"], "is needed", "characters"),
}
