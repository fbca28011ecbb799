"""`back_up`: make a backup now and then, one for all workers together, and drop old ones.

Afterwards a part of the place is read back, so that what a disk loses there is found within a week.
Its runner only waits for disks and the network, so it is one of `transfer`. Whoever is told to stop
under it gives it back: the next one begins anew, and finds what was written.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import structlog

from mediamill.adapters.secrets.opening import SettingSources
from mediamill.backup.examining import Looked, examine
from mediamill.backup.pruning import prune
from mediamill.backup.taking import Taking
from mediamill.backup.vault import Vault
from mediamill.blobs.port import Blobs
from mediamill.core.backups import UNIT, every_ms
from mediamill.core.clock import HOUR, MINUTE, SystemClock
from mediamill.core.errors import BrokenMedia, ConditionFailed, Conflict, Locked, Unavailable
from mediamill.core.settings import Settings
from mediamill.engine.lease import Lease
from mediamill.engine.retry import RetryPolicy
from mediamill.store.port import Store
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

KIND = UNIT
SHOWN = 10
"""How many keys of each trouble are in the log; the snapshot has more."""


async def begin(units: Units, owner: str) -> None:
    """Have a first backup made soon, unless they are made already."""
    if await units.get(KIND, 0) is None:
        now = await units.store.now()
        unit = Unit.chore(KIND, KIND, 0, owner, cost=1.0, now=now, due=now)
        with suppress(ConditionFailed):  # another worker was first
            await units.insert([unit.evolve(klass="transfer").opened(now + MINUTE)])


@dataclass
class BackUp:
    """Comes every `MEDIAMILL_BACKUP_EVERY`, as long as `MEDIAMILL_BACKUP_URL` says where to."""

    recurs: ClassVar = True
    policy: ClassVar = RetryPolicy(
        base_ms=MINUTE, cap_ms=10 * MINUTE, attempts=3, full_ms=10 * MINUTE
    )
    """A try costs a copy of the database: where there is no room it waits longer than others."""

    settings: Settings
    store: Store
    places: Sequence[Blobs]
    kept: SettingSources

    async def run(self, lease: Lease) -> None:
        place = self.settings.backup_url
        if not place:  # another worker's setting, or one of former times
            await lease.release(HOUR)
            return
        address = await self.kept.of("store_url").current()
        settings = self.settings.model_copy(update={"store_url": address})
        clock = SystemClock()
        begun, every = clock.now(), every_ms(settings.backup_every)
        before = Looked.of(lease.unit.payload)
        async with Vault.open(place) as vault:
            taking = Taking(settings, self.store, self.places, clock)
            snapshot = await taking.take(vault, place, broken=before.broken)
            if any(snapshot.counts.values()):
                log.error("the backup lacks files", action="backup_incomplete",
                          snapshot=snapshot.id, counts=snapshot.counts,
                          missing=snapshot.missing[:SHOWN], damaged=snapshot.damaged[:SHOWN],
                          cold=snapshot.cold[:SHOWN])  # fmt: skip
            await self._prune(vault, clock.now())
            left = max(MINUTE, begun + every - clock.now())
            looked = await self._examine(vault, before, begun, left / 1000)
        payload = looked.noted(lease.unit.payload)
        await lease.write(attempts=0, payload=payload)  # attempts of months would add up
        await lease.release(max(MINUTE, begun + every - clock.now()))

    async def _prune(self, vault: Vault, now: int) -> None:
        """Drop old backups; that this cannot be done makes none of the new one."""
        try:
            dropped, size = await prune(vault, now, self.settings.backup_keep_days)
        except (BrokenMedia, Conflict, Locked) as error:
            log.error("old backups stay", action="backups_stay", error=error.message)
            return
        if dropped:
            log.info("backups dropped", action="backups_dropped", snapshots=dropped, size=size)

    async def _examine(self, vault: Vault, before: Looked, begun: int, seconds: float) -> Looked:
        """Read a part of the place back; that this cannot be done makes none of the backup."""
        every = every_ms(self.settings.backup_every)
        try:
            looked = await examine(vault, before, begun, every, seconds)
        except Unavailable as error:
            log.error("backups were not read back", action="backups_not_read", error=error.message)
            return before
        if looked.broken:
            log.error("what backups need is broken: the next one writes it anew, if it still can",
                      action="backups_broken", objects=len(looked.broken),
                      some=looked.broken[:SHOWN])  # fmt: skip
        if looked.unread:
            log.error("what backups need cannot be read", action="backups_unread",
                      objects=len(looked.unread), some=looked.unread[:SHOWN])  # fmt: skip
        return looked

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again next time: what wants a backup is more every hour."""
        log.error("no backup", action="backup_failed", error=str(error))
        await lease.release(every_ms(self.settings.backup_every), str(error))
