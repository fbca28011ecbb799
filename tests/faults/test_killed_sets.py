"""R1 for sets: workers killed while they measure, reduce and run; nothing is lost or otherwise.

The soak kills 60 times over six jobs and three workers, in about 4 minutes.
"""

import asyncio
import random
import signal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from mediamill.core.settings import Settings
from mediamill.media.image.codecs.encode import encode
from tests.faults.history import History
from tests.faults.test_killed_workers import SHORT, Worker
from tests.support.processes import running, signed_in

STEPS: list[dict[str, Any]] = [
    {"operation": "preprocess", "parameters": {"threshold": 0.05}},
    {"operation": "augment", "parameters": {"methods": ["rotate", "mixup"], "copies": 2}},
]


def picture(n: int, size: int) -> bytes:
    noise = np.random.default_rng(n).integers(20 + 5 * n, 60 + 8 * n, (size // 8, size // 8, 3))
    return encode(np.kron(noise, np.ones((8, 8, 1))).astype(np.uint8), "png")


async def submit(client: httpx.AsyncClient, history: History, files: list[str]) -> str:
    body = {"files": files, "steps": STEPS, "seed": 5, "reuse": False}
    answer = await client.post("/v1/jobs", json=body)
    answer.raise_for_status()
    history.note(job=answer.json()["id"])
    return str(answer.json()["id"])


async def stage_of(client: httpx.AsyncClient, job: str) -> int:
    """Return the stage that a job is in; one behind the last when it has ended."""
    told = (await client.get(f"/v1/jobs/{job}")).json()
    return int(told["stage"]) + (told["finished_at"] is not None)


async def made(client: httpx.AsyncClient, job: str) -> dict[str, tuple[str, ...]]:
    """Return the digests of what each input became."""
    told = (await client.get(f"/v1/jobs/{job}", params={"wait": 60})).json()
    assert (told["state"], told["counts"]["failed"]) == ("succeeded", 0), told
    rows, after = [], None
    while True:
        query = {"limit": 100} | ({"after": after} if after else {})
        page = (await client.get(f"/v1/jobs/{job}/results", params=query)).json()
        rows += page["data"]
        if not page["has_more"]:
            break
        after = page["after"]
    return {row["input"]: tuple(file["sha256"] for file in row["files"]) for row in rows}


@pytest.mark.parametrize(
    ("inputs", "stages", "kills", "jobs"),
    [
        (6, (1,), 0, 1),
        pytest.param(60, (0, 1, 2), 60, 6, marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
async def test_killed_in_every_stage(
    tmp_path: Path, inputs: int, stages: tuple[int, ...], kills: int, jobs: int
):
    home, history, chance = tmp_path / "h", History(), random.Random(3)
    workers = [Worker(home) for _ in range(3 if kills else 1)]
    async with running("api", home, **SHORT) as api, signed_in(api) as client:
        files = [
            await history.upload(client, f"{n}.png", picture(n % 24, 160 + n))
            for n in range(inputs)
        ]
        begun = [await submit(client, history, files) for _ in range(jobs)]
        try:
            for worker in workers:
                worker.start()
            for stage in stages:
                while await stage_of(client, begun[0]) < stage:
                    await asyncio.sleep(0.02)
                workers[0].end(signal.SIGKILL)
                workers[0].start()
            for _ in range(kills):
                await asyncio.sleep(1.0 + chance.random())
                worker = chance.choice(workers)
                worker.end(signal.SIGKILL)
                worker.start()
            killed = [await made(client, job) for job in begun]
            whole = await submit(client, history, files[::-1])
            calm = await made(client, whole)
        finally:
            for worker in workers:
                worker.end(signal.SIGKILL)
        assert len(calm) == inputs
        assert all(each == calm for each in killed)
        agreed = [(await client.get(f"/v1/jobs/{job}")).json()["steps"][0]["agreed"]
                  for job in (*begun, whole)]  # fmt: skip
        assert all(each == agreed[0] for each in agreed)
        broken = await history.check(client, Settings(home=home, min_free_bytes=0))
        assert broken == []
