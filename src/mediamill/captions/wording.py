"""What models leave around a caption: what can be taken off, and what makes it useless."""

import html
import re
import unicodedata
from collections.abc import Callable

LONGEST = 4_000
"""Characters of an answer that are looked at; no caption is near as long."""

_EMPTY = frozenset("\u200b\u2060\ufeff")
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "‘": "’", "'": "'", "「": "」", "『": "』"}
_TAGS = re.compile(
    r"</?[a-z!][^<>]{0,300}>|<\|[^<>|]{0,60}\|>|\[/?INST\]|\[(?:UNK|SEP|CLS|PAD|MASK)\]",
    re.IGNORECASE,
)
_MARKDOWN = re.compile(
    r"\*\*|__|`|^\s*#{1,6}\s|^\s*[-*•]\s|^\s*\d{1,2}[.)]\s|!?\[[^\[\]]{1,200}\]\(|(?<!\w)\*\w[^*]*\*"
)
_SAID = r"(?:caption|alt[ -]?text|description|title|text|version|answer|response|output|json)s?"
_PREAMBLE = re.compile(
    r"(?:(?:sure|certainly|of course|absolutely|okay|ok|great)[,!.]\s*)?"
    rf"(?:here(?:['’]?s| is| are)|this is|below is)\b[^:.!?]{{0,60}}\b{_SAID}\b[^:.!?]{{0,40}}:"
    rf"|(?:sure|certainly|absolutely)[,!.]\s*here\b"
    rf"|(?:the\s+)?(?:(?:short|concise|creative|image|photo)\s+)?{_SAID}(?:\s+\w{{1,12}})?\s*[:=]"
    r"|(?:concise|creative)\s*[:=]"
    r"|(?:hier (?:ist|sind)|voici|aquí (?:está|tienes)|aqui está|ecco|вот|oto|以下|这是|これは)"
    r"[^:：.!?]{0,60}[:：]",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"(?:i['’]?m|i am|we are)\s+(?:very\s+)?(?:sorry|unable|not able|an? (?:ai|language model))"
    r"|(?:sorry|apologies)[,!.]\s*(?:but\s+)?(?:i|no|the|this)\b|i apologi[sz]e\b|as an ai\b"
    r"|(?:unfortunately,?\s+)?"
    r"i\s+(?:can['’]?t|cannot|can not|do not|don['’]t|am unable to|could not)"
    r"\s+(?:help|assist|provide|describe|identify|process|access|generate|comply|analy[sz]e"
    r"|(?:see|view|open)\s+(?:the|any|an|this|your|that)\s+(?:image|picture|photo|attachment))"
    r"|(?:no|the|this)\s+(?:image|picture|photo)\s+(?:was|is|has been)\s+"
    r"(?:not\s+)?(?:provided|attached|available|missing|uploaded)"
    r"|please\s+(?:provide|upload|share|attach)\b",
    re.IGNORECASE,
)
_STUCK = re.compile(r"\b(\w+(?:\W{1,3}\w+){0,5})(?:\W{1,3}\1\b){3}", re.IGNORECASE)


def tidied(text: str) -> str:
    """Return a caption in one line, NFC, without quotes around it, entities and hidden letters."""
    text = _unescaped(text[:LONGEST])
    shown = "".join(letter for letter in text if letter.isspace() or not _hidden(letter))
    text = " ".join(unicodedata.normalize("NFC", shown).split())
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and _encloses(text):
        text = text[1:-1].strip()
    return text


def _unescaped(text: str) -> str:
    """Return a text without HTML's entities, however often it was escaped."""
    while (plain := html.unescape(text)) != text:
        text = plain
    return text


def _hidden(letter: str) -> bool:
    return letter in _EMPTY or unicodedata.category(letter) in {"Cc", "Cs", "Co"}


def _encloses(text: str) -> bool:
    """Tell whether the first and the last letter are quotes around all of it."""
    inner, opening, closing = text[1:-1], text[0], text[-1]
    if closing == "'" and re.search(r"\w'|'\w", inner):
        return not re.search(r"(?:^|\s)'|'(?:\s|$)", inner)
    return opening not in inner and closing not in inner


def leftover(text: str) -> str:
    """Say what a tidied caption has in it that is none of its own; empty where it is clean."""
    return next((said for said, found in _FOUND if found(text)), "")


def _no_sentence(text: str) -> bool:
    return text[:1] in ("{", "[") or text[-1:] in ("{", "[")


def _unclosed(text: str) -> bool:
    """Tell whether a text begins with a quote that does not end."""
    opening = text[:1]
    if opening not in _QUOTES or opening == "'":
        return False
    closing = _QUOTES[opening]
    return text.count(opening) % 2 == 1 if opening == closing else closing not in text[1:]


_FOUND: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("it has tags in it", _TAGS.search),
    ("it has markup in it", _MARKDOWN.search),
    ("it is about the model or a missing picture", _REFUSAL.match),
    ("it begins with words about itself", _PREAMBLE.match),
    ("it is no sentence", _no_sentence),
    ("it has a quote that does not end", _unclosed),
    ("it repeats itself", _STUCK.search),
)
