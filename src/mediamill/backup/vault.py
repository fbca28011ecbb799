"""The place of a backup: content by its SHA-256, snapshots, and who writes there now.

Needed there: to read, write, list and delete; on a bucket `s3:GetObject`, `s3:PutObject`,
`s3:ListBucket` and `s3:DeleteObject`.
"""

import asyncio
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import msgspec

from mediamill.backup.beside import beside
from mediamill.backup.manifest import Snapshot, read_snapshot
from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import Blobs, PutsTogether
from mediamill.core.errors import BrokenMedia, Conflict, Locked, NotFound, Unavailable
from mediamill.core.ids import new_id
from mediamill.core.machine import this_machine

SETTING = "MEDIAMILL_BACKUP_URL"
OBJECTS, SNAPSHOTS, WORKING = "objects/", "snapshots/", "working"
CLAIM_SECONDS, RENEW_SECONDS = 180.0, 30.0
"""For how long who writes is believed to be alive, and how often it says so."""
AT_ONCE = 8
SHA256 = re.compile("[0-9a-f]{64}")


class Claim(msgspec.Struct, frozen=True):
    """Who writes at a place, and until when that is believed (ms by its machine's clock)."""

    id: str
    until: int
    machine: str
    process: int

    @property
    def holds(self) -> bool:
        """Whether it is believed: a process of this machine that is no more is not."""
        if self.until <= _now():
            return False
        if self.machine != this_machine():
            return True
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # it is there, and another user's
            return True
        return True


def key_of(sha256: str) -> str:
    """Return where content is."""
    return f"{OBJECTS}{sha256[:2]}/{sha256}"


def url_of(place: str) -> str:
    """Return the URL of a place that may be given as a folder."""
    if "://" in place or place.startswith("memory:"):
        return place
    return f"file://{quote(str(Path(place).expanduser().absolute()))}"


