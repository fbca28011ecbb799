"""Workers on machines of their own, one PostgreSQL, one S3 server; one is cut off, one is killed.

The machines are network namespaces. Whoever is cut off keeps its connections, half open: nothing
tells it, or the servers, that the other side is gone. The soak does so 20 times, with cuts of up to
20 seconds, in about 5 minutes.
"""

import asyncio
import random
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from mediamill.core.errors import Unavailable
from mediamill.core.settings import Settings
from mediamill.store.opening import open_store
from mediamill.store.port import Put, Store, Update
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import User
from tests.faults.history import History
from tests.faults.rows import rows
from tests.media_factory import clip
from tests.support.buckets import KEYS, bucket_server
from tests.support.namespaces import Machine, network
from tests.support.postgres import postgres_server
from tests.support.processes import Process, running, signed_in

LEASE = 2
SHORT = {"lease_seconds": LEASE, "poll_seconds": 0.2, "slots": 1, "min_free_bytes": 0}
LONGEST_CUT = 20
REJOINS_WITHIN = 30
"""Seconds until whoever was cut off works again: a silent connection is given up after fifteen, an
attempt to make another one after ten."""
FREE_WITHIN = 30
"""Seconds until nobody waits any more for what a client that is gone has locked."""


class Remote(Process):
    """A worker on a machine of its own."""

    def __init__(self, machine: Machine, folder: Path, **settings: object) -> None:
        folder.mkdir()
        super().__init__("worker", folder / "home", **settings)
        self.machine, self.starts = machine, 0

    def command(self) -> list[str]:
        return [*self.machine.inside, *super().command()]

    def start(self) -> None:
        self.starts += 1
        super().start()

    async def begun(self) -> None:
        """Wait until it works, as often as it was started."""
        async with asyncio.timeout(60):
            while self.log().count('"action": "started"') < self.starts:
                assert self.child is not None
                assert self.child.poll() is None, self.log()[-3000:]
                await asyncio.sleep(0.05)

    def holds(self, holder: str) -> bool:
        """Tell whether a unit's holder is this worker."""
        assert self.child is not None
        return f"-{self.child.pid}-" in holder


@dataclass
class Field:
    """The service and its workers, and what a client was told."""

    folder: Path
    store_url: str
    settings: Settings
    client: httpx.AsyncClient
    workers: list[Remote]
    history: History
    files: list[str]
    database: psycopg.AsyncConnection[tuple[str, ...]]

    async def submit(self, jobs: int) -> list[str]:
        """Submit jobs of three units each, none of which can take over another's results."""
        made = []
        for _ in range(jobs):
            every = 0.2 + len(self.history.jobs) / 1000
            made.append(
                await self.history.submit(self.client, self.files, "extract-frames", every=every)
            )
        return made

    async def ended(self, jobs: list[str], seconds: float = 60) -> None:
        """Wait until jobs have ended, all well."""
        async with asyncio.timeout(seconds):
            for job in jobs:
                state = ""
                while state in ("", "expanding", "running"):
                    answer = await self.client.get(f"/v1/jobs/{job}", params={"wait": 20})
                    state = answer.json()["state"]
                assert state == "succeeded", answer.text

    async def held(self) -> list[tuple[str, int, int, str]]:
        """List what is leased: group, number, fence and holder of each unit."""
        found = await self.database.execute(
            'SELECT "group", seq, fence, holder FROM units WHERE state = %s', ("leased",)
        )
        return await found.fetchall()

    async def in_hand(self, worker: Remote, seconds: float = 30) -> tuple[str, int, int]:
        """Wait until a worker has a unit of a job in hand; return its group, number and fence."""
        async with asyncio.timeout(seconds):
            while True:
                for group, seq, fence, holder in await self.held():
                    if group.startswith("job_") and ":" not in group and worker.holds(holder):
                        return group, seq, fence
                await asyncio.sleep(0.01)

    async def last_claim(self, group: str, seq: int) -> tuple[int, str]:
        """Return the fence of a unit, and who had it last."""
        found = await self.database.execute(
            'SELECT fence, holder FROM units WHERE "group" = %s AND seq = %s', (group, seq)
        )
        row = await found.fetchone()
        assert row is not None
        return row

    async def settled(self, jobs: list[str]) -> set[str]:
        """Wait until nobody writes of jobs any more; return all their rows."""
        async with asyncio.timeout(30):
            before = self._rows_of(jobs)
            while True:
                await asyncio.sleep(0.5)
                if (now := self._rows_of(jobs)) == before:
                    return now
                before = now

    def _rows_of(self, jobs: list[str]) -> set[str]:
        found = rows(self.store_url, Job, Unit, Result).values()
        texts = {repr(row) for table in found for row in table}
        return {text for text in texts if any(job in text for job in jobs)}

    async def broken(self) -> list[str]:
        """Run the history check."""
        return await self.history.check(self.client, self.settings)


