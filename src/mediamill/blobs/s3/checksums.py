"""Checksums: sent with what is written, compared with what the bucket says and with what is read.

What is written in parts has a checksum of checksums, of parts of `PART` bytes each: `…-3`. A
server that knows no checksums still has the MD5 of an object as its entity tag, unless a key of
KMS is in play.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

PART = 16 << 20
"""Bytes of a part: 10,000 are the most, so 160 GB. What is smaller is one request."""


class Hash(Protocol):
    """What `hashlib` makes."""

    def update(self, data: Any, /) -> None: ...
    def digest(self) -> bytes: ...


class Crc32:
    """CRC-32 as `hashlib` would have it."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: Any, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def md5() -> Hash:
    """Begin an MD5: against accidents only, as the protocol has it."""
    return hashlib.md5(usedforsecurity=False)


NAMES: Mapping[str, tuple[str, Callable[[], Hash]]] = {
    "sha256": ("ChecksumSHA256", hashlib.sha256),
    "crc32": ("ChecksumCRC32", Crc32),
    "when_required": ("ContentMD5", md5),
}
"""By the option `checksum`: what a request calls it, and what makes it."""


def sent(mode: str, data: bytes) -> dict[str, str]:
    """Return the checksum that goes with bytes."""
    if mode not in NAMES:
        return {}
    name, begin = NAMES[mode]
    made = begin()
    made.update(data)
    return {name: base64.b64encode(made.digest()).decode()}


def begun(mode: str) -> dict[str, str]:
    """Return what the beginning of an object in parts says of checksums."""
    if mode == "sha256":
        return {"ChecksumAlgorithm": "SHA256"}
    if mode == "crc32":
        return {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
    return {}


def confirmed(answer: Mapping[str, Any], said: Mapping[str, str], data: bytes) -> bool:
    """Tell whether an answer to a write names the bytes that were sent, if it names any."""
    for name in ("ChecksumSHA256", "ChecksumCRC32"):
        if name in said and name in answer:
            return bool(answer[name] == said[name])
    tag = entity_md5(answer)
    return tag is None or hashlib.md5(data, usedforsecurity=False).hexdigest() == tag


def entity_md5(answer: Mapping[str, Any]) -> str | None:
    """Return the MD5 that an entity tag is, perhaps with the number of parts, or None."""
    tag = str(answer.get("ETag", "")).strip('"')
    keyed = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
    return None if keyed or len(tag.partition("-")[0]) != 32 else tag


class Recorded:
    """The strongest checksum that a bucket has of an object, and what is read, beside it."""

    def __init__(self, answer: Mapping[str, Any], size: int) -> None:
        self._expected, self._begin = _strongest(answer)
        count = self._expected.partition("-")[2]
        self._part = PART if count else 0
        if count and count != str(max(1, -(-size // PART))):  # parts of who knows what size
            self._expected = ""
        self._all, self._now, self._left = self._begin(), self._begin(), PART

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        if not self._expected:
            return
        if not self._part:
            self._all.update(data)
            return
        view = memoryview(data)
        while view:
            self._now.update(view[: self._left])
            taken = min(len(view), self._left)
            view, self._left = view[taken:], self._left - taken
            if not self._left:
                self._close_part()

    def matches(self) -> bool:
        """Tell whether all that was taken is what the bucket has; true when nothing is known."""
        if not self._expected:
            return True
        if self._part and self._left < PART:
            self._close_part()
        made, wanted = self._all.digest(), self._expected.partition("-")[0]
        return wanted in (made.hex(), base64.b64encode(made).decode())

    def _close_part(self) -> None:
        self._all.update(self._now.digest())
        self._now, self._left = self._begin(), PART


def _strongest(answer: Mapping[str, Any]) -> tuple[str, Callable[[], Hash]]:
    for name, begin in (("ChecksumSHA256", hashlib.sha256), ("ChecksumCRC32", Crc32)):
        value = str(answer.get(name, ""))
        if value and (begin is not Crc32 or "-" not in value):
            return value, begin
    return entity_md5(answer) or "", md5
