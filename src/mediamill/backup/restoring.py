"""Restore a snapshot into an empty home: objects first, then keys, the rows last.

While it goes on `restoring.json` in the home and a mark in each place for bytes say so, and no
service starts there. A restore that was interrupted goes on with what is there; of whatever is
written to these places no half is ever seen.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mediamill.backup import keys
from mediamill.backup.beside import beside
from mediamill.backup.manifest import Entry, Snapshot
from mediamill.backup.reading import assembled, entries_of
from mediamill.backup.vault import Vault, url_of
from mediamill.blobs.claims import CLAIM
from mediamill.blobs.keys import of_results
from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import Blobs, PutsTogether
from mediamill.core.backups import RESTORING
from mediamill.core.errors import BrokenMedia, ConfigurationError, Conflict, NotFound
from mediamill.core.settings import Settings
from mediamill.core.urls import shown
from mediamill.store.copying import copying, kind_of

FRESH = f".{RESTORING}"
SMALL, BATCH, BATCH_BYTES = 4 << 20, 64, 16 << 20
AT_ONCE = 3
"""Batches, or large objects, under way at a time: while one waits for a disk another is read."""


class Mark(msgspec.Struct, frozen=True):
    """What is restored here; migrations read the same fields of the claim that they find."""

    id: str
    begun: int
    places: dict[str, str]


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
        without a passphrase unless they are to be left out, `Unsealable` for a wrong one. Raises
        `BrokenMedia` when the place has lost the rows.
        """
        own = self._keys(passphrase, without_keys=without_keys)
        self._goes_on = self._is_mine(interrupted(self.settings.home))
        without_rows = await self._require_fit()
        async with AsyncExitStack() as stack:
            blobs = await self._open(stack, self.settings.blobs_url, "MEDIAMILL_BLOBS_URL")
            results = blobs
            if self.settings.results_url != self.settings.blobs_url:
                url = self.settings.results_url
                results = await self._open(stack, url, "MEDIAMILL_RESULTS_URL")
            places = list(dict.fromkeys((blobs, results)))
            await self._mark(places)
            rows = self.settings.home / ".restoring.db"
            rows.unlink(missing_ok=True)
            await assembled(self.vault, self.snapshot, rows)  # first, as nothing is without it
            done = await self._objects(blobs, results)
            if not done.broken:
                keys.put_back(self.settings.home, own)
                done.with_keys = bool(own)
                if without_rows:
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

    def _is_mine(self, found: Mark | None) -> bool:
        """Tell whether this restore was begun before; raises `Conflict` for another one's mark."""
        home = self.settings.home
        if found is None:
            there = {path.name for path in home.iterdir()} if home.exists() else set()
            if there - {FRESH}:
                raise Conflict(f"{home} is not empty: name a new home.")
        elif (found.id, found.places) != (self.snapshot.id, self._places()):
            raise Conflict(
                f"A restore of the snapshot {found.id} into {home} was interrupted, with other "
                "places: end that one, or name a new home."
            )
        return found is not None

    def _places(self) -> dict[str, str]:
        here = self.settings
        named = {"backup": url_of(self.place), "store": here.store_url}
        named |= {"blobs": here.blobs_url, "results": here.results_url}
        return {name: shown(url) for name, url in named.items()}

    async def _require_fit(self) -> bool:
        """Raise for a target that the snapshot does not fit into; tell whether it has no rows.

        What an interrupted restore found empty has this one's rows, or none: they come whole.
        """
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
        try:
            await copying(database.kind).require_empty(settings.store_url)
        except Conflict:
            if not self._goes_on:
                raise
            return False
        return True

    async def _open(self, stack: AsyncExitStack, url: str, setting: str) -> Blobs:
        room = self.settings.min_free_bytes
        blobs = await open_blobs(url, setting=setting, min_free_bytes=room)
        stack.push_async_callback(blobs.close)
        if not self._goes_on:
            async for info in blobs.list(""):
                raise Conflict(f"{setting} is not empty, it has “{info.key}”: name another place.")
        return blobs

    async def _mark(self, places: Sequence[Blobs]) -> None:
        home = self.settings.home
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        data = msgspec.json.encode(Mark(self.snapshot.id, self.snapshot.begun, self._places()))
        (home / FRESH).write_bytes(data)
        (home / FRESH).replace(home / RESTORING)
        for blobs in places:
            await blobs.put(CLAIM, data)

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
