"""What is read back after each backup: all of the place in a week; and what is broken goes."""

import hashlib
from itertools import pairwise

import pytest

from mediamill.backup import examining
from mediamill.backup.examining import PARTS, PERIOD, examine, turns
from mediamill.backup.vault import Vault, key_of
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.clock import DAY, HOUR, MINUTE

NOW = 1_795_384_800_000


@pytest.mark.parametrize("every", [MINUTE, 30 * MINUTE, 5 * HOUR, DAY, 6 * DAY, PERIOD, 30 * DAY])
def test_all_of_it_comes_by_in_a_week(every):
    late = MINUTE // 2  # no unit is claimed at the stroke
    read, begun, most = set[int](), NOW, 0
    while begun < NOW + PERIOD:
        parts = {one for some in turns(begun, every) for one in some}
        read |= parts
        most = max(most, len(parts))
        begun += every + late
    assert read == set(range(PARTS))
    assert most <= min(PARTS, 2 + PARTS * (every + MINUTE) / PERIOD), "and not much more each time"


async def test_what_is_broken_goes_so_that_it_is_written_anew(monkeypatch):
    vault = Vault(MemoryBlobs())
    contents = {hashlib.sha256(data).hexdigest(): data for data in (b"%d" % n for n in range(300))}
    await vault.keep(contents)
    named = sorted(contents)
    lost, beside = next(two for two in pairwise(named) if two[0][:2] == two[1][:2])
    broken = [lost, beside, named[-1]]
    for sha256 in broken:
        await vault.blobs.put(key_of(sha256), b"rotten")
    turn = int(lost[:4], 16)
    monkeypatch.setattr(examining, "turns", lambda begun, every: [range(turn, turn + 1)])
    assert await examine(vault, NOW, HOUR) == [lost]
    assert not await vault.has(lost)
    assert await vault.has(beside), "it was not its turn"
    monkeypatch.setattr(examining, "turns", lambda begun, every: [range(PARTS)])
    assert await examine(vault, NOW, HOUR) == broken[1:]
    assert {one async for one, _ in vault.sizes()} == {*named} - {*broken}
    assert await examine(vault, NOW, HOUR) == []
