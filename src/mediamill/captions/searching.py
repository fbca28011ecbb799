"""Words under which captions are found: of their texts, their labels and the name of the file.

A word is looked for by how it begins, whatever its case and accents. Scripts that put no spaces
between words are found by their letters, which must then stand in the text as they do in the query.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

MOST_WORDS = 400
"""Of one item; what has more, in many languages, is found by these."""
MOST_TERMS = 8
"""Words of a query; the others are not looked at."""
LONGEST = 40
"""Letters of a word; what follows is not told apart."""
COMMON = frozenset(
    ["a", "an", "and", "are", "at", "in", "is", "of", "on", "or", "the", "to", "with"]
)
"""English words that nobody is helped by."""

_ACCENTS = re.compile("[\u0300-\u036f]")
_PACKED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
"""Letters of scripts without spaces: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""


def plain(text: str) -> str:
    """Return a text without case and accents."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", folded))


def words_in(text: str) -> list[str]:
    """Return a text's words, each once, as they are kept."""
    spaced = _PACKED.sub(r" \g<0> ", plain(text))
    letters = "".join(letter if _counts(letter) else " " for letter in spaced)
    found = (word[:LONGEST] for word in letters.split())
    return [*dict.fromkeys(word for word in found if _tells(word))]


def words_of(
    name: str, captions: Iterable[Mapping[str, Any]], labels: Iterable[Mapping[str, Any]]
) -> tuple[str, ...]:
    """Return the words under which an item is found."""
    found: dict[str, None] = {}
    for text in texts_of(name, captions, labels):
        found |= dict.fromkeys(words_in(text))
        if len(found) >= MOST_WORDS:
            break
    return tuple(found)[:MOST_WORDS]


def texts_of(
    name: str, captions: Iterable[Mapping[str, Any]], labels: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Return the texts in which an item is looked for."""
    return [name, *(str(one["name"]) for one in labels), *(str(one["text"]) for one in captions)]


def runs_in(query: str) -> list[str]:
    """Return what of a query must stand in a text as it is, for lack of spaces."""
    return [run for run in plain(query).split() if _PACKED.search(run)]


def _counts(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter) in ("Mn", "Mc")


def _tells(word: str) -> bool:
    if word in COMMON:
        return False
    return len(word) > 1 or word.isdigit() or not word.isascii()
