"""Which snapshots stay, and what goes with the others."""

import asyncio
import hashlib
import os
import time

import msgspec
import pytest

from mediamill.backup import pruning
from mediamill.backup import vault as vaults
from mediamill.backup.manifest import Database, Entry, Snapshot, new_snapshot_id, read_list, written
from mediamill.backup.pruning import prune, superfluous
from mediamill.backup.reading import drop_broken, unreadable
from mediamill.backup.vault import Claim, Vault, key_of
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.clock import DAY, HOUR
from mediamill.core.errors import BrokenMedia, Locked

NOW = 1_795_384_800_000
EMPTY = hashlib.sha256(b"").hexdigest()


def snapshot(ago: int, lists=(), blocks=()) -> Snapshot:
    database = Database(
        kind="sqlite", version=1, compatible=1, size=0, sha256=EMPTY, blocks=list(blocks)
    )
    begun = NOW - ago
    return Snapshot(
        id=new_snapshot_id(begun), begun=begun, program="1", database=database, lists=list(lists),
        objects=0, size=0,
    )  # fmt: skip


def test_all_of_a_day_stay_then_one_a_day_then_none():
    made = [snapshot(hours * HOUR) for hours in range(0, 24 * 10, 6)]
    going = superfluous(made, NOW, days=5)
    stay = [(NOW - one.begun) // HOUR for one in made if one.id not in going]
    assert stay[:5] == [0, 6, 12, 18, 24]
    assert len(stay) == 4 + 6 - 1, stay  # of the day that began before, the last is among the five
    assert max(stay) <= 5 * 24
    assert superfluous(made, NOW, days=5, keep=2) == sorted(one.id for one in made[2:])


def test_the_newest_stays_however_old_it_is():
    made = [snapshot(400 * DAY), snapshot(500 * DAY)]
    assert superfluous(made, NOW, days=30) == [made[1].id]


async def _kept(vault: Vault, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    await vault.keep({sha256: data})
    return sha256


async def test_what_no_snapshot_names_goes():
    vault = Vault(MemoryBlobs())
    both, old, new = [await _kept(vault, data) for data in (b"both", b"old", b"new")]
    for name, ago in ((old, 40 * DAY), (new, 0)):
        entries = [Entry("files/a", 4, 0, both), Entry("files/b", 3, 0, name)]
        lists = [await _kept(vault, data) for data in written(entries)]
        async with vault.alone():
            await vault.add(snapshot(ago, lists, [await _kept(vault, f"{ago}".encode())]))
    names = await vault.names()
    assert (await prune(vault, NOW, days=30))[0] == 1
    assert await vault.names() == names[1:]
    there = {sha256 async for sha256, _ in vault.sizes()}
    assert {both, new} <= there
    assert old not in there
    assert len(there) == 2 + 2
    assert await prune(vault, NOW, days=30) == (0, 0)


def _forbidden(process: int, number: int) -> None:
    raise PermissionError


async def test_who_stood_still_removes_nothing(monkeypatch):
    """Another that took over may count on what is there."""
    vault = Vault(MemoryBlobs())
    lone = await _kept(vault, b"lone")
    async with vault.alone():
        with monkeypatch.context() as patch:
            patch.setattr(vaults, "CLAIM_SECONDS", 0)
            with pytest.raises(Locked, match="stood still"):
                await vault.remove([lone])
        await vault.blobs.put("working", msgspec.json.encode(Claim("x", 2 * NOW, "other", 1)))
        with pytest.raises(Locked, match="took this place over"):
            await vault.remove([lone])
    assert await vault.is_whole(lone)


async def test_removal_asks_who_writes_there(monkeypatch):
    vault = Vault(MemoryBlobs())
    async with vault.alone():
        await vault.add(snapshot(40 * DAY, blocks=[await _kept(vault, b"old")]))
        await vault.add(snapshot(0))
    asked, remove = [], Vault.remove

    async def removing(self, digests):
        asked.append(list(digests))
        await remove(self, digests)

    monkeypatch.setattr(Vault, "remove", removing)
    await prune(vault, NOW, days=30)
    assert [len(some) for some in asked] == [1]
    assert [one async for one in vault.sizes()] == []


async def test_no_snapshot_goes_once_another_writes_there(monkeypatch):
    vault = Vault(MemoryBlobs())
    async with vault.alone():
        await vault.add(snapshot(40 * DAY))
        await vault.add(snapshot(0))
    names, naming = await vault.names(), pruning._name

    async def overtaken(*told):
        await vault.blobs.put("working", msgspec.json.encode(Claim("x", 2 * NOW, "other", 1)))
        await naming(*told)

    monkeypatch.setattr(pruning, "_name", overtaken)
    with pytest.raises(Locked, match="took this place over"):
        await prune(vault, NOW, days=30)
    assert await vault.names() == names


async def test_what_was_left_half_written_goes(tmp_path):
    """Also where no snapshot goes."""
    async with Vault.open(str(tmp_path)) as vault:
        await vault.blobs.put("any", b"makes the folder")
        left, fresh = [tmp_path / ".incoming" / name for name in ("1-left", "1-fresh")]
        for path in (left, fresh):
            path.write_bytes(b"half")
        os.utime(left, (1, 1))
        assert await prune(vault, time.time_ns() // 1_000_000, days=30) == (0, 0)
        assert (left.exists(), fresh.exists()) == (False, True)


async def test_a_claim_is_renewed(monkeypatch):
    monkeypatch.setattr(vaults, "RENEW_SECONDS", 0.001)
    vault = Vault(MemoryBlobs())
    async with vault.alone():
        first = await vault._claimed()
        for _ in range(5_000):  # turns of the loop, not time: whoever renews has as many
            if (now := await vault._claimed()).until > first.until:
                break
            await asyncio.sleep(0.001)
        assert (now.id, now.until > first.until) == (first.id, True)


async def test_a_snapshot_whose_list_is_lost_is_named_and_dropped():
    vault = Vault(MemoryBlobs())
    lists = [await _kept(vault, data) for data in written([Entry("files/a", 4, 0, EMPTY)])]
    async with vault.alone():
        await vault.add(snapshot(40 * DAY))
        await vault.add(snapshot(0, lists))
    lost = (await vault.names())[-1]
    await vault.blobs.put(key_of(lists[0]), b"another")
    assert await unreadable(vault) == []
    await drop_broken(vault, lists, [])
    with pytest.raises(BrokenMedia, match=lost):
        await prune(vault, NOW, days=30)
    assert await unreadable(vault) == [lost]
    await drop_broken(vault, [], [lost])
    assert await vault.names() != []
    await prune(vault, NOW, days=30)


async def test_what_was_written_anew_meanwhile_is_not_dropped():
    vault = Vault(MemoryBlobs())
    mended = await _kept(vault, b"mended")
    assert await drop_broken(vault, [mended, EMPTY], []) == [], "the other one is not there"
    assert await vault.is_whole(mended)


async def test_nothing_goes_while_a_list_cannot_be_read():
    vault = Vault(MemoryBlobs())
    lists = [await _kept(vault, data) for data in written([Entry("files/a", 4, 0, EMPTY)])]
    async with vault.alone():
        await vault.add(snapshot(40 * DAY))
        await vault.add(snapshot(0, lists))
    await vault.blobs.put(key_of(lists[0]), b"another")
    before = [one async for one in vault.sizes()]
    with pytest.raises(BrokenMedia):
        await prune(vault, NOW, days=30)
    assert [one async for one in vault.sizes()] == before


async def test_one_writes_at_a_time_and_who_was_killed_is_forgotten():
    blobs = MemoryBlobs()
    one, other = Vault(blobs), Vault(blobs)
    async with one.alone():
        with pytest.raises(Locked, match="Another backup"):
            async with other.alone():
                raise AssertionError
    child = await asyncio.create_subprocess_exec("true")
    await child.wait()
    async with one.alone():
        mine = await one._claimed()
        assert (mine.process, mine.holds) == (os.getpid(), True)
        dead = Claim("other", mine.until, mine.machine, child.pid)
        assert not dead.holds
        assert Claim("other", mine.until, "elsewhere", child.pid).holds
        assert not Claim("other", NOW - 10 * DAY, "elsewhere", 1).holds
        with pytest.MonkeyPatch.context() as patch:  # one of root's, asked by another user
            patch.setattr(os, "kill", _forbidden)
            assert dead.holds
        await blobs.put("working", msgspec.json.encode(dead))
        async with other.alone():
            with pytest.raises(Locked, match="took this place over"):
                await one.add(snapshot(0))


def test_lists_are_cut_where_their_keys_say():
    entries = [Entry(f"files/{n:06}", n, n, EMPTY) for n in range(20_000)]
    lists = list(written(entries))
    assert len(lists) > 5
    assert [entry for data in lists for entry in read_list(data)] == entries
    more = list(written([*entries, Entry("files/999999", 1, 1, EMPTY)]))
    assert lists[:-1] == more[: len(lists) - 1]
    changed = list(written([entries[0], *entries[2:]]))
    assert len(set(changed) - set(lists)) == 1
    with pytest.raises(BrokenMedia):
        read_list(lists[0][:-5])
