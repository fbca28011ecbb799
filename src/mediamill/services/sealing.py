"""Keys that seal secrets: how much is under each, and all of it under the one that seals now."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mediamill.core.errors import Conflict, Unsealable
from mediamill.core.records import Record
from mediamill.core.sealing import Sealer
from mediamill.store.port import unsettled
from mediamill.store.repositories.sealing import Sealings

NOTED = "sealing_keys"
"""What is sealed for no other reason than that the key is noted."""


@dataclass(frozen=True)
class KeyUse:
    """A key, and how many records have something under it."""

    id: str
    records: int
    seals: bool
    """Whether it is the one that seals now."""


@dataclass
class Resealed:
    """What came of sealing everything anew."""

    done: int = 0
    passed: int = 0
    """Records that somebody else changed or removed meanwhile."""
    broken: list[str] = field(default_factory=list)
    """Records that do not open, by table and key."""


@dataclass
class Sealing:
    """What an operator does with keys."""

    sealings: Sealings
    sealer: Sealer

    async def status(self, *, ever: bool = False) -> Sequence[KeyUse]:
        """List the keys that are in use, or that `ever` were, the one that seals first."""
        now = await self.sealer.key()
        known = {key.id for key in await self.sealings.keys()} | {now}
        uses = [KeyUse(key, await self._count(key), key == now) for key in known]
        uses = [use for use in uses if ever or use.seals or use.records]
        return sorted(uses, key=lambda use: (not use.seals, use.id))

    async def reseal(self) -> Resealed:
        """Put all that is under other keys under the one that seals now.

        It can be broken off at any time, and done again. What a server sealed meanwhile under the
        former key is found the next time.
        """
        outcome, now = Resealed(), await self.sealer.key()
        await self.sealer.seal("", NOTED)
        for key in await self.sealings.keys():
            if key.id == now:
                continue
            async for record in self.sealings.under(key.id):
                await self._one(record, outcome)
        return outcome

    async def require_unused(self, key: str, since: int) -> None:
        """Raise `Conflict` when a key seals, or something is under it, or may be.

        `since` is when it ceased to seal (ms).
        """
        if key == await self.sealer.key():
            raise Conflict(f"{key} seals now: `mediamill secrets rotate` takes another one.")
        if count := await self._count(key):
            message = f"{count} records are under {key}: `mediamill secrets reseal` first."
            raise Conflict(message)
        if await unsettled(self.sealings.store, since):
            raise Conflict("The database may not show all that is under it yet; try again soon.")

    async def taken(self) -> int | None:
        """Return when a key was last taken into use (ms); None for one that is not noted yet."""
        begun = {key.id: key.begun for key in await self.sealings.keys()}
        return max(begun.values()) if await self.sealer.key() in begun else None

    async def _one(self, record: Record, outcome: Resealed) -> None:
        try:
            done = await self.sealings.reseal(record, self.sealer)
        except Unsealable:
            where = "/".join((type(record).table, *map(str, record.key_values())))
            outcome.broken.append(where)
            return
        outcome.done += done
        outcome.passed += not done

    async def _count(self, key: str) -> int:
        count = 0
        async for _ in self.sealings.under(key):
            count += 1
        return count
