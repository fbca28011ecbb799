"""The folder of unfinished files, `<root>/.incoming`, and one file in it; blocking code."""

import hashlib
import os
import uuid
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mediamill.blobs.keys import taken
from mediamill.blobs.local.files import Folders, encode, link_all, place, place_all, place_new
from mediamill.blobs.port import Digest
from mediamill.core.clock import Clock
from mediamill.core.errors import StorageFull, Unavailable
from mediamill.core.mounts import network_type

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class Incoming:
    """Where files are written before they get their key; shared by any number of processes."""

    def __init__(self, root: Path, min_free_bytes: int, clock: Clock) -> None:
        self.root, self.folder = root, root / ".incoming"
        self._min_free, self._clock = min_free_bytes, clock
        self._folders = Folders(root)
        self._seen = False

    def make(self) -> None:
        """Make the folder, durable; raises `Unavailable` when it was there and is gone."""
        self.require()
        self._folders.make(self.folder)
        self._seen = True

    def require(self) -> None:
        """Raise `Unavailable` when the folder was there and is gone: its disk is not mounted.

        What would be written then would be lost from sight when it is mounted again.
        """
        if self._seen and not self.folder.is_dir():
            raise Unavailable(f"The folder {self.root} is not what it was: mount it again.")

    def is_shared(self) -> bool:
        """Tell whether the disk is another machine's, so that what is there may not be seen yet."""
        self.require()
        return network_type(self.root) is not None

    def create(self) -> "IncomingFile":
        """Begin a file; raises `StorageFull` below the watermark."""
        self.require_room(0)
        return self.begin()

    def begin(self) -> "IncomingFile":
        """Begin a file for which there is room."""
        path = self._fresh()
        return IncomingFile(self, path, os.open(path, _WRITE, 0o640))

    def _fresh(self) -> Path:
        return self.folder / f"{self._clock.now():013d}-{uuid.uuid4().hex}"

    def place(self, source: Path, key: str, *, fresh: bool = False) -> None:
        """Rename a file that was fsynced to its key, durable on return.

        With `fresh` raises `Conflict` when the key has an object.
        """
        way = place_new if fresh else place
        try:
            way(self._folders, source, self.root / encode(key))
        except FileExistsError:
            raise taken(key) from None

    def place_all(self, paths: Sequence[Path], keys: Sequence[str]) -> None:
        """Rename files that were fsynced to their keys, all durable on return."""
        targets = [self.root / encode(key) for key in keys]
        place_all(self._folders, [*zip(paths, targets, strict=True)])

    def link_all(self, pairs: Sequence[tuple[Path, str]]) -> None:
        """Give durable plain files a second key each, all durable on return."""
        taken = link_all(self._folders, [(path, self.root / encode(key)) for path, key in pairs])
        for n in taken:
            self.link(*pairs[n])

    def link(self, origin: Path, key: str) -> None:
        """Give a durable file a second key, durable on return."""
        self.make()
        path = self._fresh()
        path.hardlink_to(origin)
        try:
            self.place(path, key)
        finally:
            path.unlink(missing_ok=True)  # a rename over a link to the same file does nothing

    def room(self) -> int:
        """Return how many bytes may be written before the watermark; may be negative."""
        self.make()
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize - self._min_free

    def require_room(self, size: int) -> None:
        """Raise `StorageFull` unless `size` more bytes stay above the watermark."""
        if self.room() < size:
            raise StorageFull("There is no room for more files; try again later.")

    def sweep(self, older_than: int) -> int:
        """Remove the files that nobody has written to since a time (ms); return how many."""
        count = 0
        self.make()
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                if _touched(path) < older_than:
                    path.unlink()
                    count += 1
        return count


def _touched(path: Path) -> int:
    """Return when a file was begun by its writer's clock, or written to by its server's (ms)."""
    stamp, written = path.name.partition("-")[0], path.lstat().st_mtime_ns // 1_000_000
    return max(int(stamp), written) if stamp.isdecimal() else written


class IncomingFile:
    """An open file in the folder, its digests taken while it is written."""

    def __init__(self, incoming: Incoming, path: Path, descriptor: int) -> None:
        self._incoming, self.path, self._descriptor = incoming, path, descriptor
        self._size, self._sha256, self._crc32 = 0, hashlib.sha256(), 0
        self._placed = False

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Write bytes at the end; raises `StorageFull` or `OSError`."""
        self._incoming.require_room(len(data))
        self.write(data)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write bytes for which there is room."""
        view = memoryview(data).cast("B")
        self._sha256.update(view)
        self._crc32 = zlib.crc32(view, self._crc32)
        self._size += len(view)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self, key: str, *, fresh: bool = False) -> Digest:
        """Make the file durable under its key: fsync, rename, fsync of the folder."""
        os.utime(self._descriptor)
        self.seal()
        self._incoming.place(self.path, key, fresh=fresh)
        return self.placed()

    def seal(self) -> None:
        """Make what was written durable; it has no key yet."""
        os.fsync(self._descriptor)

    def placed(self) -> Digest:
        """Take note that the file has its key; return its digest."""
        self._placed = True
        return Digest(self._size, self._sha256.hexdigest(), self._crc32)

    def discard(self) -> None:
        """Close the file and, unless it has its key, remove it."""
        os.close(self._descriptor)
        if not self._placed:
            self.path.unlink(missing_ok=True)
