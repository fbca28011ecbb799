"""R18: a rolling upgrade from the last release under load, one process after the other; H holds.

Old API and old worker first; then the new API, which migrates the store under them; then the new
worker, and the old ones end, several clients at work all the time. The soak does the same on
PostgreSQL. Nobody's log has an error then.
"""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import asynccontextmanager
from itertools import count

import httpx
import pytest

from mediamill.core.settings import Settings
from tests.faults.history import History
from tests.faults.test_two_versions import SHORT, ended
from tests.support.last_release import last_release
from tests.support.places import EMBEDDED, Place
from tests.support.processes import SILENT, Process, free_port, signed_in, until_live
from tests.support.services import unavailable
from tests.web.test_uploading import PNG

MOST = 3
"""Clients at work at a time."""


class Started(Process):
    """A process of whichever program comes first on the import path."""

    program, fresh = ("mediamill",), True


@asynccontextmanager
async def begun(role, home, **settings):
    """Run a process for the length of the block, unless it is ended before."""
    process = Started(role, home, 0 if role in SILENT else free_port(), **SHORT)
    process.settings |= settings
    process.start()
    try:
        if role not in SILENT:
            await until_live(process)
        yield process
    finally:
        process.end()


class Clients:
    """Uploads, changes and jobs without a pause, by several, on whichever servers there are."""

    def __init__(self, history: History) -> None:
        self.history, self.servers = history, list[httpx.AsyncClient]()
        self.busy, self.ended = Counter[httpx.AsyncClient](), Counter[httpx.AsyncClient]()
        self.going, self.over = list[asyncio.Task[None]](), False

    async def go_on(self, who: int) -> None:
        """Be one of them: one round after the other, on another server each time."""
        for n in count():
            if self.over:
                return
            client = self.servers[(who + n) % len(self.servers)]
            self.busy[client] += 1
            try:
                await self.round(client, MOST * n + who)
            finally:
                self.busy[client] -= 1
            self.ended[client] += 1

    async def round(self, client: httpx.AsyncClient, n: int) -> None:
        data = PNG + bytes([n % 256]) * n
        file = await self.history.upload(client, f"{n}.png", data)
        changed = await client.patch(f"/v1/files/{file}", json={"tags": [f"t{n}"]})
        assert changed.is_success, changed.text
        job = await self.history.submit(client, [file], "convert", format="jpeg")
        assert (await client.get(f"/v1/jobs/{job}")).is_success

    async def some(self) -> None:
        """Wait until each of them could have been at each server that there is."""
        until = {client: self.ended[client] + MOST for client in self.servers}
        await self.until(lambda: all(self.ended[one] >= most for one, most in until.items()))

    async def leave(self, client: httpx.AsyncClient) -> None:
        """Have no more of them at a server."""
        self.servers.remove(client)
        await self.until(lambda: not self.busy[client])

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait for something; raises what one of them met with."""
        while not there():
            for over in (one for one in self.going if one.done()):
                over.result()
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Let them end what they are at; raises what one of them met with."""
        self.over = True
        await asyncio.gather(*self.going)

    @asynccontextmanager
    async def at_work(self):
        self.going = [asyncio.create_task(self.go_on(who)) for who in range(MOST)]
        try:
            yield
        finally:
            await self.stop()


@pytest.mark.parametrize(
    "where", [EMBEDDED, pytest.param(Place("postgresql"), marks=pytest.mark.soak)], ids=str
)
@pytest.mark.embedded("it names its own places")
@pytest.mark.timeout(600)
async def test_an_upgrade_from_the_last_release(tmp_path, monkeypatch, servers, where):
    release = await asyncio.to_thread(last_release, tmp_path / "last")
    if release is None:
        unavailable("there is no history to take the last release from: fetch it whole")
    for name, value in servers.environment(where).items():
        monkeypatch.setenv(name, value)
    home, history = tmp_path / "home", History(counts=False)
    clients, older = Clients(history), {"PYTHONPATH": str(tmp_path / "last")}
    assert await asyncio.to_thread(program, older) == str(tmp_path / "last" / "mediamill")
    async with (
        begun("api", home, **older) as api,
        begun("worker", home, **older) as worker,
        signed_in(api) as client,
    ):
        clients.servers.append(client)
        async with clients.at_work():
            await clients.some()
            async with begun("api", home) as newer:
                base, headers = f"http://127.0.0.1:{newer.port}", dict(client.headers)
                async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as fresh:
                    clients.servers.append(fresh)
                    await clients.some()  # new API, old worker
                    async with begun("worker", home) as younger:
                        assert await asyncio.to_thread(worker.end) == 0
                        await clients.some()  # both APIs, new worker
                        await clients.leave(client)
                        assert await asyncio.to_thread(api.end) == 0
                        await clients.some()
                        await clients.stop()
                        await ended(fresh, history.jobs)
                    assert not trouble(api, worker, newer, younger)
                    assert await history.check(fresh, Settings(home=home, **SHORT)) == []


def program(environment: dict[str, str]) -> str:
    """Return where the program is that a process with these variables runs."""
    told = "import mediamill; print(*mediamill.__path__)"
    command, whole = [sys.executable, "-c", told], {**os.environ, **environment}
    return subprocess.check_output(command, env=whole, text=True).strip()


def trouble(*processes: Process) -> list[str]:
    """Return what processes said that nobody should have to read."""
    told = [line for process in processes for line in process.log().splitlines()]
    return [line for line in told if '"level": "error"' in line or "Traceback" in line]
