"""Direct uploads: the bytes go from their sender to the bucket, past this service.

    begin ──▶ the sender sends the parts ──▶ complete ──▶ check ──▶ ready | rejected

An upload of one part is a single request, else each part has its own. Requests are signed when
somebody asks for them and are stored nowhere. What they write lies under `incoming/{upload}` and
is not believed: with `complete` the file is listed as `checking`, and a unit
(`handlers/files/check.py`) copies the bytes to where no signed request reaches before it looks.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs, Part, Presigned, SupportsPresigned
from mediamill.core.access import Principal, Right
from mediamill.core.clock import HOUR, SECOND
from mediamill.core.errors import (
    BrokenMedia,
    ConditionFailed,
    Conflict,
    Gone,
    InvalidInput,
    LimitExceeded,
    Locked,
    NotFound,
    QuotaExceeded,
)
from mediamill.core.ids import new_id, told_id
from mediamill.media.archive.names import safe_name
from mediamill.services.access import Access
from mediamill.services.projects.service import ProjectService
from mediamill.services.repeats.attempts import made_before
from mediamill.services.uploads.holding import LIFE_MS, Hold, held
from mediamill.services.uploads.recording import FileRows, Label
from mediamill.services.uploads.resumable import Announced, expiry
from mediamill.services.uploads.validating import Validator
from mediamill.services.uploads.withdrawing import withdraw
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import Upload, UploadRows, UploadState

log = structlog.get_logger(__name__)

SINGLE = 64 << 20
"""Up to so many bytes an upload is one request, unless its sender wants otherwise."""
MOST_SINGLE = 5 << 30
"""Bytes that S3 takes in one request."""
PART, MOST_PARTS = 16 << 20, 10_000
"""Bytes of a part, more where there would be too many."""
MEBIBYTE = 1 << 20
REQUEST_MS = HOUR
"""How long a signed request works."""
TOLD = 100
"""So many parts are named as missing."""
OFFERS = 10
"""Uploads of the same, one after another, that are found again within a day."""
KLASS = "transfer"
BYTES_PER_SECOND = 100 << 20
"""A guess at how fast an object is copied and read."""


@dataclass(frozen=True)
class Place:
    """Where bytes `start … start + size` of a direct upload go; no request once they are there."""

    number: int
    start: int
    size: int
    arrived: bool
    request: Presigned | None


@dataclass
class Direct:
    """What a caller may do with uploads that go to the bucket."""

    access: Access
    rows: UploadRows
    files: FileRows
    blobs: Blobs
    validator: Validator
    projects: ProjectService
    bell: Doorbell
    allowed: bool = True

    @property
    def offered(self) -> bool:
        """Whether the bucket takes bytes from others."""
        return self.allowed and isinstance(self.blobs, SupportsPresigned)

    async def offer(self, principal: Principal, announced: Announced) -> Upload:
        """Return the caller's open upload of just this, begun if there is none.

        So whoever is refused again and again takes room once. Raises what `begin` does.
        """
        now = await self.rows.store.now()
        for wanted in offered_ids(principal.user, announced, now):
            if (known := await self.rows.get(wanted)) is None:
                with suppress(ConditionFailed):  # another request was first
                    return await self.begin(principal, announced, wanted=wanted)
                known = await self.rows.get(wanted)
            if known and known.state is UploadState.RECEIVING and known.expires > now:
                return known
        return await self.begin(principal, announced)

    async def begin(
        self,
        principal: Principal,
        announced: Announced,
        in_parts: bool | None = None,
        wanted: str = "",
    ) -> Upload:
        """Begin an upload, and take its room; its size says whether in parts, unless its sender.

        It gets the id that is `wanted`, if any: raises `ConditionFailed` when that is taken.

        Raises `Conflict` where the store signs no requests, `LimitExceeded`, `QuotaExceeded`, and
        `InvalidInput` for no bytes.
        """
        bucket, size = self._bucket(), announced.size or 0
        if made := await made_before(self.rows.store, principal, Upload, "upload"):
            return made
        if not size:
            raise InvalidInput.at("size", "The file is empty.")
        await self.validator.require_room(principal.user, size)
        if announced.project:
            await self.projects.welcome(principal, announced.project)
        in_parts = size > SINGLE if in_parts is None else in_parts
        now = await self.rows.store.now()
        upload = Upload(
            id=wanted or new_id("upload"),
            owner=principal.user,
            name=safe_name(announced.name),
            size=size,
            charged=size,
            tags=announced.tags,
            project=announced.project,
            sha256=announced.sha256,
            part_size=part_size_of(size) if in_parts else _single(size),
            created=now,
            expires=now + LIFE_MS,
        )
        if in_parts:
            upload = upload.evolve(multipart=await bucket.begin_parts(upload.arriving))
        await self._insert(upload)
        log.info("upload begun", action="upload_begun", size=size, **upload.log_context())
        return upload

    async def places(
        self, principal: Principal, upload_id: str, after: int = 0, limit: int = 100
    ) -> tuple[Sequence[Place], bool]:
        """List the parts after a number, with a fresh request for each that is not there.

        Returns whether there are more too. Raises `Gone` for an upload that is over, `Conflict` for
        one that is complete.
        """
        upload = await self._open(principal, upload_id)
        there = await self._there(upload)
        last = min(count_of(upload), after + limit)
        numbers = range(after + 1, last + 1)
        seconds = await self._seconds(upload)
        found = [await self._place(upload, number, there, seconds) for number in numbers]
        return found, last < count_of(upload)

    async def complete(self, principal: Principal, upload_id: str) -> tuple[File, bool]:
        """List what has arrived as a file that is being checked; again is harmless.

        Returns whether it is so only now too. Raises `Gone`, `Locked` while another request does
        so, and `Conflict` that names parts which are missing.
        """
        upload = await self._load(principal, upload_id, Right.OWN)
        if upload.file:
            return await self._file(principal, upload), False
        await self._require_open(upload)
        async with held(self.rows, upload) as hold:
            hold.busy = True  # the bucket may take minutes
            await self._gather(hold.upload)
            file = await self._hand_over(hold)
        await self.bell.ring(f"work:{KLASS}")
        return file, True

    # -- steps ----------------------------------------------------------------------------------

    def _bucket(self) -> SupportsPresigned:
        if self.offered and isinstance(self.blobs, SupportsPresigned):
            return self.blobs
        message = "Files go through this service here: send them to /v1/uploads (tus) or /v1/files."
        raise Conflict(message, alternatives=["/v1/uploads", "/v1/files"])

    async def _load(
        self, principal: Principal, upload_id: str, right: Right = Right.VIEW
    ) -> Upload:
        upload = await self.access.load(principal, Upload, upload_id, right)
        if not upload.direct:
            raise Conflict("This upload goes through this service, by tus: it has no such parts.")
        return upload

    async def _open(self, principal: Principal, upload_id: str) -> Upload:
        upload = await self._load(principal, upload_id, Right.OWN)
        await self._require_open(upload)
        return upload

    async def _require_open(self, upload: Upload) -> None:
        if upload.state is not UploadState.RECEIVING:
            raise Conflict(f"{upload.name} is complete: see its file.", state=upload.state)
        if upload.expires <= await self.rows.store.now():
            raise Gone("The upload has expired: begin a new one.")

    async def _insert(self, upload: Upload) -> None:
        try:
            await self.rows.begin(upload, expiry(upload))
        except QuotaExceeded:
            await withdraw(self.blobs, upload)
            raise  # any other failure may have been a success: the collector will know

    async def _seconds(self, upload: Upload) -> int:
        """Return how long a request of this upload may work: never beyond the upload."""
        left = upload.expires - await self.rows.store.now()
        return max(1, min(REQUEST_MS, left) // SECOND)

    async def _there(self, upload: Upload) -> dict[int, Part]:
        """Return the parts that have arrived whole, by number."""
        if upload.multipart:
            try:
                found = await self._bucket().parts(upload.arriving, upload.multipart)
            except NotFound:  # put together by an attempt to complete it that was cut off
                return await self._whole(upload)
            return {part.number: part for part in found if part.size == _size(upload, part.number)}
        return await self._whole(upload)

    async def _whole(self, upload: Upload) -> dict[int, Part]:
        """Return every part if the object is there, else none."""
        try:
            info = await self.blobs.info(upload.arriving)
        except NotFound:
            return {}
        numbers = range(1, count_of(upload) + 1) if info.size == upload.size else ()
        return {number: Part(number, _size(upload, number), "") for number in numbers}

    async def _place(
        self, upload: Upload, number: int, there: Mapping[int, Part], seconds: int
    ) -> Place:
        size, start = _size(upload, number), (number - 1) * upload.part_size
        if number in there:
            return Place(number, start, size, arrived=True, request=None)
        bucket, key = self._bucket(), upload.arriving
        if upload.multipart:
            request = await bucket.presign_part(
                key, upload.multipart, number, seconds=seconds, size=size
            )
        else:
            request = await bucket.presign_put(
                key, seconds=seconds, size=size, sha256=upload.sha256
            )
        return Place(number, start, size, arrived=False, request=request)

    async def _gather(self, upload: Upload) -> None:
        """See to it that the whole object is there; raises `Conflict` for what is missing."""
        there, count = await self._there(upload), count_of(upload)
        missing = [number for number in range(1, count + 1) if number not in there]
        if missing:
            message = f"{len(missing):,} of {count:,} parts are not there: send them first."
            raise Conflict(message, state=upload.state, missing=missing[:TOLD])
        parts = [there[number] for number in range(1, count + 1)]
        if upload.multipart and parts[0].etag:
            try:
                await self._bucket().complete_parts(upload.arriving, upload.multipart, parts)
            except (BrokenMedia, NotFound):
                message = "A part was sent again meanwhile: complete the upload once more."
                raise Locked(message) from None

    async def _hand_over(self, hold: Hold) -> File:
        """Turn the upload into a file that is being checked, in one transaction."""
        upload, now = hold.upload, await self.rows.store.now()
        size = upload.size or 0
        label = Label(tags=upload.tags)
        begun = await self.files.begun(Principal(user=upload.owner), upload.name, size, label)
        file = begun.evolve(state=FileState.CHECKING, received=size, charged=upload.charged)
        changes = {
            "state": UploadState.CHECKING,
            "file": file.id,
            "offset": size,
            "charged": 0,
            "expires": now + LIFE_MS,
        }
        unit = check_unit(upload, file, now)
        try:
            guarded = self.rows.guarded(upload, **changes)
            await self.files.insert(file, [unit], also=[guarded], released=upload.charged)
        except ConditionFailed:
            raise Locked("Another request is at this upload: ask again in a moment.") from None
        hold.upload = upload.evolve(**changes)
        context = {**upload.log_context(), **file.log_context()}
        log.info("upload complete", action="upload_complete", size=size, **context)
        return file

    async def _file(self, principal: Principal, upload: Upload) -> File:
        try:
            return await self.access.load(principal, File, upload.file)
        except NotFound:
            raise Gone("The file that this upload became has been deleted.") from None


def offered_ids(owner: str, announced: Announced, now: int) -> Iterator[str]:
    """Yield the ids that offers of the same have: the next where one is over already."""
    for place in range(OFFERS):
        yield told_id("upload", now - now % LIFE_MS, repr((owner, announced, place)))


def part_size_of(size: int) -> int:
    """Return how many bytes each part of an upload has, whole mebibytes."""
    return max(PART, -(-size // (MOST_PARTS * MEBIBYTE)) * MEBIBYTE)


def count_of(upload: Upload) -> int:
    """Return how many parts a direct upload has."""
    return -(-(upload.size or 0) // upload.part_size)


def _size(upload: Upload, number: int) -> int:
    return min(upload.part_size, (upload.size or 0) - (number - 1) * upload.part_size)


def _single(size: int) -> int:
    if size > MOST_SINGLE:
        message = f"A single request takes at most {MOST_SINGLE:,} bytes: send it in parts."
        raise LimitExceeded.at("parts", message)
    return size


def check_unit(upload: Upload, file: File, now: int) -> Unit:
    """Make the unit that looks at what has arrived."""
    unit = Unit(
        group=f"upload:{upload.id}",
        seq=1,
        kind="check",
        owner=upload.owner,
        klass=KLASS,
        cost=0.2 + file.size / BYTES_PER_SECOND,
        payload={"file": file.id, "upload": upload.id, "sha256": upload.sha256},
        created=now,
    )
    return unit.opened(now)
