"""An object on its way into the folder."""

from mediamill.blobs.local.files import store_errors
from mediamill.blobs.local.incoming import Incoming, IncomingFile
from mediamill.blobs.port import CHUNK, Digest
from mediamill.core.threads import Threads


class LocalUpload:
    """An object being written; small writes are gathered into chunks."""

    def __init__(self, threads: Threads, key: str) -> None:
        self._threads, self._key = threads, key
        self._file: IncomingFile | None = None
        self._buffer = bytearray()
        self._flushed = 0
        self._usable = False

    async def begin(self, incoming: Incoming) -> None:
        """Create the file; raises `StorageFull`."""

        def create() -> None:
            self._file = incoming.create()

        with store_errors():
            await self._threads.run(create)
        self._usable = True

    @property
    def size(self) -> int:
        return self._flushed + len(self._buffer)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises `StorageFull`."""
        self._require_usable()
        self._buffer += data
        if len(self._buffer) >= CHUNK:
            await self._flush()

    async def commit(self) -> Digest:
        """Make the object durable and visible under its key."""
        file = self._require_usable()
        await self._flush()
        self._usable = False
        with store_errors():
            return await self._threads.run(file.finish, self._key)

    async def end(self) -> None:
        """Discard what was not committed."""
        self._usable = False
        if self._file is not None:
            file, self._file = self._file, None
            with store_errors():
                await self._threads.run(file.discard)

    async def _flush(self) -> None:
        file, buffer = self._require_usable(), self._buffer
        self._usable = False  # stays so when this fails or is cancelled: the rest would have a hole
        with store_errors():
            await self._threads.run(file.append, buffer)
        self._flushed, self._buffer, self._usable = self.size, bytearray(), True

    def _require_usable(self) -> IncomingFile:
        if not self._usable or self._file is None:
            raise ValueError("this upload has ended")
        return self._file
