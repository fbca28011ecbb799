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
from mediamill.backup.examining import examine
from mediamill.backup.pruning import prune
from mediamill.backup.taking import Taking
from mediamill.backup.vault import Vault
from mediamill.blobs.port import Blobs
from mediamill.core.backups import every_ms
from mediamill.core.clock import HOUR, MINUTE, SystemClock
from mediamill.core.errors import BrokenMedia, ConditionFailed, Conflict, Locked, MediamillError
from mediamill.core.settings import Settings
from mediamill.engine.lease import Lease
from mediamill.engine.retry import RetryPolicy
from mediamill.store.port import Store
from mediamill.store.repositories.units import Unit, Units

log = structlog.get_logger(__name__)

KIND = "back_up"
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
        begun = clock.now()
        async with Vault.open(place) as vault:
            snapshot = await Taking(settings, self.store, self.places, clock).take(vault, place)
            if any(snapshot.counts.values()):
                log.error("the backup lacks files", action="backup_incomplete",
                          snapshot=snapshot.id, counts=snapshot.counts,
                          missing=snapshot.missing[:SHOWN], damaged=snapshot.damaged[:SHOWN],
                          cold=snapshot.cold[:SHOWN])  # fmt: skip
            await self._prune(vault, clock.now())
            await self._examine(vault, begun)
        left = every_ms(settings.backup_every) - (clock.now() - begun)
        await lease.write(attempts=0)  # those of months would add up
        await lease.release(max(MINUTE, left))

    async def _prune(self, vault: Vault, now: int) -> None:
        """Drop old backups; that this cannot be done makes none of the new one."""
        try:
            dropped, size = await prune(vault, now, self.settings.backup_keep_days)
        except (BrokenMedia, Conflict, Locked) as error:
            log.error("old backups stay", action="backups_stay", error=error.message)
            return
        if dropped:
            log.info("backups dropped", action="backups_dropped", snapshots=dropped, size=size)

    async def _examine(self, vault: Vault, begun: int) -> None:
        """Read a part of the place back; that this cannot be done makes none of the backup."""
        try:
            broken = await examine(vault, begun, every_ms(self.settings.backup_every))
        except MediamillError as error:
            log.error("backups were not read back", action="backups_unread", error=error.message)
            return
        if broken:
            log.error(
                "what backups need was broken: the next one writes it anew, if it still can",
                action="backups_broken",
                objects=len(broken),
                some=broken[:SHOWN],
            )

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again next time: what wants a backup is more every hour."""
        log.error("no backup", action="backup_failed", error=str(error))
        await lease.release(every_ms(self.settings.backup_every), str(error))
