"""Digests of what a store holds."""

import hashlib
import zlib

from mediamill.blobs.port import Blobs, Digest


async def digest_of(blobs: Blobs, key: str) -> Digest:
    """Read an object whole and take its digests; raises as `Blobs.read` does."""
    sha256, crc32, size = hashlib.sha256(), 0, 0
    async for chunk in blobs.read(key):
        sha256.update(chunk)
        crc32 = zlib.crc32(chunk, crc32)
        size += len(chunk)
    return Digest(size, sha256.hexdigest(), crc32)
