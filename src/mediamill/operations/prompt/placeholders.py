"""Put a file's name and number into a prompt, and nothing else.

`{name}` and `{index}` (from 1) stand for those of the file; `{{name}}` is `{name}` itself. All
other braces are left as they are: prompts quote JSON and code.
"""

import re

MOST_OF_A_NAME = 200
_PLACEHOLDER = re.compile(r"(\{)?\{(name|index)\}(?(1)\})")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")


def filled(text: str, name: str, index: int) -> str:
    """Return a prompt for one file; `index` is from 0."""
    values = {"name": line_of(name), "index": str(index + 1)}

    def value(found: re.Match[str]) -> str:
        return f"{{{found[2]}}}" if found[1] else values[found[2]]

    return _PLACEHOLDER.sub(value, text)


def used(text: str) -> frozenset[str]:
    """Return the names of the placeholders that a text has."""
    return frozenset(found[2] for found in _PLACEHOLDER.finditer(text) if not found[1])


def line_of(name: str) -> str:
    """Return a file's name as one line of text, without characters that are not seen."""
    return " ".join(_UNSEEN.sub(" ", name).split())[:MOST_OF_A_NAME]
