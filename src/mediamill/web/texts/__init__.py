"""All that pages say, in files by language and group of pages, and how a text is filled in.

`texts/en/files.toml` holds what the page of files says; its key `empty` is `t("files.empty")` in
templates and in scripts. A text is a string or a table of strings. A table with `one` and `other`
is chosen from by the value `count`, any other table by the value `which`:

    empty = "Nothing here yet."
    selected = {one = "{count} file selected", other = "{count} files selected"}
    state = {running = "running", failed = "failed"}

`{name}` stands for the value of that name, `{{` for a brace. Integers are written with separators
of thousands. A text with HTML in it is for templates alone; values never become
HTML, but for what is `Markup` already, such as a time.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

TEXTS = Path(__file__).parent
LANGUAGE = "en"
PLURAL = frozenset({"one", "other"})
"""The forms of a text with a count; English has no more."""

Text = str | Mapping[str, str]
"""What a key stands for: a string, or its forms by name."""
_PLACE = re.compile(r"\{\{|\}\}|\{(\w+)\}")
_HTML = re.compile(r"</?[a-z]")


class Texts:
    """The texts of one language, by key."""

    def __init__(self, texts: Mapping[str, Text]) -> None:
        self.all = texts

    def __call__(self, key: str, **values: Any) -> Markup:
        """Return a text for a page, its values filled in and escaped.

        Raises `KeyError` for a key, a form or a value that is not there.
        """
        text = chosen(self.all[key], values)
        filled = fill(text if is_html(text) else str(escape(text)), values)
        return Markup(filled)  # noqa: S704 - of our own files, and `fill` escapes what it puts in


def chosen(text: Text, values: Mapping[str, Any]) -> str:
    """Return the form of a text that its count, or what it is about, asks for."""
    if isinstance(text, str):
        return text
    if text.keys() == PLURAL:
        return text["one" if values["count"] == 1 else "other"]
    return text[str(values["which"])]


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Put values into a text, escaped."""

    def put(place: re.Match[str]) -> str:
        if place[1] is None:
            return place[0][0]
        value = values[place[1]]
        return str(escape(f"{value:,}" if isinstance(value, int) else value))

    return _PLACE.sub(put, text)


def is_html(text: str) -> bool:
    """Tell whether a text holds elements, and is written as HTML therefore."""
    return bool(_HTML.search(text))


def placeholders(text: str) -> set[str]:
    """Return the names of the values that a text wants."""
    return {place for place in _PLACE.findall(text) if place}


@cache
def load(language: str = LANGUAGE) -> Texts:
    """Read the texts of a language; they are the same for all applications of a process."""
    found: dict[str, Text] = {}
    for path in sorted((TEXTS / language).glob("*.toml")):
        texts = tomllib.loads(path.read_text(encoding="utf-8"))
        found |= {f"{path.stem}.{key}": text for key, text in texts.items()}
    return Texts(found)
