"""A dead, hanging or locked database: `/health/ready` says so within five seconds, `/live` lives.

That it is within five is told by what it says: everything else that ends a call to a database that
hangs takes twice as long, and says something else.
"""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import httpx
import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.faults.test_killed_workers import SHORT
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.processes import Process, free_port, until_live
from tests.web.conftest import client_of

HANGS = "no answer within 4 s"


def processes_of(server: PostgresServer) -> list[int]:
    """List the server's process and those of its connections."""
    first = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(words[1])
    return [first, *(pid for pid, parent in parents.items() if parent == first)]


def tell_all(server: PostgresServer, number: int) -> None:
    for pid in processes_of(server):
        os.kill(pid, number)


async def asked(client: httpx.AsyncClient) -> tuple[int, str, int, str]:
    """Ask all three at once: the status of `ready`, what it says of the store, `live`, metrics."""
    ready, live, metrics = await asyncio.gather(
        client.get("/health/ready"), client.get("/health/live"), client.get("/metrics")
    )
    return ready.status_code, ready.json()["checks"]["store"], live.status_code, metrics.text


async def works(client: httpx.AsyncClient) -> None:
    """Wait until it is ready again."""
    while (await client.get("/health/ready")).status_code != 200:
        await asyncio.sleep(0.1)


def dead(told: tuple[int, str, int, str]) -> bool:
    status, store, live, metrics = told
    return (status, live) == (503, 200) and store != "ok" and "mediamill_ready 0.0" in metrics


@asynccontextmanager
async def worker_alone(home: Path):
    """Run a worker that has a port, and give a client of that."""
    process = Process("worker", home, metrics_port=free_port(), **SHORT)
    process.port = int(process.settings["MEDIAMILL_METRICS_PORT"])
    process.start()
    try:
        await until_live(process)
        base = f"http://127.0.0.1:{process.port}"
        async with httpx.AsyncClient(base_url=base, timeout=60, trust_env=False) as client:
            yield client
    finally:
        await asyncio.to_thread(process.end, signal.SIGKILL)


@pytest.mark.embedded("it has a server of its own, that it freezes and ends")
@pytest.mark.timeout(240)
async def test_a_database_that_hangs_or_is_dead_makes_servers_and_workers_not_ready(
    tmp_path, monkeypatch
):
    with postgres_server() as server:
        monkeypatch.setenv("MEDIAMILL_STORE_URL", server.database("mill"))
        settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0)
        async with (
            await App.open(settings) as app,
            client_of(create_app(app)) as api,
            worker_alone(tmp_path / "worker") as worker,
        ):
            for client in (api, worker):
                await works(client)
            numbers = (await worker.get("/metrics")).text
            assert "mediamill_ready 1.0" in numbers
            assert "mediamill_http_requests_total{" not in numbers
            assert "mediamill_units{" not in numbers, "that is the API's to tell"
            assert (await worker.get("/v1/files")).status_code == 404

            tell_all(server, signal.SIGSTOP)
            try:
                for told in await asyncio.gather(asked(api), asked(worker)):
                    assert dead(told), told[:3]
                    assert told[1] == HANGS
                assert "store" in app.parts.hanging.open, "nobody waits for the driver to give up"
            finally:
                tell_all(server, signal.SIGCONT)
            for client in (api, worker):
                await works(client)

            await asyncio.to_thread(server.control, "-m", "immediate", "stop")
            for told in await asyncio.gather(asked(api), asked(worker)):
                assert dead(told), told[:3]
            await asyncio.to_thread(server.start)
            for client in (api, worker):
                await works(client)


@pytest.mark.embedded("it locks the file")
async def test_a_file_that_somebody_holds_locked_makes_it_not_ready(tmp_path):
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0)
    async with await App.open(settings) as app, client_of(create_app(app)) as client:
        await works(client)
        other = apsw.Connection(str(settings.home / "mediamill.db"))
        other.execute("BEGIN IMMEDIATE")
        told = await asked(client)
        assert dead(told)
        assert told[1] == HANGS
        other.execute("ROLLBACK")
        other.close()
        await works(client)
