"""The bytes port on a folder of a bucket."""

import asyncio
import hashlib
import os
import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from mediamill.blobs.keys import check_key, check_prefix, check_range
from mediamill.blobs.port import CHUNK, BlobInfo, Digest, Upload
from mediamill.blobs.s3.answers import awaited, told
from mediamill.blobs.s3.upload import PART, PARTS_AT_ONCE, S3Upload
from mediamill.blobs.scratch import open_scratch
from mediamill.core.errors import (
    BrokenMedia,
    ConfigurationError,
    NotFound,
    Unavailable,
)

if TYPE_CHECKING:
    from obstore import GetOptions  # in its stubs only

PAGE = 1000
RESUMED = 8
"""How often one reader goes on after a break."""
OPTIONS = frozenset({"region", "endpoint", "encryption", "kms_key", "checksum"})


def _store(bucket: str, options: dict[str, str]) -> Any:
    endpoint = options.get("endpoint", "")
    given: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    if "region" in options or endpoint:
        given["region"] = options.get("region", "us-east-1")
    if options.get("checksum") != "none":
        given["checksum_algorithm"] = "sha256"
    encryption = options.get("encryption", "AES256")
    if encryption != "none":
        given["aws_server_side_encryption"] = encryption
    if "kms_key" in options:
        given["aws_sse_kms_key_id"] = options["kms_key"]
    return S3Store(
        bucket,
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=10),
            "timeout": timedelta(hours=12),
        },
        retry_config={"max_retries": 6, "retry_timeout": timedelta(seconds=60)},
        **given,
    )


