"""What may come in: the one validator that the bytes of every way in pass."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from mediamill.blobs.port import Blobs, Digest
from mediamill.core.errors import InvalidInput, LimitExceeded, StorageFull
from mediamill.engine.inspect import Inspector
from mediamill.media.facts import Facts
from mediamill.store.repositories.usage import Usages


@dataclass
class Validator:
    """Refuses what is too large, has no room, is not what was announced, or is no good."""

    blobs: Blobs
    inspector: Inspector
    usages: Usages
    max_bytes: int

    async def require_room(self, owner: str, size: int | None, charged: int = 0) -> None:
        """Raise what forbids an announced size before its first byte.

        That is `LimitExceeded`, `QuotaExceeded` beyond what is `charged` already, `StorageFull`.
        """
        if size is not None and size > self.max_bytes:
            raise self.too_large()
        await self.usages.require(owner, 1 if size is None else size - charged)
        free = await self.blobs.free_bytes() if size is not None else None
        if size is not None and free is not None and size > free:
            raise StorageFull(
                f"There is no room for {size:,} bytes here now: delete files, or try again later."
            )

    async def store(
        self, owner: str, blob: str, chunks: AsyncIterator[bytes], size: int | None
    ) -> Digest:
        """Write a stream durably; nothing is kept when it breaks or is refused.

        Raises `LimitExceeded` and `QuotaExceeded` as soon as they show, and `InvalidInput` for an
        empty stream or another length than announced.
        """
        room = await self.usages.room(owner)
        async with self.blobs.upload(blob) as upload:
            async for chunk in chunks:
                after = upload.size + len(chunk)
                if after > self.max_bytes:
                    raise self.too_large()
                if room is not None and after > room:
                    await self.usages.refuse(owner, after)
                await upload.write(chunk)
            if size is not None and upload.size != size:
                message = f"The upload ended after {upload.size} of {size} announced bytes."
                raise InvalidInput(message)
            if upload.size == 0:
                raise _empty()
            return await upload.commit()

    async def keep(self, owner: str, blob: str, data: bytes) -> Digest:
        """Write bytes that are here already, durably; raises what `require_room` and `look` do."""
        await self.require_room(owner, len(data))
        if not data:
            raise _empty()
        return await self.blobs.put(blob, data)

    async def look(
        self, blob: str, name: str, digest: Digest, announced: str | None = None
    ) -> Facts:
        """Look at stored bytes, in a slot; `announced` is the SHA-256 that was said.

        Raises `LimitExceeded`, `InvalidInput`, and whatever `media.probe` finds wrong.
        """
        if digest.size > self.max_bytes:
            raise self.too_large()
        if digest.size == 0:
            raise _empty()
        if announced not in (None, digest.sha256):
            raise InvalidInput(
                f"The bytes that arrived have the SHA-256 {digest.sha256}, not the announced "
                f"{announced}: send the file again."
            )
        return await self.inspector.look(self.blobs, blob, name, digest.size)

    def too_large(self) -> LimitExceeded:
        """Make the error of a file beyond the limit."""
        return LimitExceeded(f"Files may have at most {self.max_bytes:,} bytes here.")


def _empty() -> InvalidInput:
    return InvalidInput("The file is empty.")
