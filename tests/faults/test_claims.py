"""R6, by the service's own scheduler: eight processes claim units of one store at once.

The store's part, with short forms, is in `tests/store/test_faults.py`. About ten seconds each.
"""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from mediamill.core.settings import Settings
from mediamill.store.opening import open_store
from mediamill.store.repositories.units import Unit
from tests.engine.harness import Harness
from tests.faults.test_fairness import seed
from tests.support.places import EACH_STORE

ROOT = Path(__file__).parents[2]
OWNERS = 4

CLAIMS = """
import asyncio, json, sys
from mediamill.engine.scheduler import Scheduler
from mediamill.store.opening import open_store
from mediamill.store.repositories.units import Unit
from mediamill.store.sql.postgres import claiming

if sys.argv[4] == "unguarded":  # planted: what others have taken meanwhile is taken again
    take = Scheduler._take
    async def at_any_rate(self, lane, unit, now, holder):
        return await take(self, lane, await self.store.get(Unit, *unit.key_values()), now, holder)
    Scheduler._take = at_any_rate
    claiming._CLAIM = claiming._CLAIM.replace("FOR UPDATE SKIP LOCKED", "")

async def main():
    store = await open_store(sys.argv[1])
    mine, scheduler = [], Scheduler(store, 3_600_000)
    while len(mine) < int(sys.argv[3]):
        unit = await scheduler.claim_next(["bulk"], sys.argv[2])
        if unit is not None:
            mine.append(unit.name)
    await store.close()
    print(json.dumps(mine))
asyncio.run(main())
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CLAIMS, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)


async def of_group(harness: Harness, group: str) -> list[Unit]:
    return [unit async for unit in harness.units.walk_group(group)]


async def claims(folder: Path, processes: int, each: int, how: str = "guarded") -> list[str]:
    """Let processes claim so many units each; return what they say they claimed, and check it."""
    url = Settings(home=folder).store_url
    store = await open_store(url)
    harness = Harness(store)
    for n in range(OWNERS):
        await seed(harness, f"owner-{n}", processes * each // OWNERS)
    workers = [start(url, f"worker-{n}", str(each), how) for n in range(processes)]
    claimed = []
    for worker in workers:
        told, wrong = await asyncio.to_thread(worker.communicate, timeout=500)
        assert worker.returncode == 0, wrong
        assert "locked" not in wrong
        claimed += json.loads(told)
    if how == "guarded":
        units = [u for n in range(OWNERS) for u in await of_group(harness, f"of-owner-{n}")]
        assert {(unit.state, unit.fence, unit.lost) for unit in units} == {("leased", 1, 0)}
        assert set(claimed) == {unit.name for unit in units}
    await store.close()
    return claimed


@pytest.mark.soak
@pytest.mark.places(*EACH_STORE)
@pytest.mark.timeout(900)
async def test_eight_processes_claim_each_unit_once(tmp_path, place):
    each = 100 if place.store == "dynamodb" else 1000
    claimed = await claims(tmp_path, 8, each)
    assert Counter(Counter(claimed).values()) == {1: 8 * each}


@pytest.mark.soak
@pytest.mark.places(*EACH_STORE)
@pytest.mark.timeout(900)
async def test_units_that_are_claimed_twice_are_noticed(tmp_path):
    """The planted fault of R6."""
    claimed = await claims(tmp_path, 4, 100, "unguarded")
    assert Counter(Counter(claimed).values()) != {1: 400}
