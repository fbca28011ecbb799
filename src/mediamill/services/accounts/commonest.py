"""Passwords that are tried first: the commonest ones, and what anybody can know of an account.

`commonest.txt` has the 10,000 commonest of known leaks, the commonest first, in lower case: the
beginning of the list of zxcvbn 4.5 (`docs/licences.md`). NIST SP 800-63B-4, section
3.1.1.2, asks for such a list, and for the names that the service and the user go by. There are no
rules about which characters a password has.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

LEFT = 8
"""Characters that a password needs beside the words that anybody can know."""
LEAST_WORD = 4
"""Shorter names say nothing: they are in too much."""

COMMON = (
    "This is among the passwords that are tried first: choose another, several words for example."
)
KNOWN = (
    "Take more than the name of this service, or your own name or address: these are tried first. "
    "Several words that have nothing to do with it are good."
)
REPEATED = "This says the same over and over: choose another password, several words for example."


def weakness(password: str, words: Iterable[str] = ()) -> str:
    """Say why a password (NFKC) will not do whatever its length; empty when it will.

    `words` are what anybody can know: the names that the service and the user go by.
    """
    text = password.casefold().strip()
    if text in commonest():
        return COMMON
    if (again := _REPEATED.fullmatch(text)) and (len(again[1]) < LEFT or again[1] in commonest()):
        return REPEATED
    rest = text
    for word in sorted(_parts(words), key=len, reverse=True):
        rest = rest.replace(word, "")
    return KNOWN if rest != text and len(rest) < LEFT else ""


@cache
def commonest() -> frozenset[str]:
    """Return the commonest passwords."""
    return frozenset(listed())


def listed() -> list[str]:
    """Return them in their order."""
    text = files(__package__).joinpath("commonest.txt").read_text("utf-8")
    return text.splitlines()


def _parts(words: Iterable[str]) -> set[str]:
    """Return words, and those that they are made of."""
    folded = {word.casefold() for word in words}
    parts = {part for word in folded for part in _BETWEEN.split(word)}
    return {part for part in folded | parts if len(part) >= LEAST_WORD}


_REPEATED = re.compile(r"(.+?)\1+", re.DOTALL)
_BETWEEN = re.compile(r"[^\w]+")
