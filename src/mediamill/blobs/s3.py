"""Objects in a bucket of S3 or of what speaks its protocol.

    s3://bucket/folder?region=…&endpoint=…&encryption=aws:kms&kms_key=…&checksum=none

`encryption` is `AES256` (SSE-S3) unless given; `none` leaves it to the bucket. Every request that
writes carries a SHA-256 that the server checks; `checksum=none` is for servers that know none. A
reader whose connection breaks goes on where it was, of the same version of the object.

Credentials are found where obstore finds them: `AWS_…` variables, a web identity, the machine's
role. Needs `s3:ListBucket`, `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`,
`s3:AbortMultipartUpload`, and a lifecycle rule that aborts multipart uploads after a day.
"""

import asyncio
import hashlib
import os
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from mediamill.blobs.keys import check_key, check_prefix, check_range
from mediamill.blobs.local import open_scratch
from mediamill.blobs.port import CHUNK, BlobInfo, Digest, Upload
from mediamill.core.errors import (
    BrokenMedia,
    ConfigurationError,
    NotFound,
    StorageFull,
    Unavailable,
)

PART = 16 << 20
"""Bytes of a part: 10,000 are the most, so 160 GB. What is smaller is one request."""
PARTS_AT_ONCE = 3
PAGE = 1000
SILENCE_SECONDS = 60
"""How long an answer, or the next bytes of one, may take."""
RESUMED = 8
"""How often one reader goes on after a break."""
OPTIONS = frozenset({"region", "endpoint", "encryption", "kms_key", "checksum"})


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
        with _told(key):
            await _awaited(obstore.put_async(self._store, self._path(key), data))
        return Digest(len(data), hashlib.sha256(data).hexdigest(), zlib.crc32(data))

    async def adopt(self, key: str, path: Path) -> None:
        """Send a scratch file and remove it; raises `BrokenMedia` for anything but a plain file."""
        target = self._path(key)
        try:
            descriptor = await asyncio.to_thread(open_scratch, path)
        except FileNotFoundError:
            raise NotFound(f"There is no file “{path.name}”.") from None
        with os.fdopen(descriptor, "rb") as file, _told(key):
            await obstore.put_async(
                self._store, target, file, chunk_size=PART, max_concurrency=PARTS_AT_ONCE
            )
        await asyncio.to_thread(path.unlink)

    async def copy(self, source: str, target: str) -> None:
        """Copy within the bucket, without the bytes coming here."""
        with _told(source):
            await obstore.copy_async(self._store, self._path(source), self._path(target))

    async def info(self, key: str) -> BlobInfo:
        """Describe an object."""
        with _told(key):
            found = await _awaited(obstore.head_async(self._store, self._path(key)))
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
        options: dict[str, Any] = {"range": {"offset": start} if end is None else (start, end)}
        if etag:
            options["if_match"] = etag
        with _told(key):
            try:
                found = await _awaited(obstore.get_async(self._store, path, options=options))
            except BaseError as error:
                if "416" not in str(error) and "range" not in str(error).lower():
                    raise
                found = await self._headed(key, path)
        yield found, found.meta["size"]

    async def _headed(self, key: str, path: str) -> Any:
        with _told(key):
            return await _awaited(obstore.get_async(self._store, path, options={"head": True}))

    async def delete(self, key: str) -> None:
        """Remove an object."""
        with suppress(NotFound), _told(key):
            await _awaited(obstore.delete_async(self._store, self._path(key)))

    async def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobInfo]:
        """List objects in key order."""
        folder = check_prefix(prefix).rpartition("/")[0]
        place = self._joined(folder) or None
        offset = max(after, _before(prefix))
        begin = self._joined(offset) if offset else None
        pages = obstore.list(self._store, place, offset=begin, chunk_size=PAGE)
        while True:
            with _told(prefix):
                page = await _awaited(pages.__anext__(), default=())
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


class S3Upload:
    """An object being written: one request while it is small, else parts as they fill."""

    def __init__(self, store: Any, path: str) -> None:
        self._store, self._path = store, path
        self._buffer = bytearray()
        self._sent = 0
        self._sha256, self._crc32 = hashlib.sha256(), 0
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._sending: asyncio.Task[Any] | None = None
        self._usable = True

    @property
    def size(self) -> int:
        return self._sent + len(self._buffer)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        self._require_usable()
        self._sha256.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self._buffer += data
        while len(self._buffer) >= PART:
            await self._hand_over()

    async def commit(self) -> Digest:
        """Make the object durable and visible under its key."""
        self._require_usable()
        size, self._usable = self.size, False
        with _told(self._path):
            if self._sending is None:
                await _awaited(obstore.put_async(self._store, self._path, bytes(self._buffer)))
            else:
                await self._give(bytes(self._buffer) or None)
                if self._buffer:
                    await self._give(None)
                await self._sending
        self._sending = None
        return Digest(size, self._sha256.hexdigest(), self._crc32)

    async def end(self) -> None:
        """Discard what was not committed."""
        self._usable = False
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            self._sending = None

    async def _hand_over(self) -> None:
        part, self._usable = bytes(self._buffer[:PART]), False
        if self._sending is None:
            sending = obstore.put_async(
                self._store, self._path, self._stream(), use_multipart=True, chunk_size=PART,
                max_concurrency=PARTS_AT_ONCE,
            )  # fmt: skip
            self._sending = asyncio.ensure_future(sending)
        with _told(self._path):
            await self._give(part)
        del self._buffer[:PART]
        self._sent += len(part)
        self._usable = True

    async def _give(self, part: bytes | None) -> None:
        """Queue a part; raises what ended the sending."""
        putting = asyncio.ensure_future(self._parts.put(part))
        assert self._sending is not None  # noqa: S101 - it is begun before
        await asyncio.wait({putting, self._sending}, return_when=asyncio.FIRST_COMPLETED)
        if not putting.done():
            putting.cancel()
            await self._sending
            raise Unavailable("The bucket stopped taking bytes.")

    async def _stream(self) -> AsyncIterator[bytes]:
        while (part := await self._parts.get()) is not None:
            yield part

    def _require_usable(self) -> None:
        if not self._usable:
            raise ValueError("this upload has ended")


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
        with _told(key):
            chunk = await _awaited(stream.__anext__(), default=None)
        if chunk is None:
            return
        data = bytes(chunk)
        for at in range(0, len(data), CHUNK):
            yield data[at : at + CHUNK]


async def _awaited(waiting: Any, **default: Any) -> Any:
    """Wait for an answer, but not for ever."""
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await waiting
    except StopAsyncIteration:
        return default["default"]
    except TimeoutError:
        raise Unavailable("The bucket does not answer.") from None


@contextmanager
def _told(key: str) -> Iterator[None]:
    """Turn obstore's errors into ours, said without the request that they quote."""
    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise Unavailable("There is no such bucket.") from None
        raise NotFound(f"There is no object “{key}”.", key=key) from None
    except (PermissionDeniedError, UnauthenticatedError):
        raise Unavailable("The bucket refuses our credentials.") from None
    except BaseError as error:
        text = str(error)
        if "QuotaExceeded" in text or "StorageFull" in text or "InsufficientStorage" in text:
            raise StorageFull("The bucket is full.") from None
        raise Unavailable("The bucket cannot be reached, or does not answer well.") from error


plugin = S3Blobs
