"""Events: API and workers are killed at random moments, and every acknowledged fact is told.

The client's own log says what was acknowledged; the receiver's what came. A repeat is allowed to
come twice, with the id that it had: what counts is one distinct id for each fact, and none for what
never happened. The short form kills each once, the soak 300 in about 20 minutes.
"""

import asyncio
import random
import signal
import time
from collections import defaultdict
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.faults.test_killed_api import keep_running, until_answered
from tests.handlers.files.test_fetch import png
from tests.support.places import POSTGRESQL, SQLITE, cases
from tests.support.processes import Process, free_port, signed_in, until_live
from tests.support.receivers import receiver

SHORT = {
    "poll_seconds": 0.1, "slots": 1, "lease_seconds": 1, "min_free_bytes": 0,
    "fetch_allow": "127.0.0.1:*",
}  # fmt: skip


class Told:
    """What was acknowledged, and which events came about it."""

    def __init__(self) -> None:
        self.facts: set[tuple[str, str]] = set()

    def wrong(self, events) -> list[str]:
        """Return each fact that was told under no id or several, and what was told and is none."""
        ids = defaultdict(set)
        for event in events:
            ids[event["type"], event["data"]["id"]].add(event["id"])
        found = [f"{fact}: {sorted(ids[fact])}" for fact in self.facts if len(ids[fact]) != 1]
        return found + [f"{fact} never happened" for fact in ids if fact not in self.facts]


@asynccontextmanager
async def kept_running(*processes: Process):
    """Run processes, each again whenever it has died; end them with the block."""
    watches = []
    try:
        for process in processes:
            process.start()
            watches.append(asyncio.ensure_future(keep_running(process)))
        yield
    finally:
        for watch in watches:
            watch.cancel()
        for process in processes:
            await asyncio.to_thread(process.end)


async def kill_in_turn(tmp_path, kills: int, *planted: str) -> tuple[list[str], int]:
    """Upload and delete while API and worker are killed; return what is wrong, and repeats."""
    home, told, chance, point = tmp_path / "home", Told(), random.Random(5), tmp_path / "die-at"
    api, worker = Process("api", home, free_port(), **SHORT), Process("worker", home, **SHORT)
    api.program = (*planted, "tests.faults.dying_api", str(point))
    async with receiver() as there, kept_running(api, worker):
        await until_live(api)
        async with signed_in(api) as client:
            hook = await client.post("/v1/webhooks", json={"url": there.url()})
            assert hook.status_code == 201, hook.text
            for n in range(1, kills + 1):
                if n % 4 == 1:
                    point.write_text("file committed")
                victim = (worker, api)[n // 2 % 2]
                ending = asyncio.ensure_future(_killed(victim, chance.random() * 0.3))
                name = {"params": {"name": f"{n}.png"}, "content": png(64)}
                file = (await until_answered(client, "/v1/files", f"key-{n}", **name)).json()["id"]
                told.facts |= {("file.created", file)}
                if n % 2:
                    await _deleted(client, file)
                    told.facts |= {("file.deleted", file), ("file.purged", file)}
                await ending
            await _settled(there, told)
        events = [got.event for got in there.got]
        return told.wrong(events), len(events) - len({event["id"] for event in events})


async def _killed(victim: Process, after: float) -> None:
    await asyncio.sleep(after)
    victim.send(signal.SIGKILL)


async def _deleted(client, file: str) -> None:
    """Delete for good, until that is acknowledged: an answer may have been lost."""
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await client.delete(f"/v1/files/{file}?now=true")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code in (204, 404):
                return
            await asyncio.sleep(0.05)


async def _settled(there, told: Told, seconds: float = 30) -> None:
    """Wait until all has come, or nothing has for a while."""
    seen, until = -1, 0.0
    while told.wrong([got.event for got in there.got]):
        if len(there.got) > seen:
            seen, until = len(there.got), time.monotonic() + seconds
        if time.monotonic() > until:
            return
        await asyncio.sleep(0.1)


@cases("kills", [(SQLITE, 1)], [(SQLITE, 300), (POSTGRESQL, 300)])
@pytest.mark.timeout(3600)
async def test_every_acknowledged_fact_is_told_under_one_id(tmp_path, kills):
    wrong, repeats = await kill_in_turn(tmp_path, kills)
    assert wrong == []
    print(f"{kills} kills: {repeats} events came more than once, with their id")


@pytest.mark.soak
async def test_an_announcement_apart_from_its_fact_is_noticed(tmp_path):
    """The planted fault: what dies between the two is never told."""
    wrong, _ = await kill_in_turn(tmp_path, 6, "tests.faults.planted", "told apart")
    assert wrong
