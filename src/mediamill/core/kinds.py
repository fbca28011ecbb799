"""Media types in the words of people: what an operation takes, and what a file is instead."""

from collections.abc import Iterable

_KINDS = {
    "image": ("images", "an image"),
    "video": ("videos", "a video"),
    "audio": ("sound", "sound"),
    "text": ("text", "text"),
}
_DOCUMENTS = (
    "application/pdf", "application/json", "application/x-ndjson",
    "application/vnd.openxmlformats-officedocument",
)  # fmt: skip


def many(patterns: Iterable[str]) -> str:
    """Name what patterns such as `image/*` stand for: "images", or "text, documents and images"."""
    words = [*dict.fromkeys(_many(pattern) for pattern in patterns)]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:]))) or "any file"


def one(media_type: str) -> str:
    """Name a file of a media type: "a video"; others are of their type."""
    kind = _KINDS.get(media_type.partition("/")[0])
    if kind:
        return kind[1]
    return "a document" if media_type.startswith(_DOCUMENTS) else f"of type {media_type}"


def misfit(operation: str, patterns: Iterable[str], name: str, media_type: str) -> str:
    """Say why an operation that takes some patterns cannot work on a file."""
    return f"{operation} takes {many(patterns)}; {name} is {one(media_type)}."


def _many(pattern: str) -> str:
    kind, _, rest = pattern.partition("/")
    if kind in _KINDS and rest == "*":
        return _KINDS[kind][0]
    return "documents" if pattern.startswith(_DOCUMENTS) else pattern
