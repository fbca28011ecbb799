"""Which keys sealed what the store keeps: so that it is found, and sealed under another one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.core.sealing import Sealer, key_of
from mediamill.core.sealing import about as about_record
from mediamill.store.port import MAX_PAGE, Absent, Equals, Put, Store, Update, key_index

ALL = "all"


class SealingKey(Record, frozen=True, kw_only=True):
    """A key that has sealed something, noted before that was written, and for good.

    A server that still has it may seal under it, whoever has retired it.
    """

    table = "sealing_keys"
    key = Key("listed", "id")

    listed: str = ALL
    id: str
    begun: int
    """When it sealed first (ms)."""


def sealed_index(kind: type[Record]) -> Index:
    """Return the index by which what is under a key is listed; raises `ValueError` without one."""
    for index in kind.indexes:
        if index.partition == ("sealed_by",):
            return index
    raise ValueError(f"{kind.table} has sealed fields and no index by their key")


class NotingSealer:
    """Seals as another one does, and notes each key before what it sealed is known."""

    def __init__(self, sealer: Sealer, store: Store) -> None:
        self._sealer, self._store = sealer, store
        self._noted: set[str] = set()
        self.open, self.key, self.close = sealer.open, sealer.key, sealer.close

    async def seal(self, text: str, about: str) -> str:
        sealed = await self._sealer.seal(text, about)
        if (key := key_of(sealed)) not in self._noted:
            noted = SealingKey(id=key, begun=await self._store.now())
            with suppress(ConditionFailed):  # another process was first
                await self._store.transact(Put(noted, when=(Absent(),)))
            self._noted.add(key)
        return sealed


class Sealings:
    """Reads of what is under a key, and its way under another one."""

    def __init__(self, store: Store, kinds: Sequence[type[Record]]) -> None:
        self.store, self._kinds = store, [kind for kind in kinds if kind.sealed]

    async def keys(self) -> Sequence[SealingKey]:
        """List the keys that sealed something, by their ids."""
        page = await self.store.query(SealingKey, key_index(SealingKey), ALL, limit=MAX_PAGE)
        return page.rows

    async def under(self, key: str) -> AsyncIterator[Record]:
        """List the records with something under a key."""
        for kind in self._kinds:
            after: str | None = None
            while True:
                page = await self.store.query(kind, sealed_index(kind), key, after=after)
                for record in page.rows:
                    yield record
                if (after := page.after) is None:
                    break

    async def reseal(self, record: Record, sealer: Sealer) -> bool:
        """Seal a record's fields anew; False when it changed meanwhile, or is gone.

        Raises `Unsealable`, `Unavailable`.
        """
        kind, key = type(record), record.key_values()
        known = {field: getattr(record, field) for field in kind.sealed}
        fresh = {
            field: await sealer.seal(await sealer.open(sealed, place), place)
            for field, sealed in known.items()
            if sealed and (place := about_record(kind, field, *key))
        }
        by = {key_of(sealed) for sealed in fresh.values()}
        if len(by) != 1:
            return False  # the key changed between two of them
        when = tuple(Equals(field, sealed) for field, sealed in known.items())
        changes = {**fresh, "sealed_by": by.pop()}
        try:
            await self.store.transact(Update(kind, key, set=changes, when=when))
        except ConditionFailed:
            return False
        return True
