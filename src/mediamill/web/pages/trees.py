"""Render a JSON document as a tree that can be folded, in HTML; all that it says is text there."""

import json
from typing import Any

from markupsafe import Markup

MOST_NODES = 1_000
MAX_DEPTH = 12
_OPEN = 2
"""Levels that are unfolded at first."""


def tree(value: Any) -> Markup:
    """Return a document's tree; what is too much or too deep stands there as a text, cut off."""
    return _Tree().of(value, 0)


class _Tree:
    """Counts what has been written."""

    def __init__(self) -> None:
        self._left = MOST_NODES

    def of(self, value: Any, depth: int) -> Markup:
        self._left -= 1
        if not isinstance(value, dict | list) or not value:
            return Markup("<span>{}</span>").format(_text(value))
        if depth >= MAX_DEPTH or self._left <= 0:
            return Markup("<code>{}</code>").format(_cut(value))
        pairs = value.items() if isinstance(value, dict) else enumerate(value, start=1)
        lines = Markup("").join(self._line(name, inner, depth) for name, inner in pairs)
        return Markup("<ul>{}</ul>").format(lines)

    def _line(self, name: Any, value: Any, depth: int) -> Markup:
        if self._left <= 0:
            return Markup("")
        told = Markup('<span class="key">{}</span>').format(name)
        if not isinstance(value, dict | list) or not value:
            return Markup("<li>{}: {}</li>").format(told, self.of(value, depth + 1))
        count = _counted(len(value), "field" if isinstance(value, dict) else "entry")
        shown = Markup(" open") if depth < _OPEN else Markup("")
        return Markup(
            '<li><details{}><summary>{} <span class="muted">{}</span></summary>{}</details></li>'
        ).format(shown, told, count, self.of(value, depth + 1))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(value: Any, most: int = 200) -> str:
    """Write what is not unfolded any more; it was read from JSON, so it is not deep without end."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[:most]}…"


def _counted(count: int, one: str) -> str:
    return f"{count:,} {one if count == 1 else {'field': 'fields', 'entry': 'entries'}[one]}"
