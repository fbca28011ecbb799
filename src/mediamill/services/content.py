"""Bytes that can be served: a size, a name, and a way to read any range of them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Content:
    """What a download gives; `etag` is strong and without quotes."""

    name: str
    media_type: str
    size: int
    etag: str
    read: Callable[[int, int], AsyncIterator[bytes]]
    """Stream bytes `start … stop` (end excluded)."""

    ranged: bool = True
    """Whether ranges of it are answered; reading one of what is not may be dear."""
