"""What the store does in one go: blocking code, for its threads."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from mediamill.blobs.local.incoming import Incoming, IncomingFile
from mediamill.blobs.port import CHUNK, Digest
from mediamill.blobs.scratch import open_plain, open_scratch
from mediamill.core.errors import NotFound

_WITHOUT_LINKS = frozenset(
    {errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EXDEV, errno.ENOSYS, errno.EACCES}
)
"""What says that a file system, or one with other owners, makes no link; a copy does as well."""


def try_out(incoming: Incoming) -> None:
    """Make the folder where there is none; raises `OSError` when it cannot be used."""
    incoming.make()
    if not os.access(incoming.folder, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def put(incoming: Incoming, key: str, data: bytes, fresh: bool) -> Digest:
    """Write an object whole."""
    file = incoming.create()
    try:
        file.append(data)
        return file.finish(key, fresh=fresh)
    finally:
        file.discard()


def put_all(incoming: Incoming, objects: Sequence[tuple[str, bytes]]) -> list[Digest]:
    """Write objects whole: each is fsynced, then each of their folders once."""
    files: list[IncomingFile] = []
    incoming.require_room(sum(len(data) for _, data in objects))
    try:
        for _, data in objects:
            files.append(incoming.begin())
            files[-1].write(data)
        for file in files:
            file.seal()
        incoming.place_all([file.path for file in files], [key for key, _ in objects])
        return [file.placed() for file in files]
    finally:
        for file in files:
            file.discard()


def open_all(paths: Sequence[Path], opened: list[int | None]) -> None:
    """Add a descriptor of each path to those that are opened, None for what is not there."""
    for path in paths:
        try:
            opened.append(open_plain(path))
        except (FileNotFoundError, NotFound):
            opened.append(None)


def read_whole(path: Path) -> bytes:
    with os.fdopen(open_plain(path), "rb") as file:
        return file.read()


def adopt(incoming: Incoming, key: str, path: Path) -> None:
    """Move a finished file under a key, by its bytes from another file system.

    Raises `StorageFull` below the watermark.
    """
    incoming.require_room(0)
    descriptor = open_scratch(path)
    try:
        os.utime(descriptor)
        os.fsync(descriptor)
        incoming.place(path, key)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(incoming, key, descriptor)
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def adopt_all(incoming: Incoming, files: Sequence[tuple[str, Path]]) -> None:
    """Move finished files under keys: each is fsynced, then each of their folders once.

    Raises `StorageFull` below the watermark.
    """
    incoming.require_room(0)
    opened: list[int] = []
    try:
        for _, path in files:
            opened.append(open_scratch(path))
            os.utime(opened[-1])
            os.fsync(opened[-1])
        incoming.place_all([path for _, path in files], [key for key, _ in files])
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        for key, path in files:
            if path.exists():
                adopt(incoming, key, path)
    finally:
        for descriptor in opened:
            os.close(descriptor)


def link_all(incoming: Incoming, pairs: Sequence[tuple[Path, str]]) -> None:
    """Give objects a second key each; each folder is fsynced once."""
    try:
        incoming.link_all(pairs)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        for origin, key in pairs:
            link(incoming, origin, key)


def link(incoming: Incoming, origin: Path, key: str) -> None:
    """Give an object a second key, by its bytes where there are no links."""
    descriptor = open_plain(origin)
    try:
        try:
            incoming.link(origin, key)
        except OSError as error:
            if error.errno not in _WITHOUT_LINKS:
                raise
            copy(incoming, key, descriptor)
    finally:
        os.close(descriptor)


def copy(incoming: Incoming, key: str, descriptor: int) -> None:
    """Write what is open as an object."""
    file = incoming.create()
    try:
        while data := os.read(descriptor, CHUNK):
            file.append(data)
        file.finish(key)
    finally:
        file.discard()
