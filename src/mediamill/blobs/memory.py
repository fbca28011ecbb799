"""Objects in memory: `memory:`, for tests and trials. Nothing outlives the process."""

import hashlib
import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Self

from mediamill.blobs.keys import check_key, check_prefix, check_range, taken
from mediamill.blobs.port import CHUNK, BlobInfo, Digest, Upload
from mediamill.core.clock import Clock, SystemClock
from mediamill.core.errors import NotFound, StorageFull, Unavailable
from mediamill.core.threads import Threads


class MemoryBlobs:
    """The bytes port on a dictionary; `capacity` bytes in all, unbounded unless given."""

    def __init__(self, capacity: int | None = None, clock: Clock | None = None) -> None:
        self.capacity = capacity
        self._clock = clock or SystemClock()
        self._objects: dict[str, tuple[bytes, int]] = {}
        self._uploads: dict[MemoryUpload, int] = {}
        self._threads = Threads("blobs", 1)

    @classmethod
    async def open(cls, url: str, *, setting: str, min_free_bytes: int) -> Self:
        """Make an empty store."""
        return cls()

    def upload(self, key: str) -> AbstractAsyncContextManager[Upload]:
        """Begin an object."""
        return self._upload(check_key(key))

    @asynccontextmanager
    async def _upload(self, key: str) -> AsyncIterator[Upload]:
        upload = MemoryUpload(self, key)
        self._uploads[upload] = self._clock.now()
        try:
            yield upload
        finally:
            self._uploads.pop(upload, None)
            upload.ended = True

    async def put(self, key: str, data: bytes, *, fresh: bool = False) -> Digest:
        """Keep a small object."""
        if fresh and check_key(key) in self._objects:
            raise taken(key)
        self._require_room(len(data))
        return self._keep(check_key(key), data)

    async def adopt(self, key: str, path: Path) -> None:
        """Take a file's bytes and remove it."""
        check_key(key)
        try:
            data = await self._threads.run(path.read_bytes)
        except FileNotFoundError:
            raise NotFound(f"There is no file “{path.name}”.") from None
        await self.put(key, data)
        await self._threads.run(path.unlink)

    async def copy(self, source: str, target: str) -> None:
        """Keep an object's bytes under a second key too."""
        check_key(target)
        self._objects[target] = self._find(source)

    async def info(self, key: str) -> BlobInfo:
        """Describe an object."""
        data, modified = self._find(key)
        return BlobInfo(key, len(data), modified)

    async def get(self, key: str) -> bytes:
        """Return an object's bytes."""
        return self._find(key)[0]

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Stream a range in chunks of at most `CHUNK` bytes."""
        check_range(start, stop)
        data = self._find(key)[0][:stop]
        for offset in range(start, len(data), CHUNK):
            yield data[offset : offset + CHUNK]

    async def delete(self, key: str) -> None:
        """Forget an object."""
        self._objects.pop(check_key(key), None)

    async def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobInfo]:
        """List objects in key order."""
        check_prefix(prefix)
        for key in sorted(self._objects):
            if key.startswith(prefix) and key > after and key in self._objects:
                yield await self.info(key)

    async def free_bytes(self) -> int | None:
        """Return the room left, if bounded."""
        return None if self.capacity is None else max(0, self.capacity - self._used())

    async def sweep(self, older_than: int) -> int:
        """Forget the uploads that were begun before a time; their commit then fails."""
        old = [upload for upload, begun in self._uploads.items() if begun < older_than]
        for upload in old:
            del self._uploads[upload]
        return len(old)

    async def close(self) -> None:
        """Let the thread end."""
        self._threads.close()

    def _find(self, key: str) -> tuple[bytes, int]:
        try:
            return self._objects[check_key(key)]
        except KeyError:
            raise NotFound(f"There is no object “{key}”.", key=key) from None

    def _keep(self, key: str, data: bytes) -> Digest:
        self._objects[key] = data, self._clock.now()
        return Digest(len(data), hashlib.sha256(data).hexdigest(), zlib.crc32(data))

    def _used(self) -> int:
        kept = sum(len(data) for data, _ in self._objects.values())
        return kept + sum(upload.size for upload in self._uploads)

    def _require_room(self, size: int) -> None:
        if self.capacity is not None and self._used() + size > self.capacity:
            raise StorageFull("There is no room for more files; try again later.")


class MemoryUpload:
    """An object being written."""

    def __init__(self, blobs: MemoryBlobs, key: str) -> None:
        self._blobs, self._key = blobs, key
        self._buffer = bytearray()
        self.ended = False

    @property
    def size(self) -> int:
        return len(self._buffer)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises `StorageFull`."""
        self._require_usable()
        try:
            self._blobs._require_room(len(data))
        except StorageFull:
            self.ended = True
            raise
        self._buffer += data

    async def commit(self) -> Digest:
        """Make the object visible under its key."""
        self._require_usable()
        self.ended = True
        if self._blobs._uploads.pop(self, None) is None:
            raise Unavailable("The upload was swept away before it was committed.")
        return self._blobs._keep(self._key, bytes(self._buffer))

    def _require_usable(self) -> None:
        if self.ended:
            raise ValueError("this upload has ended")


plugin = MemoryBlobs