@asynccontextmanager
async def field(folder: Path, monkeypatch, workers: int = 3) -> AsyncIterator[Field]:
    """Start everything: servers on the bridge, the API on the host, a worker a machine."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    async with AsyncExitStack() as stack:
        net = stack.enter_context(network(workers))
        postgres = stack.enter_context(postgres_server(listens=net.address))
        buckets = stack.enter_context(bucket_server("ministack", folder, host=net.address))
        buckets.client().create_bucket(Bucket="mill")
        direct_url = postgres.database("mill").replace("127.0.0.1", net.address)
        store_url = f"{direct_url}?allow_plaintext=true"
        blobs_url = buckets.url("mill/here", allow_plaintext="true")
        places = {"store_url": store_url, "blobs_url": blobs_url}
        api = await stack.enter_async_context(running("api", folder / "home", **SHORT, **places))
        client = await stack.enter_async_context(signed_in(api))
        database = await stack.enter_async_context(
            await psycopg.AsyncConnection.connect(direct_url, autocommit=True)
        )
        remote = [
            Remote(machine, folder / f"machine-{n}", **SHORT, **places)
            for n, machine in enumerate(net.machines)
        ]
        settings = Settings(home=folder / "home", min_free_bytes=0, **places)
        made = Field(folder, store_url, settings, client, remote, History(), [], database)
        for n in range(3):
            video = clip(folder / f"clip-{n}.mp4", seconds=3 + n).read_bytes()
            made.files.append(await made.history.upload(client, f"clip-{n}.mp4", video))
        try:
            for worker in remote:
                worker.start()
            for worker in remote:
                await worker.begun()
            yield made
        finally:
            for worker in remote:
                worker.machine.mend()
                await asyncio.to_thread(worker.end)


async def rejoined(there: Field, worker: Remote) -> float:
    """Wait until a worker has new work in hand; return how long that took (s)."""
    clock = asyncio.get_running_loop()
    begin = clock.time()
    async with asyncio.timeout(REJOINS_WITHIN):
        while True:
            await there.submit(2)
            with suppress(TimeoutError):
                await there.in_hand(worker, seconds=2)
                return clock.time() - begin


async def busy(there: Field, worker: Remote, jobs: list[str]) -> tuple[str, int, int]:
    """Wait until a worker has a unit in hand, with more work where all has ended before."""
    while True:
        with suppress(TimeoutError):
            return await there.in_hand(worker, seconds=5)
        jobs += await there.submit(2)


async def caught(there: Field, worker: Remote, jobs: list[str]) -> tuple[str, int, int]:
    """Cut a worker off while it has a unit in hand; return its group, number and fence.

    Work that ends as the link is cut was not in hand: then there is more of it.
    """
    async with asyncio.timeout(90):
        while True:
            unit = await busy(there, worker, jobs)
            worker.machine.cut()
            await asyncio.sleep(0.3)  # what was sent before has come
            if unit in [held[:3] for held in await there.held() if worker.holds(held[3])]:
                return unit
            worker.machine.mend()


async def test_one_is_cut_off_and_one_is_killed(tmp_path, monkeypatch):
    async with field(tmp_path, monkeypatch) as there:
        well, killed, cut_off = there.workers
        jobs = await there.submit(4)
        group, seq, fence = await caught(there, cut_off, jobs)
        await busy(there, killed, jobs)
        killed.end(signal.SIGKILL)
        await there.ended(jobs)  # the link is still cut
        later, holder = await there.last_claim(group, seq)
        assert later > fence
        assert not cut_off.holds(holder)
        before = await there.settled(jobs)
        cut_off.machine.mend()
        await asyncio.to_thread(well.end)  # so nobody else is left to do anything
        print(f"works again after {await rejoined(there, cut_off):.1f} s")
        await there.ended(there.history.jobs)
        assert '"action": "lease_lost"' in cut_off.log()  # it had something in hand, and noticed
        assert await there.settled(jobs) == before  # whatever it sent late
        assert await there.broken() == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_cut_off_and_killed_again_and_again(tmp_path, monkeypatch):
    rounds, chance, took = 20, random.Random(5), list[float]()
    async with field(tmp_path, monkeypatch) as there:
        for n in range(rounds):
            cut_off, killed, _ = chance.sample(there.workers, 3)
            jobs = await there.submit(4)
            await asyncio.sleep(chance.random())
            cut_off.machine.cut()
            await asyncio.sleep(chance.random())
            killed.end(signal.SIGKILL)
            await there.ended(jobs)
            await asyncio.sleep(chance.random() * LONGEST_CUT * (n % 2))
            cut_off.machine.mend()
            killed.start()
            took.append(await rejoined(there, cut_off))
            await there.ended(there.history.jobs)
            await killed.begun()
        lost = sum(worker.log().count('"action": "lease_lost"') for worker in there.workers)
        print(f"{rounds} rounds: {len(there.history.jobs)} jobs, {lost} leases lost", sorted(took))
        assert lost >= rounds / 4
        assert await there.broken() == []


async def changed(store: Store) -> bool:
    """Change a row; False when that took too long."""
    try:
        await store.transact(Update(User, ("user_1",), set={"name": "A"}))
    except Unavailable:
        return False
    return True


LOCKING = """
import asyncio, sys
from mediamill.store.opening import open_store

async def main():
    store = await open_store(sys.argv[1])
    async with store._pool.connection() as connection:
        await connection.execute("BEGIN")
        await connection.execute("SELECT 1 FROM users FOR UPDATE")
        print("locked", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.soak
async def test_what_a_cut_off_client_has_locked_is_soon_free(tmp_path, monkeypatch):
    with network(1) as net, postgres_server(listens=net.address) as postgres:
        (machine,) = net.machines
        url = postgres.database("mill").replace("127.0.0.1", net.address)
        url += "?allow_plaintext=true"
        store = await open_store(url)
        try:
            await store.transact(Put(User(id="user_1", email="a@example.org", created=1)))
            command = [*machine.inside, sys.executable, "-c", LOCKING, url]
            client = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
            try:
                assert await client.stdout.readline() == b"locked\n"
                machine.cut()
                begin = asyncio.get_running_loop().time()
                async with asyncio.timeout(FREE_WITHIN):
                    while not await changed(store):
                        pass
                print(f"free after {asyncio.get_running_loop().time() - begin:.1f} s")
            finally:
                client.kill()
                await client.wait()
        finally:
            await store.close()
