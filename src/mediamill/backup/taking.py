"""Take a backup: rows first, then the objects that are new, then all of it is read back.

A row is written only when its bytes are durable, so whatever the copy of the rows names is there to
be copied, but for what is deleted for good in between; what came later is copied too, and collected
after a restore. Content counts as kept once it was read back.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

from mediamill import __version__
from mediamill.backup.beside import beside
from mediamill.backup.index import Index, Name
from mediamill.backup.keys import home_keys, sealed
from mediamill.backup.manifest import Database, Entry, Snapshot, new_snapshot_id, read_list, written
from mediamill.backup.vault import Vault, url_of
from mediamill.blobs.port import BlobInfo, Blobs
from mediamill.core.acts import note
from mediamill.core.backups import LastBackup, note_backup
from mediamill.core.clock import Clock, SystemClock
from mediamill.core.errors import BrokenMedia, ConfigurationError, Conflict, NotFound
from mediamill.core.machine import Scratch
from mediamill.core.settings import Settings
from mediamill.core.urls import overlap, shown
from mediamill.store.copying import Copy, copying, kind_of, records
from mediamill.store.naming import NAMING, named
from mediamill.store.port import Store

BLOCK = 1 << 20
"""Bytes of a database that are kept together: those that no write touched are there already."""
SMALL = 4 << 20
"""Bytes up to which an object is read whole, and written with others."""
BATCH, BATCH_BYTES = 64, 16 << 20
AT_ONCE = 3
"""Batches, or large objects, under way at a time: while one waits for a disk another is read."""
LOOKS, PAUSE = 5, 1.0
"""How often, and with how many seconds between, it is seen whether what is missing was deleted."""
SHOWN = 100
"""How many keys of each trouble a snapshot keeps."""


@dataclass
class Taking:
    """What is backed up: an installation that may be at work."""

    settings: Settings
    store: Store
    places: Sequence[Blobs]
    """Where its bytes are; no two the same."""
    clock: Clock = field(default_factory=SystemClock)

    async def take(self, vault: Vault, place: str, *, again: bool = False) -> Snapshot:
        """Make a snapshot, and note in the home that there is one.

        With `again` all objects are read anew, whatever the snapshot before says. Raises `Locked`
        while another is made there, `BrokenMedia` when what was written does not read back,
        `StorageFull`, `Unavailable`; then there is no new snapshot, and what was written is found
        there by the next one.
        """
        kind = kind_of(self.settings.store_url)
        self._require_apart(place)
        async with vault.alone():
            with closing(Index()) as index:
                run = _Run(self, vault, index, new_snapshot_id(self.clock.now()))
                return await run.whole(kind, place, again=again)

    def _require_apart(self, place: str) -> None:
        for source in (self.settings.blobs_url, self.settings.results_url):
            if overlap(url_of(place), source):
                raise ConfigurationError(
                    f"{shown(url_of(place))} and {shown(source)}, which is backed up, are the same "
                    "place, or one is in the other. Name a place of its own."
                )


@dataclass
class _Run:
    """One snapshot in the making."""

    taking: Taking
    vault: Vault
    index: Index
    id: str

    def __post_init__(self) -> None:
        self.fresh, self.objects, self.size = 0, 0, 0
        self.missing, self.damaged = list[str](), list[str]()

    async def whole(self, kind: str, place: str, *, again: bool) -> Snapshot:
        """Do everything, in order."""
        settings, clock = self.taking.settings, self.taking.clock
        begun = clock.now()
        await self._look_there(again=again)
        home = settings.home
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = await asyncio.to_thread(Scratch.make, home / "scratch")
        try:
            async with copying(kind).copied(settings.store_url, scratch.path) as copy:
                await self._names(copy)
                database = await self._database(kind, copy)
        finally:
            await asyncio.to_thread(scratch.remove)
        for blobs in self.taking.places:
            await self._objects(blobs)
        self.missing = await self._missing()
        lists = await self._lists()
        keys, passphrase = home_keys(home), settings.backup_passphrase.get_secret_value()
        snapshot = Snapshot(
            id=self.id, begun=begun, program=__version__, database=database, lists=lists,
            objects=self.objects, size=self.size + database.size, ended=clock.now(),
            fresh=self.fresh, missing=self.missing[:SHOWN], damaged=self.damaged[:SHOWN],
            keys=sealed(keys, passphrase, self.id) if passphrase and keys else "",
        )  # fmt: skip
        await self.vault.add(snapshot)
        self._note(snapshot, place)
        return snapshot

    def _note(self, snapshot: Snapshot, place: str) -> None:
        last = LastBackup(
            snapshot=snapshot.id, begun=snapshot.begun, ended=snapshot.ended, size=snapshot.size,
            fresh=snapshot.fresh, place=shown(url_of(place)),
        )  # fmt: skip
        note_backup(self.taking.settings.home, last)
        note(
            "backup_made", snapshot.id, place=last.place, size=snapshot.size, fresh=snapshot.fresh,
            objects=snapshot.objects, missing=len(self.missing), damaged=len(self.damaged),
            ms=snapshot.ended - snapshot.begun,
        )  # fmt: skip

    # -- what is there --------------------------------------------------------------------------

    async def _look_there(self, *, again: bool) -> None:
        """Note what the place has, and what the newest snapshot that can be read says."""
        page = list[tuple[str, int]]()
        async for one in self.vault.sizes():
            page.append(one)
            if len(page) == 1000:
                self.index.there(page)
                page.clear()
        self.index.there(page)
        for name in [] if again else reversed(await self.vault.names()):
            with suppress(BrokenMedia, Conflict, NotFound):  # then the one before
                for sha256 in (await self.vault.snapshot(name)).lists:
                    self.index.before(read_list(await self.vault.content(sha256)))
                return

    # -- rows -----------------------------------------------------------------------------------

    async def _names(self, copy: Copy) -> None:
        for kind in NAMING:
            async for page in records(copy.rows, kind):
                self.index.name(page)

    async def _database(self, kind: str, copy: Copy) -> Database:
        """Keep the copy in blocks."""
        blocks, digest, size = list[str](), hashlib.sha256(), 0
        with copy.path.open("rb") as file:
            while some := await asyncio.to_thread(_blocks, file.read):
                for block in some:
                    digest.update(block)
                    size += len(block)
                blocks += await self._keep(some)
        return Database(
            kind=kind, version=copy.version, compatible=copy.compatible, size=size,
            sha256=digest.hexdigest(), blocks=blocks,
        )  # fmt: skip

    # -- objects --------------------------------------------------------------------------------

    async def _objects(self, blobs: Blobs) -> None:
        """Take in all objects of a place; only those are read that are not known."""
        known, small, size = list[Entry](), list[BlobInfo](), 0
        async with beside(AT_ONCE) as begin:
            async for info in blobs.list(""):
                if not is_kept(info.key):
                    continue
                if (sha256 := self.index.known(info.key, info.size, info.modified)) is not None:
                    known.append(Entry(info.key, info.size, info.modified, sha256))
                elif info.size > SMALL:
                    await begin(self._large(blobs, info))
                else:
                    small.append(info)
                    size += info.size
                if len(known) == 1000:
                    self._has(known)
                    known = []
                if len(small) == BATCH or size > BATCH_BYTES:
                    await begin(self._small(blobs, small))
                    small, size = [], 0
            self._has(known)
            await begin(self._small(blobs, small))

    def _has(self, entries: Sequence[Entry]) -> None:
        self.index.has(entries)
        self.objects += len(entries)
        self.size += sum(entry.size for entry in entries)

    async def _small(self, blobs: Blobs, infos: Sequence[BlobInfo]) -> None:
        """Copy objects that are read whole; what is gone meanwhile is left out."""
        found = await asyncio.gather(*(self._read(blobs, info.key) for info in infos))
        there = [(info, data) for info, data in zip(infos, found, strict=True) if data is not None]
        digests = await self._keep([data for _, data in there])
        self._has(
            [
                self._judged(info, len(data), sha256)
                for (info, data), sha256 in zip(there, digests, strict=True)
            ]
        )

    async def _read(self, blobs: Blobs, key: str) -> bytes | None:
        """Read an object; None for what is gone meanwhile, or is broken by its own store's word."""
        try:
            return await blobs.get(key)
        except BrokenMedia:
            self.damaged.append(key)
        except NotFound:
            pass
        return None

    async def _large(self, blobs: Blobs, info: BlobInfo) -> None:
        """Copy an object by streams: once to know what it is, where no row tells, once to keep."""
        wanted = self.index.recorded(info.key)
        try:
            for _ in range(3):  # it may be another one a moment later
                wanted = wanted or await _sha256_of(blobs, info.key)
                if self.index.size_there(wanted) == info.size:
                    break
                found = await self.vault.keep_large(wanted, blobs.read(info.key))
                if found == wanted:
                    await self._read_back([wanted])
                    self.index.there([(wanted, info.size)])
                    self.fresh += info.size
                    break
                wanted = found
            else:
                raise BrokenMedia("it is another one each time it is read")
        except NotFound:
            return
        except BrokenMedia:
            self.damaged.append(info.key)
            return
        self._has([self._judged(info, info.size, wanted)])

    def _judged(self, info: BlobInfo, size: int, sha256: str) -> Entry:
        """Return what is noted of an object; whether it is what its row says is noted too."""
        said = self.index.recorded(info.key)
        if said and said != sha256:
            self.damaged.append(info.key)
        return Entry(info.key, size, info.modified, sha256)

    async def _keep(self, contents: Sequence[bytes]) -> list[str]:
        """Keep small content that is not there yet, and read it back."""
        digests = await asyncio.to_thread(_digests, contents)
        lacking = {
            sha256: data
            for sha256, data in zip(digests, contents, strict=True)
            if self.index.size_there(sha256) != len(data)
        }
        if lacking:
            await self.vault.keep(lacking)
            await self._read_back(list(lacking))
            self.index.there([(sha256, len(data)) for sha256, data in lacking.items()])
            self.fresh += sum(map(len, lacking.values()))
        return digests

    async def _read_back(self, digests: Sequence[str]) -> None:
        if broken := await self.vault.broken(digests):
            raise BrokenMedia(f"{len(broken)} objects do not read back as they were written.")

    async def _lists(self) -> list[str]:
        """Keep the lists of all objects, some together."""
        lists, some = list[str](), list[bytes]()
        for data in written(self.index.entries()):
            some.append(data)
            if len(some) == BATCH:
                lists += await self._keep(some)
                some = []
        return lists + await self._keep(some)

    async def _still_named(self, name: Name) -> bool:
        key, kind, id_ = name
        record = await self.taking.store.get(kind, *id_)
        return record is not None and key in dict(named(record))

    async def _missing(self) -> list[str]:
        """List what rows name and is not there, but for what was deleted meanwhile."""
        lacking = await asyncio.to_thread(lambda: list(self.index.unmet()))
        for left in reversed(range(LOOKS)):
            lacking = [name for name in lacking if await self._still_named(name)]
            if not lacking or not left:
                break
            await asyncio.sleep(PAUSE)  # bytes go before rows
        return [key for key, _, _ in lacking]


def is_kept(key: str) -> bool:
    """Tell whether an object belongs to a backup: marks of moves and restores do not."""
    return not key.startswith("move/")


async def _sha256_of(blobs: Blobs, key: str) -> str:
    digest = hashlib.sha256()
    async for chunk in blobs.read(key):
        digest.update(chunk)
    return digest.hexdigest()


def _blocks(read: Callable[[int], bytes]) -> list[bytes]:
    """Read the next blocks, some together."""
    return [block for _ in range(16) if (block := read(BLOCK))]


def _digests(contents: Sequence[bytes]) -> list[str]:
    return [hashlib.sha256(data).hexdigest() for data in contents]
