"""Workers killed at whatever write of a purge: each file is counted once, nothing is left of it.

The soak kills fifty times, in about two minutes.
"""

import asyncio
import random
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.media.image.codecs.encode import encode
from mediamill.store.repositories.daily import Fate
from mediamill.store.repositories.results import Result
from tests.faults import charges
from tests.handlers.conftest import ANN, Beside, Works
from tests.support.ageing import age, daily, gone, hurry, records, settled, sweep, traces
from tests.support.chains import CHAINED, TELLS

FILES = 10


async def killed(app: App, home: Path, write: int, files: list[str]) -> bool:
    """Run a worker until it kills itself, or has removed the files; tell which."""
    program = (sys.executable, "-m", "tests.support.ageing", str(home), str(write))
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(60):
            while process.returncode is None and await records_of(app, files):
                await asyncio.sleep(0.02)
    finally:
        died = process.returncode
        if died is None:
            process.kill()
        await process.wait()
    assert died in (None, -signal.SIGKILL), died
    return died is not None


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.soak)])
@pytest.mark.timeout(600)
async def test_each_file_is_counted_once_and_nothing_is_left(tmp_path, monkeypatch, kills):
    hurry(monkeypatch)
    chance, home = random.Random(kills), tmp_path / "home"
    settings = Settings(
        home=home, prompt_chain=TELLS, slots=1, min_free_bytes=0, poll_seconds=0.03, lease_seconds=1
    )
    async with await App.open(settings, CHAINED) as app:
        beside = Beside(app)
        works = Works(app, beside)
        await beside.resume()
        done, expected = 0, 0
        while done < kills:
            start = 1 + expected
            pictures = [np.full((8, 8, 3), start + n, np.uint8) for n in range(FILES + 1)]
            names = [f"gonzo{start + n}.png" for n in range(FILES)]
            due = [await works.upload(name, encode(one, "png"))
                   for name, one in zip(names, pictures, strict=False)]  # fmt: skip
            kept = await works.upload("kept.png", encode(pictures[-1], "png"))
            job = await works.run([*due, kept], "twice", "tell", reuse=done % 2 == 0)
            alone = await works.run(due[:2], "flip")
            await settled(app)
            needles = [*due, *names, *(row.file_id(0) for row in await records(app, Result)
                                       if row.root in due)]  # fmt: skip
            await beside.pause()
            await age(app, *due)
            await sweep(app)
            while done < kills and await records_of(app, due):
                done += await killed(app, home, chance.randrange(1, 50), due)
            await beside.resume()
            await gone(app, *due)
            await settled(app)
            expected += FILES
            assert await traces(app, needles) == []
            assert charges.usage(app) == []
            rows = await daily(app)
            assert [(row.outcome, row.files) for row in rows] == [(Fate.SUCCEEDED, expected)]
            assert (rows[0].items, rows[0].results) == (
                expected * 3 + 2 * expected // FILES,
                expected * 2 + 2 * expected // FILES,
            )
            assert (await app.jobs.get(ANN, job.id)).expired == 2 * FILES
            assert await app.repositories.jobs.get(alone.id) is None
            content = await app.downloads.job(ANN, job.id)
            assert sum([len(some) async for some in content.read(0, content.size)]) == content.size
        await beside.pause()


async def records_of(app: App, files: list[str]) -> bool:
    """Tell whether one of some files is still there."""
    return any([await app.repositories.files.get(file) for file in files])
