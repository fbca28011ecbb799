"""Workers killed while they list a job's inputs: the list is whole, in order, without doubles.

The soak kills 50 times, in about two minutes.
"""

import asyncio
import random
import signal

import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from tests.faults.history import History
from tests.support.processes import Process, running, signed_in

SHORT = {"lease_seconds": 0.5, "poll_seconds": 0.1, "slots": 1, "min_free_bytes": 0}


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.soak)])
@pytest.mark.timeout(1800)
async def test_killed_while_listing(tmp_path, kills):
    home, history, chance = tmp_path / "home", History(), random.Random(9)
    settings = Settings(home=home, min_free_bytes=0)
    lines = [f"file_{n:026}" for n in range(20_000 * kills)]
    async with (
        running("api", home, **SHORT) as api,
        signed_in(api) as client,
        await App.open(settings) as app,
    ):
        manifest = await history.upload(client, "inputs.txt", "\n".join(lines).encode())
        body = {"manifest": manifest, "steps": [{"operation": "thumbnail"}]}
        job = (await client.post("/v1/jobs", json=body)).raise_for_status().json()
        history.jobs.append(job["id"])
        worker, here = Process("worker", home, **SHORT), f"/v1/jobs/{job['id']}"
        for _ in range(kills):
            worker.start()
            while not await begun(app, job["id"], worker):
                await asyncio.sleep(0.005)
            await asyncio.sleep(chance.random() * 0.2)
            worker.end(signal.SIGKILL)
        worker.start()
        try:
            while not (await app.repositories.jobs.need(job["id"])).items:
                await asyncio.sleep(0.05)
            await client.post(f"{here}/cancel")
            ended = (await client.get(here, params={"wait": 60}, timeout=70)).json()
        finally:
            worker.end()
        assert ended["state"] == "cancelled"
        assert await listed(app, job["id"]) == lines
        assert await history.check(client, settings) == []


async def listed(app, job_id):
    """Read the names of the inputs that a job has."""
    job, manifests = await app.repositories.jobs.need(job_id), app.repositories.manifests
    return [entry.name async for _, entry in manifests.walk(job.id, 0, job.items)]


async def begun(app, job_id, worker):
    """Tell whether the listing goes on in this worker, or is over."""
    job = await app.repositories.jobs.need(job_id)
    unit = await app.repositories.units.get(f"{job_id}:gather", job.turn)
    mine = str(worker.child.pid) in unit.holder
    return (mine and unit.state == "leased") or not unit.state.open
