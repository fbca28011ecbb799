"""The bytes port on a folder of a bucket."""

import asyncio
import hashlib
import os
import uuid
import zlib
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Self

from mediamill.blobs.keys import check_key, check_prefix
from mediamill.blobs.port import BlobInfo, Digest, Upload
from mediamill.blobs.s3 import checksums
from mediamill.blobs.s3.answers import COLD, Refused, Spoilt, Unknown
from mediamill.blobs.s3.bucket import Bucket
from mediamill.blobs.s3.cold import restoring
from mediamill.blobs.s3.composing import compose
from mediamill.blobs.s3.direct import Direct
from mediamill.blobs.s3.objects import MARK, put
from mediamill.blobs.s3.options import Options
from mediamill.blobs.s3.reading import read
from mediamill.blobs.s3.upload import S3Upload
from mediamill.blobs.scratch import open_scratch
from mediamill.core.errors import ConfigurationError, MediamillError, NotFound

COPIED = 5 << 30
"""Bytes that one request copies at most."""
ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes whose objects have to be asked back before they can be read."""
PAGE = 1000
"""Objects in one answer to a listing, at most."""
READS = 3
"""How often a small object is read that is changed on its way."""


class S3Blobs(Direct):
    """The bytes port on a folder of a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._uploads: set[S3Upload] = set()

    @classmethod
    async def open(cls, url: str, *, setting: str, min_free_bytes: int) -> Self:
        """Open the bucket of a URL; raises `ConfigurationError` when it cannot be used."""
        options = Options.of(url, setting)
        try:
            bucket = await Bucket.open(options)
        except MediamillError as error:
            raise _unusable(setting, options, error) from error
        blobs = cls(bucket)
        try:
            async for _ in blobs.list("", after="~"):
                break
        except MediamillError as error:
            await blobs.close()
            raise _unusable(setting, options, error) from error
        return blobs

    def upload(self, key: str) -> AbstractAsyncContextManager[Upload]:
        """Begin an object; what is left without a commit leaves nothing."""
        return self._upload(check_key(key))

    @asynccontextmanager
    async def _upload(self, key: str) -> AsyncIterator[Upload]:
        upload = S3Upload(self._bucket, key)
        self._uploads.add(upload)
        try:
            yield upload
        finally:
            self._uploads.discard(upload)
            await upload.end()

    async def put(self, key: str, data: bytes, *, fresh: bool = False) -> Digest:
        """Write a small object whole."""
        await put(self._bucket, key, data, fresh=fresh)
        return Digest(len(data), hashlib.sha256(data).hexdigest(), zlib.crc32(data))

    async def adopt(self, key: str, path: Path) -> None:
        """Send a scratch file and remove it; raises `BrokenMedia` for anything but a plain file."""
        check_key(key)
        try:
            descriptor = await asyncio.to_thread(open_scratch, path)
        except FileNotFoundError:
            raise NotFound(f"There is no file “{path.name}”.") from None
        with os.fdopen(descriptor, "rb") as file:
            async with self.upload(key) as upload:
                while data := await asyncio.to_thread(file.read, checksums.PART):
                    await upload.write(data)
                await upload.commit()
        await asyncio.to_thread(path.unlink)

    async def copy(self, source: str, target: str) -> None:
        """Copy within the bucket, without the bytes coming here.

        Nothing that clients said of the source when they put it there themselves is kept.
        """
        bucket = self._bucket
        found = await bucket.ask("head_object", source)
        size = int(found["ContentLength"])
        if bucket.path(target) == bucket.path(source):
            return
        if size > COPIED:
            await self.compose(_one(source, size), target)
            return
        said = bucket.options.written()
        if algorithm := checksums.begun(bucket.options.checksum).get("ChecksumAlgorithm"):
            said["ChecksumAlgorithm"] = algorithm
        said |= {"MetadataDirective": "REPLACE", "ContentType": "application/octet-stream"}
        said["Metadata"] = {MARK: uuid.uuid4().hex} | checksums.cut(found)
        origin = {"Bucket": bucket.name, "Key": bucket.path(source)}
        try:
            await bucket.ask("copy_object", target, CopySource=origin, **said)
        except NotFound:
            raise NotFound(f"There is no object “{source}”.", key=source) from None
        except Unknown:  # Ceph copies nothing that is encrypted
            await self._passed_on(source, target)
        except Refused as refused:
            if refused.reason in COLD:
                raise await restoring(bucket, source) from None
            raise

    async def _passed_on(self, source: str, target: str) -> None:
        """Copy an object by reading and writing it."""
        async with self.upload(target) as upload:
            async for chunk in self.read(source):
                await upload.write(chunk)
            await upload.commit()

    async def compose(self, sources: AsyncIterable[tuple[str, int]], target: str) -> None:
        """Make one object of several within the bucket."""
        check_key(target)
        await compose(self._bucket, sources, target)

    async def info(self, key: str) -> BlobInfo:
        """Describe an object."""
        return await self._bucket.info(key)

    async def get(self, key: str) -> bytes:
        """Read a small object whole."""
        for left in reversed(range(READS)):
            try:
                return b"".join([chunk async for chunk in self.read(key)])
            except Spoilt:
                if not left:
                    raise
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def read(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Stream a range in chunks of at most `CHUNK` bytes."""
        return read(self._bucket, key, start, stop)

    async def delete(self, key: str) -> None:
        """Remove an object."""
        await self._bucket.ask("delete_object", key)

    async def list(self, prefix: str, after: str = "") -> AsyncIterator[BlobInfo]:
        """List objects in key order."""
        bucket = self._bucket
        asked: dict[str, Any] = {"Prefix": bucket.joined(check_prefix(prefix))}
        asked["PaginationConfig"] = {"PageSize": PAGE}
        if after:
            asked["StartAfter"] = bucket.joined(after)
        async for page in bucket.pages("list_objects_v2", **asked):
            for row in page.get("Contents", ()):
                key = bucket.key(row["Key"])
                if key and key > after:
                    modified = int(row["LastModified"].timestamp() * 1000)
                    cold = row.get("StorageClass") in ARCHIVED
                    yield BlobInfo(key, int(row["Size"]), modified, cold)

    async def free_bytes(self) -> int | None:
        """Return None: a bucket has no bound."""
        return None

    async def keeps_versions(self) -> bool:
        """Tell whether the bucket's versioning is on; needs `s3:GetBucketVersioning`."""
        return await self._bucket.keeps_versions()

    async def sweep(self, older_than: int) -> int:
        """Discard uploads begun before a time: those in memory here, all in parts in the folder."""
        mine = [upload for upload in self._uploads if upload.begun < older_than]
        for upload in mine:
            await upload.sweep()
        count, folder = len(mine), self._bucket.joined("")
        async for page in self._bucket.pages("list_multipart_uploads", Prefix=folder):
            for row in page.get("Uploads", ()):
                begun_at = int(row["Initiated"].timestamp() * 1000)
                if row["Key"].startswith(folder) and begun_at < older_than:
                    await self.abort_parts(self._bucket.key(row["Key"]), row["UploadId"])
                    count += 1
        return count

    async def close(self) -> None:
        """Close the connections."""
        await self._bucket.close()


def _unusable(setting: str, options: Options, error: MediamillError) -> ConfigurationError:
    message = f"{setting}: the bucket “{options.bucket}” cannot be used: {error.message}"
    return ConfigurationError(message, setting=setting)


async def _one(key: str, size: int) -> AsyncIterator[tuple[str, int]]:
    yield key, size
