"""A range of an object on its way out: blocking code, for the store's threads."""

import os
from pathlib import Path

from mediamill.blobs.port import CHUNK
from mediamill.blobs.scratch import open_plain
from mediamill.core.errors import BrokenMedia


class Reading:
    """Reads bytes `start … stop` (end excluded; None for the object's end), `CHUNK` at a time.

    A small object is opened, read and closed in one call: a thread is dear beside that.
    """

    def __init__(self, key: str, path: Path, start: int, stop: int | None) -> None:
        self._key, self._path, self._place, self._stop = key, path, start, stop
        self._descriptor = -1
        self.over = False

    def next(self) -> bytes:
        """Return some bytes, none at the end; opens the object when first called.

        Raises `OSError`, `NotFound`, and `BrokenMedia` where the object has become shorter.
        """
        if self._descriptor < 0:
            self._descriptor = open_plain(self._path)
            size = os.fstat(self._descriptor).st_size
            self._stop = size if self._stop is None else min(self._stop, size)
        left = (self._stop or 0) - self._place
        data = os.pread(self._descriptor, min(CHUNK, left), self._place) if left > 0 else b""
        if left > 0 and not data:
            message = f"The object “{self._key}” ends early, at byte {self._place}."
            raise BrokenMedia(message, key=self._key)
        self._place += len(data)
        if len(data) >= left:
            self.close()
        return data

    def close(self) -> None:
        """Close the object; nothing more is read."""
        self.over = True
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
