"""Two adjacent versions beside each other on one database, under load; H holds.

In turn: the new API with the old worker, then the old API with the new worker. The old parts have
the store open while the new ones migrate it. The soak does the same on PostgreSQL and DynamoDB.
"""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import Any

import apsw
import httpx
import psycopg
import pytest

from mediamill.app import App
from mediamill.core.records import Record
from mediamill.core.settings import Settings
from mediamill.store.codec import layout_of
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit
from mediamill.web.app import create_app
from tests.faults.history import History
from tests.faults.rows import database, items_of, rows
from tests.support.next_version import next_version
from tests.support.places import EMBEDDED, Place
from tests.support.processes import running
from tests.support.serving import working
from tests.web.conftest import client_of, person
from tests.web.test_uploading import PNG

SHORT = {"lease_seconds": 2, "poll_seconds": 0.1, "slots": 1, "min_free_bytes": 0}
OTHERS = [pytest.param(Place(s), marks=pytest.mark.soak) for s in ("postgresql", "dynamodb")]


@asynccontextmanager
async def beginning(role, home, path, monkeypatch):
    """Run a process of the program at a path."""
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(path))
        async with running(role, home, **SHORT) as process:
            yield process


async def load(client: httpx.AsyncClient, history: History, n: int, operation="convert") -> str:
    """Upload, submit and change, some beside each other; return a file."""

    async def one(number: int) -> str:
        data = PNG + bytes([number % 256]) * number
        file = await history.upload(client, f"{number}.png", data)
        changed = await client.patch(f"/v1/files/{file}", json={"tags": [f"t{number}"]})
        assert changed.is_success, changed.text
        return file

    files = await asyncio.gather(*(one(100 * n + place) for place in range(6)))
    await history.submit(client, files, operation, format="jpeg")
    await history.submit(client, files[:2], operation, format="png")
    return files[0]


async def ended(client: httpx.AsyncClient, jobs: list[str]) -> None:
    for job in jobs:
        told = await client.get(f"/v1/jobs/{job}", params={"wait": 30})
        assert told.json()["state"] == "succeeded", told.text


@pytest.mark.parametrize("where", [EMBEDDED, *OTHERS], ids=str)
@pytest.mark.embedded("it names its own places")
async def test_two_versions_at_work(tmp_path, monkeypatch, servers, where):
    for name, value in servers.environment(where).items():
        monkeypatch.setenv(name, value)
    newer = await asyncio.to_thread(next_version, tmp_path / "next")
    home, history = tmp_path / "home", History()
    settings = Settings(home=home, **SHORT)
    async with await App.open(settings) as old, person(create_app(old), "ann") as ann:
        await load(ann.client, history, 1)
        async with beginning("api", home, newer, monkeypatch) as api:
            base, headers = f"http://127.0.0.1:{api.port}", dict(ann.client.headers)
            async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as client:
                async with working(old):
                    both = load(client, history, 2), load(ann.client, history, 3)
                    fresh, _ = await asyncio.gather(*both)
                    renamed = await ann.client.patch(f"/v1/files/{fresh}", json={"name": "x.png"})
                    assert renamed.is_success, renamed.text
                    await ended(client, history.jobs)
                    known = len(history.jobs)
                    await load(client, history, 4, "transmute")
                    await until_passed_on(settings)
                    told = await client.get(f"/v1/jobs/{history.jobs[-1]}")
                    assert told.json()["state"] == "running"
                    assert (await ann.client.get(f"/v1/jobs/{history.jobs[-1]}")).is_success
                    assert (await ann.client.get("/v1/jobs")).is_success
                passed_on(settings, history.jobs[known:])
            async with beginning("worker", home, newer, monkeypatch):
                await asyncio.gather(*(load(ann.client, history, n) for n in (5, 6)))
                await ended(ann.client, history.jobs)
                await until_drawn(settings)
        assert unknown_to_the_old(settings) == {"happy": 12, None: 24}
    async with (
        await App.open(settings) as app,
        client_of(create_app(app), authorization=headers["authorization"]) as client,
    ):
        assert await history.check(client, settings) == []


async def until_passed_on(settings: Settings) -> None:
    """Wait until the old worker has had both in hand: thumbnails, and items of a job."""
    async with asyncio.timeout(90):
        had: set[str] = set()
        while had != {"draw", "items"}:
            await asyncio.sleep(0.1)
            open_ones = [unit for unit in table(settings, Unit) if unit.state.open]
            had = {unit.kind for unit in open_ones if unit.fence} & {"draw", "items"}


def passed_on(settings: Settings, jobs: list[str]) -> None:
    """What the old worker cannot do waits as it was, thumbnails and jobs alike."""
    waiting = [unit for unit in table(settings, Unit) if unit.state.open]
    assert {unit.kind for unit in waiting} >= {"draw", "items"}
    for unit in waiting:
        if unit.kind == "draw" or unit.group in jobs:
            assert (unit.attempts, unit.lost, unit.strikes, unit.error) == (0, 0, {}, "")
            assert unit.state == "ready"
    assert any(unit.fence for unit in waiting if unit.kind == "draw")


async def until_drawn(settings: Settings) -> None:
    async with asyncio.timeout(90):
        while any(unit.kind == "draw" and unit.state.open for unit in table(settings, Unit)):
            await asyncio.sleep(0.1)


def unknown_to_the_old(settings: Settings) -> dict[str | None, int]:
    """Count the files by what stands in the column that the old program does not know."""
    sql = "SELECT mood, count(*) FROM files GROUP BY mood"
    if settings.store_url.startswith("postgresql"):
        with psycopg.connect(settings.store_url) as connection:
            return dict(connection.execute(sql).fetchall())
    if settings.store_url.startswith("dynamodb"):
        return dict(
            Counter(item.get("mood", {}).get("S") for item in items_of(settings.store_url, File))
        )
    connection = apsw.Connection(str(database(settings.store_url)))
    try:
        return dict(connection.execute(sql).fetchall())
    finally:
        connection.close()


def table(settings: Settings, kind: type[Record]) -> list[Any]:
    return [layout_of(kind).decode(row) for row in rows(settings.store_url, kind)[kind.table]]
