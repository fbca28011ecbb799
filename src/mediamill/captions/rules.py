"""When a caption will do: its length, by variant, and what may not be in it.

A concise one has 10 words at most, a creative one 1 or 2 sentences and 200 characters, an alt-text
125 characters; that does not begin with "image of" (W3C WAI, "Images Tutorial: Tips and Tricks")
and is empty where the picture is decorative ("Decorative Images").
"""

import math
import re
from collections.abc import Callable

from mediamill.captions.languages import plausible, primary
from mediamill.captions.model import Variant
from mediamill.captions.wording import leftover

CONCISE_WORDS = 10
CREATIVE_SENTENCES = 2
CREATIVE_LETTERS = 200
ALT_LETTERS = 125

_WORD = re.compile(r"[^\W_](?:[\w'’.-]*[^\W_])?")
_PACKED = (
    (re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"), 2),
    (re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"), 5),
)
"""Letters of scripts that have no spaces, and how many of them are a word, roughly."""
_END = re.compile(r"(?:(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s+\S|$))|[。！？｡।։؟]+[」』”]*")
"""Tried once for each row of such signs: a text that is nothing else is read in no time."""
_SHORT = re.compile(
    r"\b(?:mr|mrs|ms|dr|st|prof|sr|jr|vs|ca|bzw|z\. ?b|e\.g|i\.e|approx|inc|ltd|[^\W\d_])\.",
    re.IGNORECASE,
)
"""A dot that ends no sentence."""
_OF_ITSELF = {
    "en": r"(?:(?:an?|the|this)\s+)?"
    r"(?:(?:black[- ]and[- ]white|close[- ]?up|aerial|stock|blurr(?:y|ed)|colou?r|old|vintage"
    r"|digital|product|panoramic|beautiful|detailed|low[- ]resolution|grayscale)\s+){0,2}"
    r"(?:image|picture|photo|photograph|graphic|illustration)\s+"
    r"(?:of|shows?|showing|depict\w*|featur\w+|contain\w*|with)\b",
    "de": r"(?:(?:ein|eine|das|dieses|die)\s+)?(?:[\w-]+\s+)?(?:bild|foto|fotografie|aufnahme)\s+"
    r"(?:von|vom|eines|einer|zeigt|mit)\b",
    "fr": r"(?:(?:une|la|cette)\s+|l['’])?(?:image|photo|photographie)\s+"
    r"(?:d['’]|(?:de|du|des|montr\w+|représent\w+|avec)\b)",
    "es": r"(?:(?:una|la|esta)\s+)?(?:imagen|foto|fotografía)\s+"
    r"(?:de|del|que muestra|muestra|con)\b",
    "it": r"(?:(?:una|la|questa)\s+|un['’]|l['’])?(?:immagine|foto|fotografia)\s+"
    r"(?:di|del|della|che mostra|mostra|con)\b",
    "pt": r"(?:(?:uma|a|esta)\s+)?(?:imagem|foto|fotografia)\s+"
    r"(?:de|do|da|que mostra|mostra|com)\b",
    "nl": r"(?:(?:een|de|deze)\s+)?(?:afbeelding|foto|plaatje)\s+(?:van|met|toont)\b",
    "pl": r"(?:to\s+)?(?:zdjęcie|obraz|fotografia|grafika)\s+(?:przedstawia\w*|z|ze)\b",
    "sv": r"(?:en\s+)?(?:bild|foto)\s+(?:av|på|som visar)\b",
    "da": r"(?:et\s+)?(?:billede|foto)\s+(?:af|med)\b",
    "nb": r"(?:et\s+)?(?:bilde|foto)\s+(?:av|med)\b",
    "ru": r"(?:изображение|фотография|фото|картинка)\s+\w",
    "uk": r"(?:зображення|фотографія|фото)\s+\w",
    "ja": r".*の(?:画像|写真|イメージ)(?:です)?[。.]?$",
    "zh": r"(?:(?:这|此)?(?:是)?(?:一)?(?:张|幅)?(?:图片|照片|图像)(?:显示|展示|中))"
    r"|.*的(?:图片|照片|图像)[。.]?$",
    "ko": r".*(?:이미지|사진)(?:입니다)?[.]?$",
}  # fmt: skip
"""How an alt-text begins (in Japanese, Chinese and Korean ends) that says that it is one."""
_OPENINGS = {code: re.compile(text, re.IGNORECASE) for code, text in _OF_ITSELF.items()}


def objection(variant: Variant, text: str, language: str) -> str:
    """Say why a tidied text will not do as a variant; empty where it will."""
    if not text:
        return "" if variant == "alt-text" else "it is empty"
    return (
        leftover(text)
        or _RULES[variant](text, language)
        or ("" if plausible(text, language) else f"it is not in {language}")
    )


def words(text: str) -> int:
    """Count words; where a script has no spaces, by how long its words are."""
    count = 0
    for letters, each in _PACKED:
        count += math.ceil(len(letters.findall(text)) / each)
        text = letters.sub(" ", text)
    return count + len(_WORD.findall(text))


def sentences(text: str) -> int:
    """Count sentences; what ends none, such as `Dr.` or `3.5`, is left out."""
    text = _SHORT.sub(lambda found: found[0][:-1], text)
    whole = _END.findall(text)
    rest = _END.sub("\n", text).rsplit("\n", 1)[-1]
    return len(whole) + bool(words(rest))


def _concise(text: str, language: str) -> str:
    count = words(text)
    if not count:
        return "it has no words"
    return f"it has {count} words, {CONCISE_WORDS} at most" if count > CONCISE_WORDS else ""


def _creative(text: str, language: str) -> str:
    count = sentences(text)
    if not words(text):
        return "it has no words"
    if count > CREATIVE_SENTENCES:
        return f"it has {count} sentences, {CREATIVE_SENTENCES} at most"
    return _letters(text, CREATIVE_LETTERS)


def _alt(text: str, language: str) -> str:
    opening = _OPENINGS.get(primary(language))
    if opening is not None and opening.match(text):
        return "it says that it is an image, which screen readers say themselves"
    return _letters(text, ALT_LETTERS) if words(text) else "it has no words"


def _letters(text: str, most: int) -> str:
    return f"it has {len(text)} characters, {most} at most" if len(text) > most else ""


_RULES: dict[Variant, Callable[[str, str], str]] = {
    "concise": _concise,
    "creative": _creative,
    "alt-text": _alt,
}
