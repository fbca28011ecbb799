"""R1, R3, R15: workers killed, frozen and asked to end in mid-work; nothing is lost or doubled.

The soaks kill 300 times in about 15 minutes, and freeze 100 times in about 8.
"""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from mediamill.core.settings import Settings
from tests.faults.history import History
from tests.media_factory import clip
from tests.support.processes import Process, running, signed_in

SHORT = {"lease_seconds": 1, "poll_seconds": 0.1, "slots": 1}


async def _load(client, history: History, folder: Path, jobs: int) -> None:
    """Upload a few clips and submit jobs over them, each twice: the second finds the first's."""
    files = []
    for n in range(3):
        path = clip(folder / f"clip-{n}.mp4", seconds=4 + n)
        files.append(await history.upload(client, path.name, path.read_bytes()))
    for n in range(jobs):
        await history.submit(client, files, "extract-frames", every=0.2 + n // 2 / 100)


async def _all_ended(client, history: History, seconds: float = 90) -> None:
    for job in history.jobs:
        async with asyncio.timeout(seconds):
            while True:
                answer = await client.get(f"/v1/jobs/{job}", params={"wait": 20})
                if answer.json()["finished_at"]:
                    break


async def _check(client, history: History, home) -> None:
    broken = await history.check(client, Settings(home=home))
    assert broken == []


@pytest.mark.parametrize("kills", [6, pytest.param(300, marks=pytest.mark.soak)])
@pytest.mark.timeout(3600)
async def test_killed_workers_lose_nothing(tmp_path, kills):
    home, history, chance = tmp_path / "home", History(), random.Random(7)
    async with running("api", home, **SHORT) as api, signed_in(api) as client:
        await _load(client, history, tmp_path, jobs=max(4, kills // 3))
        worker = Process("worker", home, **SHORT)
        worker.start()
        for _ in range(kills):
            await asyncio.sleep(1.0 + chance.random() * 1.5)
            worker.end(signal.SIGKILL)
            worker.start()
        try:
            await _all_ended(client, history)
        finally:
            worker.end()
        await _check(client, history, home)


@pytest.mark.parametrize("freezes", [2, pytest.param(100, marks=pytest.mark.soak)])
@pytest.mark.timeout(3600)
async def test_a_frozen_worker_wakes_to_find_its_lease_gone(tmp_path, freezes):
    home, history, chance = tmp_path / "home", History(), random.Random(8)
    async with running("api", home, **SHORT) as api, signed_in(api) as client:
        await _load(client, history, tmp_path, jobs=max(4, freezes))
        workers = [Process("worker", home, **SHORT) for _ in range(2)]
        for worker in workers:
            worker.start()
        try:
            for _ in range(freezes):
                await asyncio.sleep(1.5 + chance.random())
                frozen = chance.choice(workers)
                frozen.send(signal.SIGSTOP)
                await asyncio.sleep(2.2)
                frozen.send(signal.SIGCONT)
            await _all_ended(client, history)
        finally:
            for worker in workers:
                worker.end()
        await _check(client, history, home)


async def test_a_worker_that_is_asked_to_end_drains(tmp_path):
    home, history = tmp_path / "home", History()
    async with running("api", home, **SHORT) as api, signed_in(api) as client:
        await _load(client, history, tmp_path, jobs=3)
        worker = Process("worker", home, **SHORT)
        worker.start()
        await asyncio.sleep(2.5)
        assert await asyncio.to_thread(worker.end, signal.SIGTERM, 30) == 0
        worker.start()
        try:
            await _all_ended(client, history)
        finally:
            worker.end()
        await _check(client, history, home)
