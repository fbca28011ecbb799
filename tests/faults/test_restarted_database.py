"""R8: PostgreSQL is restarted at once, without a goodbye to anybody, again and again under load.

Whoever asks meanwhile is told to come back, by 503 and nothing else; work goes on by itself. The
soak restarts 50 times, in about six minutes.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import pytest

from mediamill.core.settings import Settings
from tests.faults.history import History
from tests.faults.test_killed_workers import SHORT, Worker, all_ended
from tests.support.postgres import postgres_server
from tests.support.processes import Process, running, signed_in
from tests.web.test_uploading import PNG

WITHIN, AT_LAST = 10, 60
"""Seconds after a restart in which the service writes again; beside other tests, on two cores."""
AT_ONCE = 3


@dataclass
class Load:
    """People who upload and submit, and ask again with the same key when they are told to."""

    client: httpx.AsyncClient
    history: History
    told: Counter[int] = field(default_factory=Counter)
    asked: int = 0

    async def ask(self, method: str, path: str, **request) -> httpx.Response:
        """Ask until the answer is another than 503."""
        self.asked += 1
        headers = {"Idempotency-Key": f"key-{self.asked}"} if method == "POST" else {}
        async with asyncio.timeout(90):
            while True:
                answer = await self.client.request(method, path, headers=headers, **request)
                self.told[answer.status_code] += 1
                if answer.status_code != 503:
                    assert answer.is_success, f"{method} {path}: {answer.text}"
                    return answer
                assert answer.json()["retryable"], answer.text
                await asyncio.sleep(0.1)

    async def upload(self, data: bytes = b"") -> str:
        data = data or PNG + str(self.asked).encode()
        answer = await self.ask("POST", "/v1/files", params={"name": "dot.png"}, content=data)
        self.history.note(upload=answer.json()["id"], sha256=answer.json()["sha256"])
        return str(answer.json()["id"])

    async def submit(self, files: list[str], operation: str) -> str:
        body = {"files": files, "steps": [{"operation": operation}]}
        job = str((await self.ask("POST", "/v1/jobs", json=body)).json()["id"])
        self.history.note(job=job)
        return job

    async def go_on(self) -> None:
        """Upload, submit, look and list, for ever."""
        while True:
            job = await self.submit([await self.upload()], "thumbnail")
            await self.ask("GET", f"/v1/jobs/{job}", params={"wait": 1})
            await self.ask("GET", "/v1/jobs")
            await asyncio.sleep(0.1)


async def restart_in_turn(folder, monkeypatch, restarts: int) -> tuple[Load, list[float]]:
    """Restart so many times; return what people were told, and how long until they could write."""
    home, history, chance, back = folder / "home", History(), random.Random(8), []
    with postgres_server() as server:
        monkeypatch.setenv("MEDIAMILL_STORE_URL", server.database("mill"))
        monkeypatch.setenv("MEDIAMILL_BROKER_URL", "postgresql:")
        async with running("api", home, **SHORT) as api, signed_in(api) as client:
            load, workers = Load(client, history), [Worker(home) for _ in range(2)]
            for worker in workers:
                worker.start()
            try:
                for worker in workers:
                    await worker.begun()
                people = [asyncio.create_task(load.go_on()) for _ in range(AT_ONCE)]
                for _ in range(restarts):
                    await asyncio.sleep(1 + 2 * chance.random())
                    await asyncio.to_thread(server.control, "-m", "immediate", "restart")
                    begun = time.monotonic()
                    await load.upload()
                    back.append(time.monotonic() - begun)
                    over = [person for person in people if person.done()]
                    await asyncio.gather(*over)
                for person in people:
                    person.cancel()
                await asyncio.gather(*people, return_exceptions=True)
                assert all(worker.child.poll() is None for worker in workers)
                await all_ended(client, history)
                await quiet(client)
                assert await history.check(client, Settings(home=home, min_free_bytes=0)) == []
            finally:
                for worker in workers:
                    await asyncio.to_thread(worker.end)
        for process in (api, *workers):
            assert '"level": "error"' not in process.log(), process.log()[-6000:]
    return load, back


async def quiet(client) -> None:
    """Wait until nothing runs, also of what was accepted when nobody listened any more."""
    async with asyncio.timeout(90):
        while any(
            job["finished_at"] is None
            for job in (await client.get("/v1/jobs", params={"limit": 100})).json()["data"]
        ):
            await asyncio.sleep(0.2)
        await asyncio.sleep(1)  # ends are told


@pytest.mark.embedded("it has a server of its own, that it may restart")
@pytest.mark.parametrize("restarts", [1, pytest.param(50, marks=pytest.mark.soak)])
@pytest.mark.timeout(3600)
async def test_a_restarted_database_is_an_interruption(tmp_path, monkeypatch, restarts):
    load, back = await restart_in_turn(tmp_path, monkeypatch, restarts)
    done = f"{len(load.history.uploads)} uploads, {len(load.history.jobs)} jobs"
    print(f"{restarts} restarts, {done}; told {dict(load.told)}; back after ≤ {max(back):.1f} s")
    assert set(load.told) <= {200, 201, 202, 503}
    assert max(back) <= (WITHIN if restarts > 1 else AT_LAST)


@pytest.mark.soak
@pytest.mark.embedded("it has a server of its own, that it may restart")
async def test_uploads_that_are_told_before_their_commit_are_noticed(tmp_path, monkeypatch):
    """The planted fault of R8."""
    planted = ("tests.faults.planted", "answered before the commit", "mediamill")
    monkeypatch.setattr(Process, "program", planted)
    with pytest.raises(AssertionError):
        await restart_in_turn(tmp_path, monkeypatch, 2)
