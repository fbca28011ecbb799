"""Bytes that can be served: a size, a name, and a way to read any range of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from mediamill.blobs.port import Presigned


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

    sign: Callable[[int], Awaitable[Presigned]] | None = None
    """Sign the reading of it at the store itself, for so many seconds at most; None for what is put
    together or changed on its way, and where the store signs nothing."""

    dear: bool = False
    """Whether signing it takes work, so that it is done only for who can have it no other way."""