class Vault:
    """One place of backups."""

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs
        self._mine, self._said = "", 0.0

    @classmethod
    @asynccontextmanager
    async def open(cls, place: str, *, makes: bool = True) -> AsyncIterator["Vault"]:
        """Open a place for the length of the block; a folder is for its owner only.

        Raises `NotFound` where there is no such folder, unless it `makes` one, and
        `ConfigurationError`.
        """
        url = url_of(place)
        if url.startswith("file:"):
            await asyncio.to_thread(_make, Path(unquote(urlsplit(url).path)), makes=makes)
        blobs = await open_blobs(url, setting=SETTING)
        try:
            yield cls(blobs)
        finally:
            await blobs.close()

    # -- content --------------------------------------------------------------------------------

    async def keep(self, contents: Mapping[str, bytes]) -> None:
        """Write small content by its SHA-256, durable on return."""
        pairs = [(key_of(sha256), data) for sha256, data in contents.items()]
        if isinstance(self.blobs, PutsTogether):
            await self.blobs.put_all(pairs)
            return

        async def put(key: str, data: bytes) -> None:
            await self.blobs.put(key, data)

        async with beside(AT_ONCE) as begin:
            for key, data in pairs:
                await begin(put(key, data))

    async def keep_large(self, sha256: str, chunks: AsyncIterator[bytes]) -> str:
        """Write content that should have a digest; return the one it has: if another, not kept."""
        async with self.blobs.upload(key_of(sha256)) as upload:
            digest = hashlib.sha256()
            async for chunk in chunks:
                digest.update(chunk)
                await upload.write(chunk)
            if digest.hexdigest() == sha256:
                await upload.commit()
            return digest.hexdigest()

    async def content(self, sha256: str) -> bytes:
        """Read small content; raises `BrokenMedia` for what it is not, `NotFound`."""
        return b"".join([chunk async for chunk in self.stream(sha256)])

    async def stream(self, sha256: str) -> AsyncIterator[bytes]:
        """Read content; raises `BrokenMedia` behind the last chunk of what it is not."""
        digest = hashlib.sha256()
        async for chunk in self.blobs.read(key_of(sha256)):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != sha256:
            raise _other(sha256)

    async def is_whole(self, sha256: str) -> bool:
        """Tell whether content is there and reads back as it was."""
        with suppress(NotFound, BrokenMedia):
            async for _ in self.stream(sha256):
                pass
            return True
        return False

    async def broken(self, digests: Iterable[str], unread: list[str] | None = None) -> list[str]:
        """Read content back, some at a time; return what is missing or not as it was.

        Raises `Unavailable` for what cannot be read now, unless it is to be added to `unread`.
        """
        found = list[str]()

        async def look(sha256: str) -> None:
            try:
                if not await self.is_whole(sha256):
                    found.append(sha256)
            except Unavailable:
                if unread is None:
                    raise
                unread.append(sha256)

        async with beside(AT_ONCE) as begin:
            for sha256 in digests:
                await begin(look(sha256))
        return found

    async def has(self, sha256: str) -> bool:
        """Tell whether content is there, whole or not."""
        with suppress(NotFound):
            await self.blobs.info(key_of(sha256))
            return True
        return False

    async def sizes(self, folder: str = "") -> AsyncIterator[tuple[str, int]]:
        """List all content, or that of a folder: its SHA-256 and its size.

        What others put beside it is passed over.
        """
        async for info in self.blobs.list(OBJECTS + folder):
            sha256 = info.key.rpartition("/")[2]
            if SHA256.fullmatch(sha256) and info.key == key_of(sha256):
                yield sha256, info.size

    async def remove(self, digests: Sequence[str]) -> None:
        """Remove content; raises `Locked` where another has taken over, or soon may have."""
        await self.require_alone()
        for sha256 in digests:
            if time.monotonic() - self._said > CLAIM_SECONDS / 2:
                raise Locked("It stood still for so long that another backup may have begun.")
            await self.blobs.delete(key_of(sha256))

    # -- snapshots ------------------------------------------------------------------------------

    async def names(self) -> list[str]:
        """List the ids of all snapshots, the oldest first."""
        listed = self.blobs.list(SNAPSHOTS)
        return sorted([info.key.removeprefix(SNAPSHOTS) async for info in listed])

    async def snapshot(self, name: str) -> Snapshot:
        """Read a snapshot; raises `NotFound`, `BrokenMedia`, `Conflict` for a newer program's."""
        return read_snapshot(await self.blobs.get(SNAPSHOTS + name), name)

    async def add(self, snapshot: Snapshot) -> None:
        """Write a snapshot, and read it back; raises `BrokenMedia`, and `Locked` once overtaken."""
        await self.require_alone()
        data = msgspec.json.encode(snapshot)
        await self.blobs.put(SNAPSHOTS + snapshot.id, data)
        if await self.blobs.get(SNAPSHOTS + snapshot.id) != data:
            raise BrokenMedia(f"The snapshot {snapshot.id} does not read back as it was written.")

    async def drop(self, name: str) -> None:
        """Remove a snapshot; its content stays until `pruning.py` collects it."""
        await self.blobs.delete(SNAPSHOTS + name)

    # -- who writes -----------------------------------------------------------------------------

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be the only one who writes here; raises `Locked` while another does.

        Whoever was killed is believed to live for three minutes, unless it was on this machine.
        """
        self._mine = new_id("claim")
        await self._take()
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            with suppress(Locked):
                await self.require_alone()
                await self.blobs.delete(WORKING)

    async def require_alone(self) -> None:
        """Raise `Locked` where another has taken over, for one that said nothing for long."""
        found = await self._claimed()
        if found is None or found.id != self._mine:
            raise Locked("Another backup took this place over meanwhile.")

    async def _take(self) -> None:
        for _ in range(2):
            try:
                await self.blobs.put(WORKING, self._claim(), fresh=True)
            except Conflict:
                found = await self._claimed()
                if found is not None and found.holds:
                    break
                await self.blobs.delete(WORKING)
            else:
                return
        raise Locked(
            "Another backup is written to this place. One that was killed is forgotten within "
            "three minutes."
        )

    async def _renew(self) -> None:
        """Say again and again who writes here, until another does."""
        with suppress(Locked):
            while True:
                await asyncio.sleep(RENEW_SECONDS)
                with suppress(Unavailable):
                    await self.require_alone()
                    await self.blobs.put(WORKING, self._claim())

    def _claim(self) -> bytes:
        self._said = time.monotonic()
        until = _now() + int(CLAIM_SECONDS * 1000)
        return msgspec.json.encode(Claim(self._mine, until, this_machine(), os.getpid()))

    async def _claimed(self) -> Claim | None:
        try:
            return msgspec.json.decode(await self.blobs.get(WORKING), type=Claim)
        except (NotFound, msgspec.DecodeError):
            return None


def _make(folder: Path, *, makes: bool) -> None:
    if not makes and not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.")
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o700)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _other(sha256: str) -> BrokenMedia:
    return BrokenMedia(f"{key_of(sha256)} is not what was written there.")
