"""Restore a snapshot into an empty home: objects first, then keys, the rows last.

While it goes on `restoring.json` in the home and a mark in each place for bytes say so, and no
service starts there. A restore that was interrupted goes on with what is there; of whatever is
written to these places no half is ever seen.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mediamill.backup import keys
from mediamill.backup.beside import beside
from mediamill.backup.manifest import Entry, Snapshot
from mediamill.backup.reading import assembled, entries_of, without_rows
from mediamill.backup.vault import Vault, url_of
from mediamill.blobs.claims import CLAIM
from mediamill.blobs.keys import of_results
from mediamill.blobs.local.files import fsync_folder
from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import Blobs, PutsTogether
from mediamill.core.backups import RESTORING
from mediamill.core.errors import BrokenMedia, ConfigurationError, Conflict, NotFound
from mediamill.core.settings import Settings
from mediamill.core.urls import shown
from mediamill.store.copying import copying, kind_of

FRESH, ROWS = f".{RESTORING}", ".restoring.db"
SMALL, BATCH, BATCH_BYTES = 4 << 20, 64, 16 << 20
AT_ONCE = 3
"""Batches, or large objects, under way at a time: while one waits for a disk another is read."""


class Mark(msgspec.Struct, frozen=True):
    """What is restored here; migrations read the same fields of the claim that they find."""

    id: str
    begun: int
    places: dict[str, str]
    rows: bool = False
    """The rows are being put in, or are in: no other snapshot can come here."""


@dataclass
class Restored:
    """What a restore came to."""

    snapshot: Snapshot
    objects: int = 0
    size: int = 0
    there: int = 0
    """Objects that an interrupted restore had brought."""
    with_keys: bool = False
    broken: list[str] = field(default_factory=list)
    """Objects whose content is missing at the place of the backup, or is not what was written."""


@dataclass
class Restoring:
    """A snapshot and where it goes: the places that the settings of the new home name."""

    vault: Vault
    snapshot: Snapshot
    settings: Settings
    place: str
    known: int
    """The newest version of the schema that this program knows."""
    tell: Callable[[Restored], None] = lambda done: None
    """Called now and then."""

    async def run(self, *, passphrase: str, without_keys: bool = False) -> Restored:
        """Restore everything.

        Before anything is written it raises `Conflict` where the target is not empty,
        `ConfigurationError` for another kind of store or a newer schema, and for sealed keys
        without a passphrase unless they are to be left out, `Unsealable` for a wrong one, and
        `BrokenMedia` when the place has lost the rows or a list. So another snapshot can be taken
        then; it can also take the place of one that was interrupted before its rows were put in.
        """
        home = self.settings.home
        own = self._keys(passphrase, without_keys=without_keys)
        before = interrupted(home)
        self._require_mine(before)
        self._goes_on = before is not None
        self._require_known()
        has_rows = await self._has_rows(before)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        async with AsyncExitStack() as stack:
            blobs = await self._open(stack, self.settings.blobs_url, "MEDIAMILL_BLOBS_URL")
            results = blobs
            if self.settings.results_url != self.settings.blobs_url:
                url = self.settings.results_url
                results = await self._open(stack, url, "MEDIAMILL_RESULTS_URL")
            places = list(dict.fromkeys((blobs, results)))
            rows = await self._rows()  # first, as nothing is without it
            if before is not None and before.id != self.snapshot.id:
                await self._emptied(places)
            data = self._mark(rows=has_rows)
            for one in places:
                await one.put(CLAIM, data)
            done = await self._objects(blobs, results)
            if not done.broken:
                keys.put_back(home, own)
                done.with_keys = bool(own)
                if not has_rows:
                    self._mark(rows=True)
                    kind = self.snapshot.database.kind
                    await copying(kind).restored(self.settings.store_url, rows)
                rows.unlink(missing_ok=True)
                await self._unmark(places)
            return done

    def _keys(self, passphrase: str, *, without_keys: bool) -> dict[str, bytes]:
        sealed = self.snapshot.keys
        if not sealed or without_keys:
            return {}
        if not passphrase:
            raise ConfigurationError(
                "The keys of the snapshot are sealed: set MEDIAMILL_BACKUP_PASSPHRASE, or leave "
                "them out with --without-keys and put your own into the home.",
                setting="MEDIAMILL_BACKUP_PASSPHRASE",
            )
        return keys.opened(sealed, passphrase, self.snapshot.id)

    def _require_mine(self, found: Mark | None) -> None:
        """Raise `Conflict` for a home that has anything, but for a restore of these places."""
        home = self.settings.home
        if found is None:
            files = (path for path in home.rglob("*") if path.is_file())
            if any(path.name not in {FRESH, ROWS} for path in files):
                raise Conflict(f"{home} is not empty: name a new home.")
        elif found.places != self._places() or (found.rows and found.id != self.snapshot.id):
            raise Conflict(
                f"A restore of the snapshot {found.id} into {home} was interrupted, with other "
                "places, or as its rows were put in: end that one, or name a new home."
            )

    def _places(self) -> dict[str, str]:
        here = self.settings
        named = {"backup": url_of(self.place), "store": here.store_url}
        named |= {"blobs": here.blobs_url, "results": here.results_url}
        return {name: shown(url) for name, url in named.items()}

    def _require_known(self) -> None:
        """Raise for a snapshot that this program, or the store, does not understand."""
        database, settings = self.snapshot.database, self.settings
        if kind_of(settings.store_url) != database.kind:
            raise ConfigurationError(
                f"MEDIAMILL_STORE_URL: the snapshot has rows of {database.kind}. Restore it into "
                "such a store; `mediamill migrate` moves it elsewhere afterwards.",
                setting="MEDIAMILL_STORE_URL",
            )
        if database.compatible > self.known:
            raise ConfigurationError(
                f"The snapshot was made by mediamill {self.snapshot.program}, which this one does "
                "not understand: restore it with that version or a later one."
            )

    async def _has_rows(self, before: Mark | None) -> bool:
        """Tell whether the rows are in; raises `Conflict` for others.

        They are where this restore had begun to put them in and the database is the snapshot's:
        they come whole. Whatever opens an empty one makes another one of it.
        """
        database = self.snapshot.database
        born = await copying(database.kind).born(self.settings.store_url)
        if born is None:
            return False
        if before is not None and before.rows and born == database.born:
            return True
        raise Conflict(
            "MEDIAMILL_STORE_URL: the database is not empty, and what it has did not come by this "
            "restore: name a new home, or an empty database."
        )

    async def _rows(self) -> Path:
        """Write the copy of the rows into the home; raises `BrokenMedia`, and leaves nothing."""
        rows = self.settings.home / ROWS
        rows.unlink(missing_ok=True)
        try:
            await assembled(self.vault, self.snapshot, rows)
            if await self.vault.broken(self.snapshot.lists):
                raise without_rows(self.snapshot)
        except BrokenMedia:
            rows.unlink(missing_ok=True)
            raise
        return rows

    async def _emptied(self, places: Sequence[Blobs]) -> None:
        """Remove what a restore of another snapshot had brought; raises `Conflict` for others'."""
        for blobs in places:
            keys = [info.key async for info in blobs.list("") if info.key != CLAIM]
            if not keys:
                continue
            with suppress(NotFound, msgspec.DecodeError):
                claim = msgspec.json.decode(await blobs.get(CLAIM), type=Mark)
                if claim.places == self._places():
                    for key in keys:
                        await blobs.delete(key)
                    continue
            raise Conflict("A place for bytes has what no restore brought: name another place.")

    async def _open(self, stack: AsyncExitStack, url: str, setting: str) -> Blobs:
        room = self.settings.min_free_bytes
        blobs = await open_blobs(url, setting=setting, min_free_bytes=room)
        stack.push_async_callback(blobs.close)
        if not self._goes_on:
            async for info in blobs.list(""):
                raise Conflict(f"{setting} is not empty, it has “{info.key}”: name another place.")
        return blobs

    def _mark(self, *, rows: bool) -> bytes:
        """Write down in the home what is restored, durable; return what was written."""
        mark = Mark(self.snapshot.id, self.snapshot.begun, self._places(), rows)
        data, home = msgspec.json.encode(mark), self.settings.home
        with (home / FRESH).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        (home / FRESH).replace(home / RESTORING)
        fsync_folder(home)
        return data

    async def _unmark(self, places: Sequence[Blobs]) -> None:
        for blobs in places:
            await blobs.delete(CLAIM)
        (self.settings.home / RESTORING).unlink()

    # -- objects --------------------------------------------------------------------------------

    async def _objects(self, blobs: Blobs, results: Blobs) -> Restored:
        done = Restored(self.snapshot)
        there = {(i.key, i.size) for one in {blobs, results} async for i in one.list("")}
        async with beside(AT_ONCE) as begin:
            async for entries in entries_of(self.vault, self.snapshot):
                lacking = [one for one in entries if (one.key, one.size) not in there]
                done.there += len(entries) - len(lacking)
                for target, mine in ((blobs, False), (results, True)):
                    some = [one for one in lacking if of_results(one.key) is mine]
                    for batch in _batches([one for one in some if one.size <= SMALL]):
                        await begin(self._small(target, batch, done))
                    for one in some:
                        if one.size > SMALL:
                            await begin(self._large(target, one, done))
                self.tell(done)
        return done

    async def _small(self, target: Blobs, batch: Sequence[Entry], done: Restored) -> None:
        found = await asyncio.gather(*(self._content(one, done) for one in batch))
        pairs = [
            (one.key, data) for one, data in zip(batch, found, strict=True) if data is not None
        ]
        if isinstance(target, PutsTogether):
            await target.put_all(pairs)
        else:
            await asyncio.gather(*(target.put(key, data) for key, data in pairs))
        done.objects += len(pairs)
        done.size += sum(len(data) for _, data in pairs)

    async def _content(self, entry: Entry, done: Restored) -> bytes | None:
        try:
            return await self.vault.content(entry.sha256)
        except (NotFound, BrokenMedia):
            done.broken.append(entry.key)
            return None

    async def _large(self, target: Blobs, entry: Entry, done: Restored) -> None:
        try:
            async with target.upload(entry.key) as upload:
                async for chunk in self.vault.stream(entry.sha256):
                    await upload.write(chunk)
                await upload.commit()
        except (NotFound, BrokenMedia):
            done.broken.append(entry.key)
            return
        done.objects += 1
        done.size += entry.size


def _batches(entries: Sequence[Entry]) -> list[list[Entry]]:
    batches, size = list[list[Entry]](), BATCH_BYTES + 1
    for entry in entries:
        size += entry.size
        if size > BATCH_BYTES or len(batches[-1]) == BATCH:
            batches.append([])
            size = entry.size
        batches[-1].append(entry)
    return batches


def interrupted(home: Path) -> Mark | None:
    """Return what is being restored into a home, or was when that was interrupted."""
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((home / RESTORING).read_bytes(), type=Mark)
    return None
