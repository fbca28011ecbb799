"""Values out of files of others: numbers that are numbers, or a sentence what is wrong."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from mediamill.core.errors import InvalidInput

LARGEST = 1e7
"""Coordinates beyond are no pixels."""
MAX_NUMBERS = 2_000_000
"""Coordinates of one annotation."""
MAX_NAME = 200


def number(value: Any, what: str) -> float:
    """Return a finite number; raises `InvalidInput` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{what} is no number.")
    if abs(value) > LARGEST or not math.isfinite(value):
        raise InvalidInput(f"{what} is no number of pixels.")
    return float(value)


def numbers(values: Any, what: str) -> tuple[float, ...]:
    """Return a list out of JSON, which has no NaN, as numbers; raises `InvalidInput`."""
    try:
        found = msgspec.convert(values, tuple[float, ...])
    except msgspec.ValidationError:
        raise InvalidInput(f"{what} is no list of numbers.") from None
    if len(found) > MAX_NUMBERS:
        raise InvalidInput(f"{what} has more than {MAX_NUMBERS:,} numbers.")
    if found and (max(found) > LARGEST or min(found) < -LARGEST):
        raise InvalidInput(f"{what} holds what is no number of pixels.")
    return found


def parsed(words: Sequence[str], what: str) -> tuple[float, ...]:
    """Return the numbers that words spell; raises `InvalidInput`."""
    if len(words) > MAX_NUMBERS:
        raise InvalidInput(f"{what} has more than {MAX_NUMBERS:,} numbers.")
    try:
        return tuple(number(float(word), what) for word in words)
    except ValueError:
        raise InvalidInput(f"{what} holds something that is no number.") from None


def size(value: Any, what: str) -> int:
    """Return a number of pixels, 0 where none is said; raises `InvalidInput`."""
    if value is None:
        return 0
    found = number(value, what)
    if found < 0 or found != int(found):
        raise InvalidInput(f"{what} is no number of pixels.")
    return int(found)


def name(value: Any, what: str) -> str:
    """Return a name that can be shown; raises `InvalidInput`."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{what} is empty.")
    text = value.strip()
    if len(text) > MAX_NAME or not text.isprintable():
        raise InvalidInput(f"{what} is longer than {MAX_NAME} characters, or not printable.")
    return text


def key(value: Any, what: str) -> int | str:
    """Return an id: a whole number of at most 63 bits, or a short text; raises `InvalidInput`."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidInput(f"{what} is missing, or neither a number nor a text.")
    if len(str(value)) > MAX_NAME or (isinstance(value, int) and not -(2**63) <= value < 2**63):
        raise InvalidInput(f"{what} is too long.")
    return value
