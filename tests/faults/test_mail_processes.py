"""R14 on real processes: requests while the mail server hangs, and workers killed as they send."""

import asyncio
import os
import signal
import time

import pytest

from tests.support.processes import Process, running, signed_in
from tests.support.smtp import MailServer
from tests.web.test_strangers import PNG

pytestmark = pytest.mark.soak
REQUESTS, JOBS = 300, 40
SETTINGS = {
    "slots": 1, "min_free_bytes": 0, "lease_seconds": 2, "poll_seconds": 0.2, "verify": "off",
}  # fmt: skip


@pytest.fixture
async def server():
    server = await MailServer().up()
    yield server
    await server.down()


def url_of(server):
    return f"smtp://127.0.0.1:{server.port}?from=mill@example.org"


async def submitted(client, count):
    file = (await client.post("/v1/files?name=dot.png", content=PNG)).json()
    body = {"files": [file["id"]], "steps": [{"operation": "thumbnail"}]}
    jobs = [(await client.post("/v1/jobs", json=body)).json()["id"] for _ in range(count)]
    for job in jobs:
        await client.get(f"/v1/jobs/{job}?wait=60")
    return jobs


async def mailed(client, jobs):
    """Wait until all mails about some jobs are out; return what is told of them."""
    async with asyncio.timeout(300):
        while True:
            answers = [await client.get(f"/v1/jobs/{job}/notifications") for job in jobs]
            told = [one for answer in answers for one in answer.json()["data"]]
            if len(told) == len(jobs) and all(one["state"] != "waiting" for one in told):
                return told
            await asyncio.sleep(0.5)


async def p95(client):
    """Return the time that 19 of 20 requests stay below (s)."""
    took = []
    for number in range(REQUESTS):
        begun = time.monotonic()
        path = "/v1/jobs?limit=1" if number % 2 else "/v1/me"
        assert (await client.get(path)).status_code == 200
        took.append(time.monotonic() - begun)
    return sorted(took)[REQUESTS * 19 // 20]


async def test_requests_are_answered_as_ever_while_the_server_hangs(server, tmp_path):
    settings = {**SETTINGS, "mail_url": url_of(server)}
    async with (
        running("up", tmp_path / "home", **settings) as service,
        signed_in(service, "ann@example.org") as client,
    ):
        await server.down()
        server.hanging = True
        await server.up()
        jobs = await submitted(client, JOBS)
        meanwhile = await p95(client)
        assert server.received == []
        assert server.connections > 0
        await server.down()
        server.hanging = False
        await server.up()
        told = await mailed(client, jobs)
        usually = await p95(client)
    assert [one["state"] for one in told] == ["sent"] * JOBS
    assert {t.id.partition(".")[0] for t in server.received} == {f"<{job}" for job in jobs}
    assert len(server.received) == JOBS
    print(f"p95 of a request: {usually * 1000:.1f} ms, {meanwhile * 1000:.1f} ms meanwhile")
    assert meanwhile <= 2 * usually + 0.05


async def test_workers_killed_as_they_send(server, tmp_path):
    """Ten times: what the server had not taken is sent once, what it had may come again, known."""
    settings = {**SETTINGS, "mail_url": url_of(server)}
    kills, killed = 10, []

    async def kill():
        if len(killed) < kills:
            killed.append(worker.child.pid)
            os.kill(worker.child.pid, signal.SIGKILL)
            await asyncio.sleep(0.1)

    server.taken = kill
    async with (
        running("api", tmp_path / "home", **settings) as service,
        signed_in(service, "ann@example.org") as client,
    ):
        worker = Process("worker", tmp_path / "home", **settings)
        worker.start()
        try:
            work = asyncio.create_task(submitted(client, kills))
            while len(killed) < kills or not work.done():
                await asyncio.sleep(0.1)
                if worker.child.poll() is not None:
                    worker.start()
            told = await mailed(client, jobs := await work)
        finally:
            worker.end()
    assert [one["state"] for one in told] == ["sent"] * kills
    ids = [taken.id for taken in server.received]
    assert {one.partition(".")[0] for one in ids} == {f"<{job}" for job in jobs}
    print(f"{len(ids)} mails for {kills} jobs and {len(killed)} kills")
    assert kills < len(ids) <= 2 * kills
