"""What is read back after each backup: all of a folder in a week; and what it tells."""

import hashlib
from itertools import pairwise

import pytest

from mediamill.backup import examining
from mediamill.backup.examining import PARTS, PERIOD, Looked, due, examine
from mediamill.backup.vault import Vault, key_of
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.clock import DAY, HOUR, MINUTE
from mediamill.core.errors import Unavailable

NOW = 1_795_384_800_000
CONTENTS = {hashlib.sha256(data).hexdigest(): data for data in (b"%d" % n for n in range(300))}


@pytest.fixture
async def vault(tmp_path):
    async with Vault.open(str(tmp_path)) as vault:
        await vault.keep(CONTENTS)
        yield vault


@pytest.mark.parametrize("every", [MINUTE, 30 * MINUTE, 5 * HOUR, DAY, PERIOD, 30 * DAY])
@pytest.mark.parametrize("late", [0, MINUTE, 3 * HOUR])
async def test_all_of_it_comes_by_in_a_week(every, late, monkeypatch):
    """However late the next one begins; and not much more each time."""
    read, look, now = set[int](), Looked(), NOW

    async def noted(vault, parts, look):
        read.update(parts)

    monkeypatch.setattr(examining, "_read", noted)
    monkeypatch.setattr(examining, "OnDisk", object)
    while look.until < NOW - every + PERIOD:
        before, read_before = look, len(read)
        look = await examine(Vault(MemoryBlobs()), before, now, every, HOUR)
        assert len(read) - read_before <= due(now - (before.until or now - every))
        now += every + late
    assert read == set(range(PARTS))


async def test_what_is_broken_is_told_and_stays(vault):
    named = sorted(CONTENTS)
    lost, beside = next(two for two in pairwise(named) if two[0][:2] == two[1][:2])
    for sha256 in (lost, beside, named[-1]):
        await vault.blobs.put(key_of(sha256), b"rotten")
    turn = Looked(int(lost[:4], 16), until=NOW)
    look = await examine(vault, turn, NOW + 1, HOUR, HOUR)
    assert (look.broken, look.part) == ([lost], turn.part + 1), "the others' turn has not come"
    assert Looked.of(look.noted({"other": 1})) == look
    rest = await examine(vault, look, NOW + PERIOD, HOUR, HOUR)
    assert sorted(rest.broken) == sorted({lost, beside, named[-1]}), "a turn later, all of it"
    assert {one async for one, _ in vault.sizes()} == CONTENTS.keys()


async def test_what_cannot_be_read_is_told_and_the_others_are_read(vault, monkeypatch):
    """A disk's bad sector, say; where it is more than that, it ends and goes on there."""
    bad, rotten, *_ = sorted(CONTENTS)
    await vault.blobs.put(key_of(rotten), b"rotten")
    whole = vault.is_whole

    async def hurt(sha256):
        if sha256 == bad or len(lost) == len(CONTENTS):
            raise Unavailable("Input/output error.")
        return await whole(sha256)

    lost: list[str] = []
    monkeypatch.setattr(vault, "is_whole", hurt)
    look = await examine(vault, Looked(), NOW, PERIOD, HOUR)
    assert (look.unread, look.broken, look.part) == ([bad], [rotten], 0)
    with pytest.raises(Unavailable):
        await vault.broken([bad])
    lost += CONTENTS
    look = await examine(vault, Looked(), NOW, PERIOD, HOUR)
    assert examining.UNREAD <= len(look.unread) < len(CONTENTS)
    assert 0 < look.part < PARTS
    assert NOW - PERIOD < look.until < NOW, "what was not looked at is due next time"


async def test_it_ends_in_time_and_goes_on_there(vault, monkeypatch):
    look, parts = Looked(), 0
    for now in (NOW, NOW + 1):
        before = look
        look = await examine(vault, before, now, PERIOD, -1)
        assert look.part == before.part + examining.FOLDER
    monkeypatch.setattr(examining, "_read", lambda vault, some, look: _count(some))

    async def _count(some):
        nonlocal parts
        parts += len(some)

    last = await examine(vault, look, NOW + 2, PERIOD, HOUR)
    assert last.part == (look.part + parts) % PARTS
    left = PARTS - 2 * examining.FOLDER
    assert parts in range(left, left + 4), "what was not looked at is due then"


async def test_what_others_put_there_is_passed_over(vault, tmp_path):
    sha256 = min(CONTENTS)
    folder = next(tmp_path.rglob(sha256)).parent
    for name in ("Thumbs.db", f"{sha256}~", "zz"):
        (folder / name).write_text("not ours")
    look = await examine(vault, Looked(), NOW, PERIOD, HOUR)
    assert (look.broken, look.unread) == ([], [])
    assert {one async for one, _ in vault.sizes()} == CONTENTS.keys()


async def test_a_bucket_s_service_checks_its_own():
    vault = Vault(MemoryBlobs())
    await vault.keep(CONTENTS)
    await vault.blobs.put(key_of(min(CONTENTS)), b"rotten")
    assert await examine(vault, Looked(), NOW, PERIOD, HOUR) == Looked(until=NOW)
