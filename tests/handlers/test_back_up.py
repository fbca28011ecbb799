"""The unit that makes backups: when it comes again, and what it says when it cannot."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from mediamill.adapters.secrets.opening import SettingSources
from mediamill.backup.examining import Looked
from mediamill.backup.vault import Vault
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.clock import HOUR, MINUTE
from mediamill.core.errors import StorageFull, Unavailable
from mediamill.core.settings import Settings
from mediamill.core.sourced import Fixed
from mediamill.handlers import back_up
from mediamill.handlers.back_up import KIND, BackUp
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.units import Unit, Units


@dataclass
class Released:
    """A lease that notes how it is given back."""

    said: list[tuple[int, str]] = field(default_factory=list)
    unit: Unit = field(
        default_factory=lambda: Unit.chore(KIND, KIND, 0, "system", cost=1.0, now=0, due=0)
    )

    async def write(self, **changes: Any) -> None:
        self.changed = changes
        self.unit = self.unit.evolve(**changes)

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


async def test_the_address_of_the_rows_is_the_one_of_now(tmp_path, monkeypatch):
    """It may have a password that changes while the worker runs."""
    work, seen = handler(tmp_path, backup_url=f"file://{tmp_path}/b"), []

    class Seen:
        def __init__(self, settings, *others) -> None:
            seen.append(settings.store_url)

        async def take(self, vault, place, *, broken):
            raise Unavailable("That is enough.")

    monkeypatch.setattr(back_up, "Taking", Seen)
    monkeypatch.setattr(work.kept, "of", lambda name: Fixed(f"{name} of now", name))
    with pytest.raises(Unavailable):
        await work.run(Released())
    assert seen == ["store_url of now"]


async def test_old_ones_that_stay_do_not_unmake_the_new_one(tmp_path):
    async with Vault.open(str(tmp_path)) as vault:
        await vault.blobs.put("snapshots/20261122T000000.000Z-0000", b"no JSON")
        with capture_logs() as said:
            await handler(tmp_path)._prune(vault, 0)
            async with Vault.open(str(tmp_path)) as other, other.alone():
                await handler(tmp_path)._prune(vault, 0)
    assert [line["action"] for line in said] == ["backups_stay"] * 2


async def test_a_place_that_cannot_be_listed_unmakes_no_backup(tmp_path, monkeypatch):
    async def away(*_):
        raise Unavailable("Input/output error.")

    monkeypatch.setattr(back_up, "examine", away)
    before = Looked(5, 7, ["broken"])
    async with Vault.open(str(tmp_path)) as vault:
        with capture_logs() as said:
            assert await handler(tmp_path)._examine(vault, before, 0, 1) == before
    assert [line["action"] for line in said] == ["backups_not_read"]


def test_where_there_is_no_room_it_waits_longer():
    """Each try costs a copy of the database."""
    for error, least in ((StorageFull("full"), 5 * MINUTE), (Unavailable("away"), MINUTE // 2)):
        assert BackUp.policy.decide(error, 0).delay_ms >= least
    assert BackUp.policy.decide(Unavailable("away"), 2) is None


async def test_given_up_it_comes_next_time(tmp_path):
    lease = Released()
    await handler(tmp_path, backup_every="2h").give_up(lease, OSError("the disk is away"))
    assert lease.said == [(2 * HOUR, "the disk is away")]
