"""Turn any text into a file name that is safe in a zip, in a header and on every file system."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

MAX_BYTES = 200
"""UTF-8 bytes that a name may take; file systems allow 255, which leaves room for suffixes."""

_SEPARATORS = re.compile(r"[/\\]")
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(
    r"^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])$", re.IGNORECASE
)
_PLAIN = re.compile(
    r"(?!con|prn|aux|nul|com|lpt)[A-Z0-9_]([A-Z0-9_.,()+=@-]{0,98}[A-Z0-9_)-])?",
    re.IGNORECASE | re.ASCII,
)
"""What most names look like: safe already, and not worth the whole treatment."""

_EXTENSION = re.compile(r"^\.[A-Za-z0-9]{1,16}$")


def safe_name(text: str, default: str = "file") -> str:
    """Return the last path part of `text` without anything that a name can be abused for.

    Control and invisible format characters (bidirectional overrides among them), characters and
    device names that Windows reserves, leading dots and trailing dots or spaces go; the result is
    NFC, at most `MAX_BYTES` long with its extension kept, and `default` where nothing is left.
    """
    return _clean(_SEPARATORS.split(text.rstrip("/\\"))[-1]) or default


def safe_path(text: str, default: str = "file") -> str:
    """Return `text` as a relative path whose parts are all safe names; `.` and `..` are dropped."""
    parts = (_clean(part) for part in _SEPARATORS.split(text))
    return "/".join(part for part in parts if part) or default


def unique(names: Iterable[str]) -> Iterator[str]:
    """Yield the names with ` (2)`, ` (3)` … before the extension of those met before.

    Names that differ in letter case only count as equal, as some file systems think so.
    """
    registry = Names()
    return (registry.claim(name) for name in names)


class Names:
    """The names given out so far, so that each is given out once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def claim(self, name: str) -> str:
        """Return `name`, or its first free numbered variant, and remember it."""
        candidate = name
        if not self._take(name.casefold()):
            base = _base(name)
            number = self._number(base)
            while not self._take((candidate := numbered(name, number)).casefold()):
                number += 1
            self._note(base, number + 1)
        return candidate

    def _take(self, folded: str) -> bool:
        """Remember a name; False when it was given out before."""
        if folded in self._taken:
            return False
        self._taken.add(folded)
        return True

    def _number(self, base: str) -> int:
        """Return the number to try first for another name of this base."""
        return self._next.get(base, 2)

    def _note(self, base: str, number: int) -> None:
        self._next[base] = number


def numbered(name: str, number: int) -> str:
    """Return `name` with ` (number)` before its extension, within `MAX_BYTES`."""
    folder, slash, last = name.rpartition("/")
    stem, suffix = _split(last)
    mark = f" ({number})"
    return folder + slash + _cut(stem, MAX_BYTES - len((mark + suffix).encode())) + mark + suffix


def _base(name: str) -> str:
    """Return what all numbered variants of a name share, so that each number is tried once."""
    folder, slash, last = name.rpartition("/")
    stem, suffix = _split(last)
    room = MAX_BYTES - len(" (999999)") - 1 - len(suffix.encode())
    return (folder + slash + _cut(stem, room) + suffix).casefold()


def with_suffix(name: str, ending: str) -> str:
    """Return the stem of `name` followed by `ending`, as a safe name."""
    stem, _ = _split(safe_name(name))
    return _cut(stem, MAX_BYTES - len(ending.encode())) + ending


def _clean(part: str) -> str:
    if _PLAIN.fullmatch(part):
        return part
    text = unicodedata.normalize("NFC", part)
    if not text.isprintable():
        text = "".join(letter for letter in text if unicodedata.category(letter)[0] != "C")
    text = unicodedata.normalize("NFC", _FORBIDDEN.sub("_", text))
    text = re.sub(r"\s", " ", text).strip(" ").lstrip(". ").rstrip(". ")
    if _RESERVED.match(text.split(".")[0].rstrip(" ")):
        text = f"_{text}"
    stem, suffix = _split(text)
    return _cut(stem, MAX_BYTES - len(suffix.encode())) + suffix


def _split(name: str) -> tuple[str, str]:
    dot = name.rfind(".")
    if dot < 1 or not _EXTENSION.match(name[dot:]):
        return name, ""
    return name[:dot], name[dot:]


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore").rstrip(". ") if text else ""
