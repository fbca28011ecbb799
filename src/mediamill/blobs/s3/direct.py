"""Requests that clients send to the bucket themselves, and what arrives in parts that way."""

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from mediamill.blobs.port import Part, Presigned
from mediamill.blobs.s3.answers import NO_UPLOAD, WRONG_PARTS, Refused, told
from mediamill.blobs.s3.bucket import Bucket
from mediamill.blobs.s3.cold import away, restoring
from mediamill.core.errors import BrokenMedia, NotFound

HEADERS = {
    "ContentLength": "Content-Length",
    "ChecksumSHA256": "x-amz-checksum-sha256",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "BucketKeyEnabled": "x-amz-server-side-encryption-bucket-key-enabled",
    "StorageClass": "x-amz-storage-class",
}
"""What must be sent along, by the name that botocore has for it."""


class Direct:
    """The part of the store that clients talk to (`SupportsPresigned`)."""

    _bucket: Bucket

    @property
    def origin(self) -> str:
        """Where signed requests go."""
        return self._bucket.origin

    async def presign_get(
        self, key: str, *, seconds: int, filename: str, media_type: str
    ) -> Presigned:
        """Sign the reading of an object; raises `NotFound`, `Restoring`."""
        found = await self._bucket.ask("head_object", key)
        if away(found):
            raise await restoring(self._bucket, key)
        shown = {
            "ResponseContentDisposition": attachment(filename),
            "ResponseContentType": media_type,
        }
        return await self._signed("GET", "get_object", key, seconds, {}, shown)

    async def presign_put(
        self, key: str, *, seconds: int, size: int, sha256: str | None = None
    ) -> Presigned:
        """Sign the writing of an object of a size and, where the bucket knows it, a SHA-256."""
        sent = {"ContentLength": size, **self._bucket.options.written()}
        if sha256 is not None and self._bucket.options.checksum == "sha256":
            sent["ChecksumSHA256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
        return await self._signed("PUT", "put_object", key, seconds, sent)

    async def begin_parts(self, key: str) -> str:
        """Begin an object that arrives in parts."""
        said = self._bucket.options.written()
        answer = await self._bucket.ask("create_multipart_upload", key, **said)
        return str(answer["UploadId"])

    async def presign_part(
        self, key: str, upload_id: str, number: int, *, seconds: int, size: int
    ) -> Presigned:
        """Sign the writing of one part."""
        place = {"UploadId": upload_id, "PartNumber": number}
        return await self._signed(
            "PUT", "upload_part", key, seconds, {"ContentLength": size}, place
        )

    async def parts(self, key: str, upload_id: str) -> Sequence[Part]:
        """List the parts that have arrived."""
        found: list[Part] = []
        marker = 0
        while True:
            page = await self._about("list_parts", key, UploadId=upload_id, PartNumberMarker=marker)
            found += [_part(row) for row in page.get("Parts", ())]
            if not page.get("IsTruncated"):
                return sorted(found, key=lambda part: part.number)
            marker = int(page["NextPartNumberMarker"])

    async def complete_parts(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make the object of its parts; doing it again does no harm."""
        listed = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in parts]
        try:
            await self._about(
                "complete_multipart_upload", key,
                UploadId=upload_id, MultipartUpload={"Parts": listed},
            )  # fmt: skip
        except NotFound:
            # The answer to an earlier request may be lost: what is there is read again anyway.
            if (await self._bucket.info(key)).size != sum(part.size for part in parts):
                raise

    async def abort_parts(self, key: str, upload_id: str) -> None:
        """Discard an upload and its parts."""
        try:
            await self._about("abort_multipart_upload", key, UploadId=upload_id)
        except NotFound:
            return

    async def _about(self, operation: str, key: str, **said: Any) -> dict[str, Any]:
        """Ask about an upload in parts; raises `NotFound` for none, `BrokenMedia` for others."""
        try:
            return await self._bucket.ask(operation, key, **said)
        except Refused as refused:
            if refused.reason == NO_UPLOAD:
                raise NotFound(f"There is no such upload of “{key}”.") from None
            if refused.reason in WRONG_PARTS:
                raise BrokenMedia(f"The parts of “{key}” are not those that arrived.") from None
            raise

    async def _signed(
        self, method: str, operation: str, key: str, seconds: int,
        sent: Mapping[str, Any], said: Mapping[str, Any] = {},
    ) -> Presigned:  # fmt: skip
        """Sign a request of which `sent` goes into headers and `said` into the address."""
        bucket, began = self._bucket, int(time.time())
        place = {"Bucket": bucket.name, "Key": bucket.path(key)}
        with told(key):
            seconds = await bucket.credentials.lasting(seconds)
            url = await bucket.signer.generate_presigned_url(
                operation, Params={**place, **sent, **said}, ExpiresIn=seconds, HttpMethod=method
            )
        headers = {HEADERS[name]: _text(value) for name, value in sent.items()}
        signed = parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"][0].split(";")
        unsigned = {name.lower() for name in headers} ^ (set(signed) - {"host"})
        if unsigned:
            raise AssertionError(f"signed otherwise than said: {unsigned}")
        return Presigned(method, url, headers, (began + seconds) * 1000)


def _part(row: Mapping[str, Any]) -> Part:
    return Part(int(row["PartNumber"]), int(row["Size"]), str(row["ETag"]).strip('"'))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def attachment(filename: str) -> str:
    """Return a Content-Disposition that has a file saved under a name (RFC 6266)."""
    plain = "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in filename
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
