"""The unit that makes backups: when it comes again, and what it says when it cannot."""

from dataclasses import dataclass, field

from structlog.testing import capture_logs

from mediamill.adapters.secrets.opening import SettingSources
from mediamill.backup.vault import Vault
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.clock import HOUR, MINUTE
from mediamill.core.errors import StorageFull, Unavailable
from mediamill.core.settings import Settings
from mediamill.handlers import back_up
from mediamill.handlers.back_up import KIND, BackUp
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.units import Units


@dataclass
class Released:
    """A lease that notes how it is given back."""

    said: list[tuple[int, str]] = field(default_factory=list)

    async def write(self, **changes: int) -> None:
        self.changed = changes

    async def release(self, after: int, error: str = "") -> None:
        self.said.append((after, error))


def handler(tmp_path, **settings) -> BackUp:
    given = Settings(home=tmp_path, **settings)
    return BackUp(given, MemoryStore(), [MemoryBlobs()], SettingSources(given))


async def test_it_begins_once():
    units = Units(MemoryStore())
    await back_up.begin(units, "system")
    first = await units.get(KIND, 0)
    await back_up.begin(units, "system")
    assert await units.get(KIND, 0) == first
    assert (first.klass, first.queue) == ("transfer", "transfer|system")
    assert first.due - first.created == MINUTE


async def test_without_a_place_it_looks_again_in_an_hour(tmp_path):
    lease = Released()
    await handler(tmp_path).run(lease)
    assert lease.said == [(HOUR, "")]


async def test_old_ones_that_stay_do_not_unmake_the_new_one(tmp_path):
    async with Vault.open(str(tmp_path)) as vault:
        await vault.blobs.put("snapshots/20261122T000000.000Z-0000", b"no JSON")
        with capture_logs() as said:
            await handler(tmp_path)._prune(vault, 0)
            async with Vault.open(str(tmp_path)) as other, other.alone():
                await handler(tmp_path)._prune(vault, 0)
    assert [line["action"] for line in said] == ["backups_stay"] * 2


def test_where_there_is_no_room_it_waits_longer():
    """Each try costs a copy of the database."""
    for error, least in ((StorageFull("full"), 5 * MINUTE), (Unavailable("away"), MINUTE // 2)):
        assert BackUp.policy.decide(error, 0).delay_ms >= least
    assert BackUp.policy.decide(Unavailable("away"), 2) is None


async def test_given_up_it_comes_next_time(tmp_path):
    lease = Released()
    await handler(tmp_path, backup_every="2h").give_up(lease, OSError("the disk is away"))
    assert lease.said == [(2 * HOUR, "the disk is away")]