class S3Blobs:
    """The bytes port on a folder of a bucket."""

    def __init__(self, store: Any, bucket: str, folder: str) -> None:
        self._store, self.bucket, self.folder = store, bucket, folder

    @classmethod
    async def open(cls, url: str, *, setting: str, min_free_bytes: int) -> Self:
        """Open the bucket of a URL; raises `ConfigurationError` when it cannot be used."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        if not parts.hostname or parts.username or options.keys() - OPTIONS:
            message = f"{setting}: write s3://bucket/folder?…, with {', '.join(sorted(OPTIONS))}"
            raise ConfigurationError(message, setting=setting)
        blobs = cls(_store(parts.netloc, options), parts.netloc, unquote(parts.path).strip("/"))
        try:
            async for _ in blobs.list("", after="~"):
                break
        except (NotFound, Unavailable) as error:
            message = f"{setting}: the bucket “{parts.netloc}” cannot be used: {error.message}"
            raise ConfigurationError(message, setting=setting) from error
        return blobs

    def upload(self, key: str) -> AbstractAsyncContextManager[Upload]:
        """Begin an object; what is left without a commit leaves nothing."""
        return self._upload(check_key(key))

    @asynccontextmanager
    async def _upload(self, key: str) -> AsyncIterator[Upload]:
        upload = S3Upload(self._store, self._path(key))
        try:
            yield upload
        finally:
            await upload.end()

    async def put(self, key: str, data: bytes) -> Digest:
        """Write a small object whole."""
        with told(key):
            await awaited(obstore.put_async(self._store, self._path(key), data))
        return Digest(len(data), hashlib.sha256(data).hexdigest(), zlib.crc32(data))

    async def adopt(self, key: str, path: Path) -> None:
        """Send a scratch file and remove it; raises `BrokenMedia` for anything but a plain file."""
        target = self._path(key)
        try:
            descriptor = await asyncio.to_thread(open_scratch, path)
        except FileNotFoundError:
            raise NotFound(f"There is no file “{path.name}”.") from None
        with os.fdopen(descriptor, "rb") as file, told(key):
            await obstore.put_async(
                self._store, target, file, chunk_size=PART, max_concurrency=PARTS_AT_ONCE
            )
        await asyncio.to_thread(path.unlink)

    async def copy(self, source: str, target: str) -> None:
        """Copy within the bucket, without the bytes coming here."""
        with told(source):
            await obstore.copy_async(self._store, self._path(source), self._path(target))

    async def info(self, key: str) -> BlobInfo:
        """Describe an object."""
        with told(key):
            found = await awaited(obstore.head_async(self._store, self._path(key)))
        return self._info(found)

    async def get(self, key: str) -> bytes:
        """Read a small object whole."""
        return b"".join([chunk async for chunk in self.read(key)])

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Stream a range in chunks of at most `CHUNK` bytes."""
        check_range(start, stop)
        etag, end, breaks = "", stop, 0
        while True:
            before = start
            try:
                async with self._opened(key, start, end, etag) as (found, size):
                    etag = found.meta["e_tag"] or ""
                    end = size if end is None else min(end, size)
                    async for chunk in _chunks(key, found, end - start):
                        yield chunk
                        start += len(chunk)
                if start >= end:
                    return
                raise Unavailable(f"The object “{key}” ended early, at byte {start}.")
            except Unavailable:
                breaks = 1 if start > before else breaks + 1
                if breaks > RESUMED:
                    raise BrokenMedia(f"“{key}” cannot be read beyond byte {start}.") from None
                await asyncio.sleep(0.05 * 2**breaks)

    @asynccontextmanager
    async def _opened(
        self, key: str, start: int, end: int | None, etag: str
    ) -> AsyncIterator[tuple[Any, int]]:
        """Ask for bytes of an object; give the answer, and the size of the whole object."""
        path = self._path(key)
        if end is not None and start >= end:
            found = await self._headed(key, path)
            yield found, found.meta["size"]
            return
        options: GetOptions = {"range": {"offset": start} if end is None else (start, end)}
        if etag:
            options["if_match"] = etag
        with told(key):
            try:
                found = await awaited(obstore.get_async(self._store, path, options=options))
            except BaseError as error:
                if "416" not in str(error) and "range" not in str(error).lower():
                    raise
                found = await self._headed(key, path)
        yield found, found.meta["size"]

    async def _headed(self, key: str, path: str) -> Any:
        with told(key):
            return await awaited(obstore.get_async(self._store, path, options={"head": True}))

    async def delete(self, key: str) -> None:
        """Remove an object."""
        with suppress(NotFound), told(key):
            await awaited(obstore.delete_async(self._store, self._path(key)))

    async def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobInfo]:
        """List objects in key order."""
        folder = check_prefix(prefix).rpartition("/")[0]
        place = self._joined(folder) or None
        offset = max(after, _before(prefix))
        begin = self._joined(offset) if offset else None
        pages = obstore.list(self._store, place, offset=begin, chunk_size=PAGE)
        while True:
            with told(prefix):
                page = await awaited(pages.__anext__(), default=())
            if not page:
                return
            for row in page:
                info = self._info(row)
                if info.key.startswith(prefix) and info.key > after:
                    yield info
                elif info.key > prefix:
                    return

    async def free_bytes(self) -> int | None:
        """Return None: a bucket has no bound."""
        return None

    async def sweep(self, older_than: int) -> int:
        """Do nothing: the bucket's lifecycle rule aborts what was begun and left."""
        return 0

    async def close(self) -> None:
        """Nothing is held."""

    def _joined(self, key: str) -> str:
        return f"{self.folder}/{key}".strip("/") if self.folder else key

    def _path(self, key: str) -> str:
        return self._joined(check_key(key))

    def _info(self, row: Any) -> BlobInfo:
        key = row["path"][len(self.folder) + 1 :] if self.folder else row["path"]
        return BlobInfo(key, row["size"], int(row["last_modified"].timestamp() * 1000))


def _before(prefix: str) -> str:
    """Return a place before the first key with this prefix, and behind all that are less."""
    if not prefix:
        return ""
    return f"{prefix[:-1]}{chr(ord(prefix[-1]) - 1)}~"


async def _chunks(key: str, found: Any, count: int) -> AsyncIterator[bytes]:
    if count <= 0:
        return
    stream = found.stream(min_chunk_size=CHUNK)
    while True:
        with told(key):
            chunk = await awaited(stream.__anext__(), default=None)
        if chunk is None:
            return
        data = bytes(chunk)
        for at in range(0, len(data), CHUNK):
            yield data[at : at + CHUNK]
