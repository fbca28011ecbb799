"""Writing objects: whole, or in parts, each with the checksum that the server compares.

Every object bears a random mark of who wrote it. An answer that was lost, and the refusal of what
was done already when it is asked again, are told apart from somebody else's write by that mark.
"""

import asyncio
import uuid
from contextlib import suppress
from typing import Any

from mediamill.blobs.keys import taken
from mediamill.blobs.s3 import checksums
from mediamill.blobs.s3.answers import COLD, NO_UPLOAD, TAKEN, WRONG_PARTS, Refused, Spoilt
from mediamill.blobs.s3.bucket import Bucket
from mediamill.blobs.s3.cold import restoring
from mediamill.core.errors import BrokenMedia, MediamillError, NotFound, Unavailable

TRIES = 3
"""How often bytes are sent that arrive as others."""
MARK = "write"
PARTS_AT_ONCE = 3


class Unconfirmed(Spoilt):
    """The bucket took other bytes than were sent, and has them now."""


async def _sent(bucket: Bucket, operation: str, key: str, data: bytes, **said: Any) -> Any:
    """Send bytes until the bucket says that they are those; raises `Unavailable`."""
    checksum = await asyncio.to_thread(checksums.sent, bucket.options.checksum, data)
    for left in reversed(range(TRIES)):
        try:
            answer = await bucket.ask(operation, key, Body=data, **checksum, **said)
            if checksums.confirmed(answer, checksum, data):
                return checksum | {"ETag": answer["ETag"]}
            raise Unconfirmed(f"What the bucket has of “{key}” is not what was sent.")
        except Spoilt:
            if not left:
                raise
    raise AssertionError  # pragma: no cover - the loop returns or raises


async def put(bucket: Bucket, key: str, data: bytes, *, fresh: bool = False) -> None:
    """Write a small object; with `fresh` raises `Conflict` when there is one already."""
    mark = uuid.uuid4().hex
    said = bucket.options.written() | {"Metadata": {MARK: mark}}
    if fresh:
        said["IfNoneMatch"] = "*"
    try:
        await _sent(bucket, "put_object", key, data, **said)
    except Refused as refused:
        if refused.reason not in TAKEN:
            raise
        if not await _is_mine(bucket, key, mark):
            raise taken(key) from None
    except Unconfirmed:
        await bucket.ask("delete_object", key)  # what is there now is nobody's
        raise


async def _is_mine(bucket: Bucket, key: str, mark: str) -> bool:
    try:
        found = await bucket.ask("head_object", key)
    except NotFound:
        return False
    return bool(found.get("Metadata", {}).get(MARK) == mark)


class Parts:
    """An object that is written in parts."""

    def __init__(self, bucket: Bucket, key: str, *, copied: bool = False) -> None:
        self._bucket, self._key, self._mark = bucket, key, uuid.uuid4().hex
        self._copied = copied
        self._id = ""
        self._known: dict[int, dict[str, Any]] = {}
        self._beginning = asyncio.Lock()

    async def begin(self) -> str:
        """Begin the object, once; return the id of its upload."""
        async with self._beginning:
            if not self._id:
                said = self._bucket.options.written() | {"Metadata": {MARK: self._mark}}
                if not self._copied:  # the checksums of copied parts are the bucket's own
                    said |= checksums.begun(self._bucket.options.checksum)
                answer = await self._bucket.ask("create_multipart_upload", self._key, **said)
                self._id = answer["UploadId"]
        return self._id

    async def send(self, number: int, data: bytes) -> None:
        """Write a part."""
        place = {"UploadId": await self.begin(), "PartNumber": number}
        known = await _sent(self._bucket, "upload_part", self._key, data, **place)
        known.pop("ContentMD5", None)
        if self._copied:
            known = {"ETag": known["ETag"]}
        self._known[number] = known | {"PartNumber": number}

    async def copy(self, number: int, source: str, start: int, stop: int) -> None:
        """Take a part from another object; raises `NotFound`."""
        place = {"UploadId": await self.begin(), "PartNumber": number}
        bucket = self._bucket
        origin = {"Bucket": bucket.name, "Key": bucket.path(source)}
        wanted = f"bytes={start}-{stop - 1}"
        try:
            answer = await bucket.ask(
                "upload_part_copy", self._key, CopySource=origin, CopySourceRange=wanted, **place
            )
        except Refused as refused:
            if refused.reason in COLD:
                raise await restoring(bucket, source) from None
            raise BrokenMedia(f"“{source}” is shorter than {stop} bytes.") from None
        self._known[number] = {"ETag": answer["CopyPartResult"]["ETag"], "PartNumber": number}

    async def complete(self) -> None:
        """Make the object of its parts; raises `Unavailable` when they were swept away."""
        parts = [self._known[number] for number in sorted(self._known)]
        try:
            await self._bucket.ask(
                "complete_multipart_upload", self._key,
                UploadId=self._id, MultipartUpload={"Parts": parts},
            )  # fmt: skip
        except Refused as refused:
            if refused.reason in WRONG_PARTS:
                raise Unavailable("The bucket lost parts of an upload; try again.") from None
            if refused.reason != NO_UPLOAD:
                raise
            if not await _is_mine(self._bucket, self._key, self._mark):
                raise Unavailable("The upload was swept away before it was committed.") from None

    async def abort(self) -> None:
        """Discard what was begun; what cannot be discarded now is swept later."""
        if self._id:
            with suppress(MediamillError):
                await self._bucket.ask("abort_multipart_upload", self._key, UploadId=self._id)
