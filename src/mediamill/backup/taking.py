"""Take a backup: the objects, the rows, the objects that came meanwhile; then it is written down.

A row is written only when its bytes are durable. What is written at the place is read back.
"""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

from mediamill import __version__
from mediamill.backup.index import Index
from mediamill.backup.keeping import Keeping
from mediamill.backup.keys import home_keys, require_long, sealed
from mediamill.backup.manifest import Database, Snapshot, new_snapshot_id, read_list, written
from mediamill.backup.objects import BATCH, Objects
from mediamill.backup.vault import Vault, url_of
from mediamill.blobs.port import Blobs
from mediamill.core.acts import note
from mediamill.core.backups import LastBackup, note_backup
from mediamill.core.clock import Clock, SystemClock, rfc3339
from mediamill.core.errors import BrokenMedia, ConfigurationError, Conflict, NotFound
from mediamill.core.machine import Scratch
from mediamill.core.settings import Settings
from mediamill.core.urls import overlap, shown
from mediamill.store.copying import Copy, copying, kind_of, records
from mediamill.store.naming import NAMING
from mediamill.store.port import Store

BLOCK = 1 << 20
"""Bytes of a database that are kept together: those that no write touched are there already."""
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

    async def take(
        self,
        vault: Vault,
        place: str,
        *,
        again: bool = False,
        take_over: bool = False,
        broken: Collection[str] = (),
    ) -> Snapshot:
        """Make a snapshot, and note in the home that there is one.

        With `again` all objects are read anew, whatever the snapshot before says, and what the
        place has of them is read back; what is `broken` there, by its SHA-256, is written anew.
        Raises `Conflict` where another installation's backups are,
        unless `take_over`; `Locked` while another is made there, `BrokenMedia` when what was
        written does not read back, `StorageFull`, `Unavailable`. Then there is no new snapshot,
        and what was written is found there by the next one. Before it begins it raises
        `ConfigurationError` for a place within what is backed up, and for a short passphrase.
        """
        kind = kind_of(self.settings.store_url)
        require_long(self.settings.backup_passphrase.get_secret_value())
        self._require_apart(place)
        async with vault.alone():
            with closing(Index()) as index:
                keeping = Keeping(vault, index, again)
                objects = Objects(self.store, index, keeping)
                run = _Run(self, keeping, objects, frozenset(broken))
                return await run.whole(kind, place, take_over=take_over)

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
    keeping: Keeping
    objects: Objects
    broken: Collection[str]

    def __post_init__(self) -> None:
        self.index, self.vault = self.keeping.index, self.keeping.vault

    async def whole(self, kind: str, place: str, *, take_over: bool) -> Snapshot:
        """Do everything, in order."""
        settings, clock = self.taking.settings, self.taking.clock
        started = clock.now()
        id_ = new_snapshot_id(started)
        await self._look_there(None if take_over else await copying(kind).born(settings.store_url))
        for blobs in self.taking.places:
            await self.objects.take(blobs)
        home = settings.home
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = await asyncio.to_thread(Scratch.make, home / "scratch")
        begun, spare = clock.now(), settings.min_free_bytes
        try:
            async with copying(kind).copied(settings.store_url, scratch.path, spare) as copy:
                await self._names(copy)
                database = await self._database(kind, copy)
        finally:
            await asyncio.to_thread(scratch.remove)
        for blobs in self.taking.places:
            await self.objects.take(blobs)
        troubles = await self.objects.troubles()
        count, size = self.index.amount()
        lists = await self._lists()
        keys, passphrase = home_keys(home), settings.backup_passphrase.get_secret_value()
        snapshot = Snapshot(
            id=id_, begun=begun, started=started, program=__version__, database=database,
            lists=lists, objects=count, size=size + database.size, ended=clock.now(),
            fresh=self.keeping.fresh, missing=troubles["missing"][:SHOWN],
            damaged=troubles["damaged"][:SHOWN], cold=troubles["cold"][:SHOWN],
            passing=sorted(self.objects.passing)[:SHOWN],
            counts={name: len(some) for name, some in troubles.items()},
            keys=sealed(keys, passphrase, id_) if passphrase and keys else "",
        )  # fmt: skip
        await self.vault.add(snapshot)
        self._note(snapshot, place)
        return snapshot

    def _note(self, snapshot: Snapshot, place: str) -> None:
        last = LastBackup(
            snapshot=snapshot.id, begun=snapshot.begun, ended=snapshot.ended, size=snapshot.size,
            fresh=snapshot.fresh, place=shown(url_of(place)), counts=snapshot.counts,
        )  # fmt: skip
        note_backup(self.taking.settings.home, last)
        note(
            "backup_made", snapshot.id, place=last.place, size=snapshot.size, fresh=snapshot.fresh,
            objects=snapshot.objects, missing=snapshot.counts["missing"],
            damaged=snapshot.counts["damaged"], cold=snapshot.counts["cold"],
            passing=len(self.objects.passing), ms=snapshot.ended - snapshot.started,
        )  # fmt: skip

    # -- what is there --------------------------------------------------------------------------

    async def _look_there(self, born: int | None) -> None:
        """Note what the place has, and what the newest snapshot that can be read says."""
        page = list[tuple[str, int]]()
        async for one in self.vault.sizes():
            if one[0] not in self.broken:
                page.append(one)
            if len(page) == 1000:
                self.index.there(page)
                page.clear()
        self.index.there(page)
        for name in reversed(await self.vault.names()):
            try:
                snapshot = await self.vault.snapshot(name)
            except (BrokenMedia, Conflict, NotFound):
                continue  # the one before
            _require_ours(snapshot, born)
            if self.keeping.again:
                return
            with suppress(BrokenMedia, NotFound):
                for sha256 in snapshot.lists:
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
                blocks += await self.keeping.keep(some)
        return Database(
            kind=kind, version=copy.version, compatible=copy.compatible, size=size,
            sha256=digest.hexdigest(), blocks=blocks, born=copy.born,
        )  # fmt: skip

    async def _lists(self) -> list[str]:
        """Keep the lists of all objects, some together."""
        lists, some = list[str](), list[bytes]()
        for data in written(self.index.entries()):
            some.append(data)
            if len(some) == BATCH:
                lists += await self.keeping.keep(some)
                some = []
        return lists + await self.keeping.keep(some)


def _require_ours(snapshot: Snapshot, born: int | None) -> None:
    """Raise `Conflict` for a snapshot of a database that was made at another time."""
    if born and snapshot.database.born not in {0, born}:
        raise Conflict(
            "This place has backups of another installation, whose database was made at "
            f"{rfc3339(snapshot.database.born)}: name another place. If that was this one, before "
            "it moved into another database, say so once with --take-over."
        )


def _blocks(read: Callable[[int], bytes]) -> list[bytes]:
    """Read the next blocks, some together."""
    return [block for _ in range(16) if (block := read(BLOCK))]
