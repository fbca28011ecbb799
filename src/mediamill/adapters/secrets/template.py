"""Settings with references in them: `postgresql://mill:${ssm:/mill/password}@db/mill`."""

import json
import re
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, quote

from mediamill.adapters.secrets.port import Reference
from mediamill.core.settings import Settings

_REFERENCE = re.compile(r"\$\{([a-z][a-z0-9-]*):([^{}]*)\}")


def is_template(text: str) -> bool:
    """Tell whether a text has references."""
    return _REFERENCE.search(text) is not None


def templates_of(given: dict[str, Any]) -> dict[str, str]:
    """Return the texts with references among settings: given ones, and the environment's."""
    said = Settings.in_environment() | {name: str(value) for name, value in given.items()}
    return {name: text for name, text in said.items() if is_template(text)}


@dataclass(frozen=True)
class Template:
    """A text in pieces: as they are, and references."""

    pieces: tuple[str | Reference, ...]
    is_url: bool
    """Then what comes into it is percent-encoded, unless it begins the text."""

    @classmethod
    def of(cls, text: str, *, is_url: bool) -> Self:
        """Read a text."""
        pieces: list[str | Reference] = []
        end = 0
        for found in _REFERENCE.finditer(text):
            pieces += [text[end : found.start()], _reference(*found.groups())]
            end = found.end()
        pieces.append(text[end:])
        return cls(tuple(piece for piece in pieces if piece), is_url)

    def references(self) -> list[Reference]:
        """List the references."""
        return [piece for piece in self.pieces if isinstance(piece, Reference)]

    def filled(self, values: dict[Reference, str]) -> str:
        """Put values in the places of references."""
        text = ""
        for piece in self.pieces:
            value = piece if isinstance(piece, str) else values[piece]
            inside = self.is_url and text and not isinstance(piece, str)
            text += quote(value, safe="") if inside else value
        return text


def _reference(keeper: str, rest: str) -> Reference:
    place, _, key = rest.partition("#")
    name, _, query = place.partition("?")
    return Reference(keeper, name, dict(parse_qsl(query, keep_blank_values=True)), key)


def part_of(text: str, key: str) -> str:
    """Return a value of the JSON object that a secret is; raises `ValueError`, not showing it."""
    if not key:
        return text
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"it is no JSON object, so it has no “{key}”")
    value = found.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"its JSON has no text or number “{key}”")
    return str(value)
