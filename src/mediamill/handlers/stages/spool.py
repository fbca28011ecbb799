"""Lines that a handler writes once and then reads once: a few in memory, more on disk."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

from mediamill.core.errors import StorageFull
from mediamill.engine.inputs import scratch_file

BUFFER = 1 << 18

T = TypeVar("T")


class Spool:
    """A buffer and a scratch file without a name, which is gone with the block or the process."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._file: IO[bytes] | None = None
        self._buffer = bytearray()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            await asyncio.to_thread(self._file.close)

    async def add(self, line: bytes) -> None:
        """Append a line with its end; raises `StorageFull`."""
        self._buffer += line
        if len(self._buffer) >= BUFFER:
            await _off_the_loop(self._flush)

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield what was added, with its ends, in order; nothing is added from now on."""
        if (file := self._file) is not None:
            await _off_the_loop(lambda: file.seek(0))
            while found := await _off_the_loop(lambda: file.readlines(BUFFER)):
                for line in found:
                    yield line
        for line in io.BytesIO(self._buffer):
            yield line

    def _flush(self) -> None:
        if self._file is None:
            self._file = os.fdopen(scratch_file(self._scratch), "w+b", buffering=BUFFER)
        self._file.write(self._buffer)
        self._buffer.clear()


async def _off_the_loop(action: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(action)
    except OSError as error:
        raise StorageFull(f"No room to list the results: {error.strerror}.") from error
