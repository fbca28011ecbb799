"""Languages by their tag (BCP 47, RFC 5646), and whether a text can be in one of them.

Only the script is looked at: that costs nothing, and tells a model that answered in English when
it was asked for Japanese.
"""

import re
import unicodedata

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|\d{3}))?",
    re.IGNORECASE | re.ASCII,
)
NAMES = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "az": "Azerbaijani", "be": "Belarusian",
    "bg": "Bulgarian", "bn": "Bengali", "bs": "Bosnian", "ca": "Catalan", "cs": "Czech",
    "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "eo": "Esperanto", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian",
    "fi": "Finnish", "fil": "Filipino", "fr": "French", "ga": "Irish", "gl": "Galician",
    "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian",
    "hy": "Armenian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese",
    "ka": "Georgian", "kk": "Kazakh", "km": "Khmer", "kn": "Kannada", "ko": "Korean",
    "la": "Latin", "lb": "Luxembourgish", "lo": "Lao", "lt": "Lithuanian", "lv": "Latvian",
    "mk": "Macedonian", "ml": "Malayalam", "mn": "Mongolian", "mr": "Marathi", "ms": "Malay",
    "mt": "Maltese", "my": "Burmese", "nb": "Norwegian Bokmål", "ne": "Nepali", "nl": "Dutch",
    "nn": "Norwegian Nynorsk", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish",
    "ps": "Pashto", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "si": "Sinhala",
    "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish",
    "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tl": "Tagalog",
    "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese",
    "yue": "Cantonese", "zh": "Chinese", "zu": "Zulu",
}  # fmt: skip
"""Languages that are asked for by name; any other by its tag alone."""

_EAST = ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA")
_SCRIPTS: dict[str, tuple[str, ...]] = {
    "Arab": ("ARABIC",), "Armn": ("ARMENIAN",), "Beng": ("BENGALI",), "Cyrl": ("CYRILLIC",),
    "Deva": ("DEVANAGARI",), "Ethi": ("ETHIOPIC",), "Geor": ("GEORGIAN",), "Grek": ("GREEK",),
    "Gujr": ("GUJARATI",), "Guru": ("GURMUKHI",), "Hans": ("CJK",), "Hant": ("CJK",),
    "Hebr": ("HEBREW",), "Jpan": _EAST, "Khmr": ("KHMER",), "Knda": ("KANNADA",),
    "Kore": ("HANGUL", "CJK"), "Laoo": ("LAO",), "Latn": ("LATIN",), "Mlym": ("MALAYALAM",),
    "Mymr": ("MYANMAR",), "Sinh": ("SINHALA",), "Taml": ("TAMIL",), "Telu": ("TELUGU",),
    "Thai": ("THAI",),
}  # fmt: skip
"""With what Unicode's names of a script's letters begin, by its code (ISO 15924)."""
_OWN_SCRIPT = {
    **dict.fromkeys(("ar", "fa", "ps", "ur"), "Arab"),
    **dict.fromkeys(("be", "bg", "kk", "mk", "mn", "ru", "uk"), "Cyrl"),
    **dict.fromkeys(("hi", "mr", "ne"), "Deva"),
    **dict.fromkeys(("yue", "zh"), "Hans"),
    "am": "Ethi", "bn": "Beng", "el": "Grek", "gu": "Gujr", "he": "Hebr", "hy": "Armn",
    "ja": "Jpan", "ka": "Geor", "km": "Khmr", "kn": "Knda", "ko": "Kore", "lo": "Laoo",
    "ml": "Mlym", "my": "Mymr", "si": "Sinh", "ta": "Taml", "te": "Telu", "th": "Thai",
}  # fmt: skip
_EITHER = frozenset({"az", "bs", "pa", "sr", "uz"})
"""Languages that are written in several scripts."""
_SHARE = 0.5
"""Of the letters; names and brands stay as they are written elsewhere."""


def canonical(tag: str) -> str:
    """Return a tag as it is written (RFC 5646, 2.1.1), such as `zh-Hant-TW`.

    Raises `ValueError` for what is no language with script and region at most.
    """
    found = _TAG.fullmatch(tag.replace("_", "-"))
    if found is None:
        raise ValueError(f"“{tag[:40]}” is no language tag such as en, pt-BR or zh-Hant")
    script, region = found["script"] or "", found["region"] or ""
    return "-".join(filter(None, (found["language"].lower(), script.title(), region.upper())))


def primary(tag: str) -> str:
    """Return the language of a tag without script and region."""
    return tag.partition("-")[0].lower()


def described(tag: str) -> str:
    """Return a language's English name with its tag, or the tag alone."""
    name = NAMES.get(primary(tag))
    return f"{name} ({tag})" if name else f"the language with the BCP 47 tag {tag}"


def plausible(text: str, tag: str) -> bool:
    """Tell whether at least half of the letters are of a script that the language is written in."""
    begins = _begins(tag)
    letters = [letter for letter in text if letter.isalpha()]
    if not begins or not letters:
        return True
    fitting = sum(unicodedata.name(letter, "").startswith(begins) for letter in letters)
    return fitting >= _SHARE * len(letters)


def _begins(tag: str) -> tuple[str, ...]:
    found = _TAG.fullmatch(tag)
    language = primary(tag)
    if found is not None and found["script"]:
        return _SCRIPTS.get(found["script"].title(), ())
    if language in _EITHER or (language not in NAMES):
        return ()
    return _SCRIPTS[_OWN_SCRIPT.get(language, "Latn")]
