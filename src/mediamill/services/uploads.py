"""Take files in: every way in ends here, so that one validator sees everything.

A file is acknowledged when its bytes are durable, its content has been looked at in a slot, and
its row is committed, in this order. What is refused leaves nothing behind.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs, Digest
from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput, LimitExceeded
from mediamill.core.ids import new_id
from mediamill.engine.inspect import Inspector
from mediamill.media.archive.names import safe_name
from mediamill.media.probe import Facts
from mediamill.store.port import Absent, Put, Store
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

THUMBNAILED = ("image/", "video/")


@dataclass
class Uploads:
    """Receives bytes and makes them a file."""

    store: Store
    units: Units
    blobs: Blobs
    inspector: Inspector
    bell: Doorbell
    max_bytes: int

    async def receive(
        self, principal: Principal, name: str, chunks: AsyncIterator[bytes], size: int | None
    ) -> File:
        """Store a stream as a new file of the caller.

        `size` is what the sender announced, in bytes. Raises `LimitExceeded`, `InvalidInput` for
        an empty or shorter stream, whatever `media.probe` finds wrong, and `StorageFull`.
        """
        if size is not None and size > self.max_bytes:
            raise self._too_large()
        file_id = new_id("file")
        blob = f"files/{file_id}"
        digest = await self._store(blob, chunks, size)
        try:
            facts = await self.inspector.look(self.blobs, blob, name, digest.size)
        except BaseException:
            await self.blobs.delete(blob)
            raise
        file = await self._describe(principal, file_id, safe_name(name), digest, facts)
        await self._commit(file)  # if that fails its row may be there: the collector will know
        log.info("file received", action="file_received", size=file.size, **file.log_context())
        return file

    async def _store(self, blob: str, chunks: AsyncIterator[bytes], size: int | None) -> Digest:
        """Write the stream durably; nothing is kept when it breaks or is refused."""
        async with self.blobs.upload() as upload:
            async for chunk in chunks:
                if upload.size + len(chunk) > self.max_bytes:
                    raise self._too_large()
                await upload.write(chunk)
            if size is not None and upload.size != size:
                message = f"The upload ended after {upload.size} of {size} announced bytes."
                raise InvalidInput(message)
            if upload.size == 0:
                raise InvalidInput("The file is empty.")
            return await upload.commit(blob)

    def _too_large(self) -> LimitExceeded:
        return LimitExceeded(f"Files may have at most {self.max_bytes:,} bytes here.")

    async def _describe(
        self, principal: Principal, file_id: str, name: str, digest: Digest, facts: Facts
    ) -> File:
        return File(
            id=file_id,
            owner=principal.user,
            listed=principal.user,
            name=name,
            media_type=facts.media_type,
            size=digest.size,
            sha256=digest.sha256,
            crc32=digest.crc32,
            width=facts.width,
            height=facts.height,
            duration=facts.duration,
            blob=f"files/{file_id}",
            thumbnail=None if facts.media_type.startswith(THUMBNAILED) else "",
            created=await self.store.now(),
        )

    async def _commit(self, file: File) -> None:
        """Make the row, and the unit that draws its thumbnail, one transaction."""
        row = Put(file, when=(Absent(),))
        if file.thumbnail is not None:
            await self.store.transact(row)
        else:
            unit = Unit(
                group=f"thumbnail:{file.id}",
                seq=0,
                kind="thumbnail",
                owner=file.owner,
                klass="housekeeping",
                cost=0.2,
                payload={"file": file.id},
                created=file.created,
            )
            await self.units.insert([unit.opened(file.created)], row)
            await self.bell.ring("work:housekeeping")
