"""Blocking file-system work under the local store: names, durable folders, errors.

An object's key is its path, with two marks that no key can contain: a folder ends in `+`, so that
`a` and `a/b` can both exist, and a segment that begins with a dot is written `+.`, so that nothing
foreign (`.incoming`, `.nfs…` of a network file system) is ever taken for an object.
"""

import errno
import heapq
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mediamill.blobs.port import BlobInfo
from mediamill.core.errors import NotFound, StorageFull, Unavailable

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
TRUSTED_SECONDS = 60.0
"""How long a folder that was made durable is believed to be; far below `PRUNE_AFTER_MS`."""

PRUNE_AFTER_MS = 3_600_000
"""How long a folder must have been empty before `sweep` may remove it."""

PAGE = 50_000


def encode(key: str) -> str:
    """Turn a key into a path relative to the root."""
    segments = [f"+{part}" if part.startswith(".") else part for part in key.split("/")]
    return "+/".join(segments)


def decode(entry: str) -> str | None:
    """Turn a directory entry into its part of a key (`…/` for a folder); `None` if foreign."""
    if entry.startswith("."):
        return None
    name = entry[1:] if entry.startswith("+.") else entry
    return f"{name[:-1]}/" if name.endswith("+") else name


@contextmanager
def store_errors(key: str = "") -> Iterator[None]:
    """Turn what the file system raises into the errors of the port."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"There is no object “{key}”.", key=key) from None
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull("The disk of the file store is full.") from error
        raise Unavailable(f"The file store failed: {error.strerror}.") from error


def fsync_folder(folder: Path) -> None:
    """Make a folder's entries durable, where its file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


class Folders:
    """Make folders under a root whose own entries are durable.

    A folder that exists may have been made a moment ago by somebody who has not fsynced it yet, so
    its parent is fsynced too unless this process did so within `TRUSTED_SECONDS`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._trusted: dict[Path, float] = {}

    def make(self, folder: Path) -> None:
        """Make a folder, and its parents, durable."""
        now = time.monotonic()
        if now - self._trusted.get(folder, -TRUSTED_SECONDS) < TRUSTED_SECONDS and folder.is_dir():
            return
        if folder == self.root:
            self._make_root()
        else:
            self.make(folder.parent)
            self._make_one(folder)
        if len(self._trusted) > 10_000:
            self._trusted.clear()
        self._trusted[folder] = now

    def _make_one(self, folder: Path) -> None:
        try:
            folder.mkdir()
        except FileExistsError:
            os.utime(folder)  # in use again: `prune` keeps away
        fsync_folder(folder.parent)

    def _make_root(self) -> None:
        missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
        for path in reversed(missing):
            with suppress(FileExistsError):
                path.mkdir()
            fsync_folder(path.parent)


def place(folders: Folders, source: Path, target: Path) -> None:
    """Rename a file that was fsynced to its place, durable on return.

    A folder that `sweep` removed in between is made again.
    """
    for _ in range(3):
        folders.make(target.parent)
        with suppress(FileNotFoundError):
            source.rename(target)
            fsync_folder(target.parent)
            return
        if not source.exists():
            raise Unavailable("The upload was swept away before it was committed.")
    raise Unavailable(f"The folder of {target.name} keeps vanishing.")


def place_all(folders: Folders, moves: Sequence[tuple[Path, Path]]) -> None:
    """Rename files that were fsynced to their places, all durable on return."""
    parents = {target.parent for _, target in moves}
    for parent in parents:
        folders.make(parent)
    for source, target in moves:
        source.rename(target)  # `sweep` removes no folder that was made a moment ago
    for parent in parents:
        fsync_folder(parent)


def link_all(folders: Folders, pairs: Sequence[tuple[Path, Path]]) -> list[int]:
    """Give plain files that are durable a second place each, all durable on return.

    Return which of them have something in that place, which is left as it is. Raises `NotFound`
    for what is no plain file, and `OSError`.
    """
    parents, taken = {target.parent for _, target in pairs}, list[int]()
    for parent in parents:
        folders.make(parent)
    for n, (source, target) in enumerate(pairs):
        if not stat.S_ISREG(source.lstat().st_mode):
            raise NotFound(f"“{source.name}” is not a plain file.")
        try:
            os.link(source, target)
        except FileExistsError:
            taken.append(n)
    for parent in parents:
        fsync_folder(parent)
    return taken


def place_new(folders: Folders, source: Path, target: Path) -> None:
    """Give a file that was fsynced a place that is free; raises `FileExistsError`.

    A link is made at a stroke; a file system without links is looked at first.
    """
    folders.make(target.parent)
    try:
        target.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:
        if target.exists():
            raise FileExistsError(target) from None
        place(folders, source, target)
        return
    fsync_folder(target.parent)
    source.unlink()


def walk(root: Path, prefix: str, after: str) -> Iterator[BlobInfo]:
    """Yield the objects under `prefix` with keys greater than `after`, in key order."""
    start = prefix.rpartition("/")[0]
    folder = root / f"{encode(start)}+" if start else root
    yield from _walk(folder, f"{start}/" if start else "", prefix, after)


def _walk(folder: Path, above: str, prefix: str, after: str) -> Iterator[BlobInfo]:
    for name in _names(folder, above, prefix, after):
        key = above + name
        if key.endswith("/"):
            yield from _walk(root_of(folder, name), key, prefix, after)
            continue
        with suppress(FileNotFoundError):
            status = (folder / encode(name)).lstat()
            yield BlobInfo(key, status.st_size, status.st_mtime_ns // 1_000_000)


def root_of(folder: Path, name: str) -> Path:
    """Return the path of a sub-folder by its decoded name, which ends in `/`."""
    return folder / f"{encode(name[:-1])}+"


def _names(folder: Path, above: str, prefix: str, after: str) -> Iterator[str]:
    """Yield decoded names in order, at most `PAGE` of them in memory."""
    last = ""
    while True:
        names = (name for name in _scan(folder) if name > last)
        page = heapq.nsmallest(PAGE, (n for n in names if _wanted(above + n, prefix, after)))
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1]


def _scan(folder: Path) -> Iterator[str]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            name = decode(entry.name)
            if name is not None and entry.is_dir(follow_symlinks=False) == name.endswith("/"):
                yield name


def _wanted(key: str, prefix: str, after: str) -> bool:
    if key.endswith("/"):
        fits = key.startswith(prefix) or prefix.startswith(key)
        return fits and (key > after or after.startswith(key))
    return key.startswith(prefix) and key > after


def prune(root: Path, before_ms: int) -> None:
    """Remove folders that have been empty since `before_ms` or an hour, whichever is longer."""
    limit = min(before_ms, time.time_ns() // 1_000_000 - PRUNE_AFTER_MS)
    for path, _, _ in os.walk(root, topdown=False):
        folder = Path(path)
        if folder == root or not folder.name.endswith("+"):
            continue
        with suppress(OSError):
            if folder.stat().st_mtime_ns // 1_000_000 < limit:
                folder.rmdir()
