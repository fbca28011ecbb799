"""Patterns of schemas: those of Rust's `regex`, which takes time in proportion to the text.

pydantic brings it. Python's own may take for ever over a few characters, and cannot be ended.
"""

import re
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

MAX_PATTERN = 500
"""Characters of a pattern; those that repeat much are refused by `regex` for their size."""
SHOWN = 200
MAX_WEIGHT = 20_000
"""Of all patterns of a schema: a tenth of a second to compile."""
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]|\{\d{1,9}(?:,\d{0,9})?\}|[^\\]", re.DOTALL)
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_CLASSES = frozenset({"\\w", "\\W", "\\p", "\\P", "\\d", "\\D", "\\s", "\\S", "."})
_WIDE, _LISTED = 50, 10
"""Weights of classes of Unicode, and of those that list their characters."""


def check(pattern: str) -> None:
    """Raise `ValueError` for a pattern that cannot be used."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"output_schema has a pattern of more than {MAX_PATTERN} characters")
    try:
        _compiled(pattern)
    except SchemaError as error:
        *_, why = str(error).strip().splitlines()
        raise ValueError(
            f"output_schema has a pattern that cannot be used, {pattern[:SHOWN]}: {why}"
        ) from None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern is found in a text, as JSON Schema's `pattern` is meant."""
    try:
        _compiled(pattern).validate_python(text)
    except ValidationError:
        return False
    return True


@lru_cache(maxsize=256)
def weight(pattern: str) -> int:
    """Return how large a pattern is with its repetitions written out, roughly.

    That is what compiling it takes, and at worst reading one character with it.
    """
    totals, last = [0], 0
    for part in _TOKEN.findall(pattern):
        if part == "(":
            totals.append(0)
        elif part == ")" and len(totals) > 1:
            last = totals.pop()
            totals[-1] += last
        elif count := _COUNT.fullmatch(part):
            times = max(1, int(count[2] or count[1])) - 1
            totals[-1] += last * times
            last += last * times
        elif part not in "?*+|":
            last = _WIDE if part[:2] in _CLASSES else _LISTED if part[0] == "[" else 1
            totals[-1] += last
    return sum(totals)
