"""Gather the text of a document, up to what is allowed and not a byte further."""

from collections.abc import Iterable

from mediamill.core.errors import LimitExceeded


def gathered(lines: Iterable[str], most: int, name: str) -> str:
    """Join the lines of a document.

    Raises `LimitExceeded` when they come to more than `most` bytes of UTF-8, without reading on.
    """
    parts, size = [], 0
    for line in lines:
        size += len(line.encode(errors="replace")) + 1
        if size > most + 1:
            raise too_long(name, most)
        parts.append(line)
    return "\n".join(parts)


def too_long(name: str, most: int, size: int = 0) -> LimitExceeded:
    """Say that a text is too long: `size` bytes, or more than `most` where that is not known."""
    has = f"{size:,} bytes" if size else f"more than {most:,} bytes"
    message = f"{name} has {has} of text; {most:,} can be sent. Split it, or choose another model."
    return LimitExceeded(message, limit=most, **({"size": size} if size else {}))
