"""Where tables are exported to: a folder, or one of a bucket."""

import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from mediamill.adapters.objects.opening import is_bucket, open_objects
from mediamill.adapters.objects.port import Objects
from mediamill.core.errors import ConfigurationError, InvalidInput, NotFound, StorageFull
from mediamill.core.threads import to_end

SETTING = "MEDIAMILL_ANALYTICS_URL"
WRITING, LEFT_SECONDS = ".writing", 6 * 3600
"""Where files are that are being written; what is older was left."""


class Place(Protocol):
    """Small files under names with `/`; one that is written replaces the one before it whole."""

    async def read(self, name: str) -> bytes | None:
        """Return a file, None where there is none."""

    async def write(self, name: str, data: bytes) -> None:
        """Write a file; raises `StorageFull`, `Forbidden`, `Unavailable`."""


class Folder:
    """A folder of this machine: files appear whole, under their own names.

    They are written in `.writing/`, where what a killed process left is removed some hours later.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    async def read(self, name: str) -> bytes | None:
        return await to_end(_read, self.root / name)

    async def write(self, name: str, data: bytes) -> None:
        try:
            await to_end(_write, self.root, name, data)
        except OSError as error:
            raise StorageFull(f"{self.root / name} cannot be written: {error.strerror}.") from error


class Bucket:
    """A folder of a bucket."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def read(self, name: str) -> bytes | None:
        try:
            return b"".join([chunk async for chunk in self._objects.read(name)])
        except NotFound:
            return None

    async def write(self, name: str, data: bytes) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield data

        await self._objects.write(name, chunks(), "application/octet-stream", {})


def open_place(url: str) -> Place:
    """Open `file:///folder`, a folder's absolute path, or `s3://bucket/folder?…`.

    Raises `ConfigurationError` for what is none of these.
    """
    parts = urlsplit(url)
    if is_bucket(url):
        try:
            return Bucket(open_objects(url))
        except InvalidInput as error:
            raise ConfigurationError(f"{SETTING}: {error.message}", setting=SETTING) from None
    path = Path(unquote(parts.path) if parts.scheme == "file" else url)
    if parts.scheme not in ("", "file") or parts.netloc or not path.is_absolute():
        message = f"{SETTING}: “{url}” is no place: write /folder or s3://bucket/folder."
        raise ConfigurationError(message, setting=SETTING)
    return Folder(path)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(root: Path, name: str, data: bytes) -> None:
    path, writing = root / name, root / WRITING
    path.parent.mkdir(parents=True, exist_ok=True)
    writing.mkdir(exist_ok=True)
    for left in writing.iterdir():
        with suppress(OSError):  # who writes it may be done just now; what is no file stays
            if time.time() - left.stat().st_mtime > LEFT_SECONDS:
                left.unlink()
    beside = writing / secrets.token_hex(8)
    with beside.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
