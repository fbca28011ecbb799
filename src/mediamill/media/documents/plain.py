"""Decode text whatever it was written with: by its byte order mark, as UTF-8, else as it looks."""

import codecs
import re

from mediamill.core.errors import UnsupportedMedia

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Characters that text has none of; form feed, vertical tab and escape are met in some."""

WESTERN = "cp1252"
_WESTERN_LETTERS = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿŒœ")
_WESTERN_SHARE = 0.35
"""Letters beyond ASCII are fewer than this in languages of Western Europe."""
_EMBEDDED = re.compile(
    r"(?<=[^\W\d_])[^\W\d_\x00-\x7f]|(?<=[^\W\d_])[^\w\x00-\x7f’–—…](?=[^\W\d_])"
)

OLD_ENCODINGS = (
    "cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp932",
    "euc_jp", "gb18030", "big5", "cp949",
)  # fmt: skip
"""What is asked for beside Unicode; of all that there are, rare ones would be found by mistake."""
_LOOKED_AT = 1 << 18
"""Bytes by which an old encoding is told."""


def decoded(data: bytes, name: str) -> tuple[str, str]:
    """Return a text, its lines ended by line feeds, and the encoding that it was in.

    Raises `UnsupportedMedia` for what is no text.
    """
    text, encoding = _decoded(data, name)
    if _CONTROL.search(text):
        raise UnsupportedMedia(f"{name} is no text: it has control characters.")
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def _decoded(data: bytes, name: str) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strictly(data[len(mark) :], encoding, name), encoding
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        pass
    if b"\x00" in data:
        raise UnsupportedMedia(f"{name} is no text: it has NUL bytes.")
    if (western := _western(data)) is not None:
        return western, WESTERN
    return _old(data, name)


def _strictly(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        message = f"{name} looks like {encoding} and is not, at byte {error.start}"
        raise UnsupportedMedia(f"{message}. If it is text, save it as UTF-8.") from None


def _western(data: bytes) -> str | None:
    """Return the text if it reads well as that of a Western European language.

    Statistics need longer texts than files often are; of a few bytes they make anything.
    """
    try:
        text = data.decode(WESTERN)
    except UnicodeDecodeError:
        return None
    letters = sum(map(str.isalpha, text))
    beyond = sum(letter > "\x7f" and letter.isalpha() for letter in text)
    strange = any(found not in _WESTERN_LETTERS for found in _EMBEDDED.findall(text))
    return None if strange or beyond > _WESTERN_SHARE * letters else text


def _old(data: bytes, name: str) -> tuple[str, str]:
    """Return a text by its statistics; what these cannot tell is taken for Western European."""
    from charset_normalizer import from_bytes

    head = data if len(data) <= _LOOKED_AT else data[: data.rfind(b"\n", 0, _LOOKED_AT) + 1]
    best = from_bytes(head or data[:_LOOKED_AT], cp_isolation=[*OLD_ENCODINGS]).best()
    encoding = best.encoding if best else WESTERN
    return _strictly(data, encoding, name), encoding
