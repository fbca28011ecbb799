"""Workers killed at whatever write of an erasure: who follows finishes it, and nothing is left.

The soak erases ten accounts, each with up to thirty kills, which takes a quarter of an hour.
"""

import asyncio
import random
import signal
import sys

import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.handlers.removing import erase
from mediamill.store.repositories.erasures import Erasure, ErasureState
from tests.faults import charges
from tests.handlers.conftest import ANN, Beside, Works
from tests.services.privacy.furnishing import ADDRESS, MARK, furnish
from tests.support.ageing import SURE_MS, hurry, pace, settled, traces
from tests.support.chains import CHAINED, TELLS


async def killed(app: App, write: int, erasure: str) -> bool:
    """Run a worker until it kills itself at a write, or all is erased; tell which."""
    program = (sys.executable, "-m", "tests.support.ageing", str(app.settings.home), str(write))
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.DEVNULL)
    try:
        while process.returncode is None and not await done(app, erasure):
            await asyncio.sleep(pace())
    finally:
        died = process.returncode
        if died is None:
            process.kill()
        await process.wait()
    assert died in (None, -signal.SIGKILL), died
    return died is not None


async def done(app: App, erasure: str) -> bool:
    row = await app.store.get(Erasure, erasure)
    return row is not None and row.state is ErasureState.DONE


SOAK = [pytest.param(30, seed, marks=pytest.mark.soak) for seed in range(1, 11)]


@pytest.mark.parametrize(("kills", "seed"), [(2, 2), *SOAK])
@pytest.mark.timeout(600)
async def test_an_erasure_outlives_its_workers(tmp_path, monkeypatch, kills, seed):
    hurry(monkeypatch)
    monkeypatch.setattr(erase, "LOOK_AGAIN_MS", 100)
    monkeypatch.setattr(erase, "SURE_MS", SURE_MS)
    chance = random.Random(seed)
    settings = Settings(home=tmp_path / "home", prompt_chain=TELLS, slots=1, min_free_bytes=0,
                        poll_seconds=0.03, lease_seconds=1)  # fmt: skip
    async with await App.open(settings, CHAINED) as app:
        beside = Beside(app)
        works = Works(app, beside)
        await beside.resume()
        made = await furnish(works)
        await beside.pause()
        erasure = await app.privacy.closing.deletions.erase(ANN.user, "operator", now=True)
        died = 0
        while died < kills and not await done(app, erasure.id):
            died += await killed(app, chance.randrange(1, 40), erasure.id)
        assert died
        await beside.resume()
        while not await done(app, erasure.id):
            await asyncio.sleep(pace())
        await settled(app)
        assert await traces(app, [ANN.user, ADDRESS, MARK, *made["files"], made["job"]]) == []
        assert charges.usage(app) == []
        await beside.pause()
