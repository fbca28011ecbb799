"""R3: a worker frozen past its lease; another does its work, then it wakes and changes no row.

Every second one is frozen between the end of its work and its commit, the others in mid-work. The
soak freezes 100 times in about 7 minutes.
"""

import asyncio
import random
import signal
from pathlib import Path

import apsw
import psycopg
import pytest

from mediamill.app import App
from mediamill.core.errors import Unavailable
from mediamill.core.settings import Settings
from mediamill.store.opening import open_store
from mediamill.store.port import Put
from mediamill.store.repositories.lanes import Lane
from mediamill.store.repositories.users import User
from mediamill.store.repositories.workers import WorkerRow
from tests.faults.history import History
from tests.faults.rows import database, everything
from tests.faults.test_killed_workers import SHORT, Worker, all_ended, check
from tests.media_factory import clip
from tests.support.places import EACH_STORE, POSTGRESQL, cases
from tests.support.processes import running, signed_in

FREEZING = "tests.faults.freezing"
BUSY = frozenset({Lane.table, WorkerRow.table})


class Freezing(Worker):
    """A worker that freezes where a test says, and notes what its writes changed."""

    def __init__(self, home: Path, *planted: str) -> None:
        super().__init__(home)
        self.folder = home.parent / f"freezing-{id(self)}"
        self.folder.mkdir()
        self.program = (*planted, FREEZING, str(self.folder))

    @property
    def frozen(self) -> bool:
        state = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    def writes(self, job: str) -> list[str]:
        """List the outcomes of its writes of a job's units."""
        file = self.folder / "writes"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.rpartition(" ")[2] for line in lines if line.startswith(job)]


def rows(app: App) -> dict[str, set[tuple]]:
    """Read all tables that only work changes.

    Lanes are told of work by everybody, and each worker says every few seconds that it lives.
    """
    found = everything(app.settings.store_url)
    return {name: there for name, there in found.items() if name not in BUSY}


async def quiet(app: App) -> dict[str, set[tuple]]:
    """Wait until nobody writes any more; return all rows."""
    async with asyncio.timeout(60):
        before = rows(app)
        while True:
            await asyncio.sleep(0.3)
            now = rows(app)
            if now == before:
                return now
            before = now


async def holder(app: App, job: str, workers: list[Freezing]) -> Freezing | None:
    """Return the worker that has the job's item in hand, if one has."""
    unit = await app.repositories.units.get(job, 0)
    held = unit is not None and unit.state == "leased"
    return next((w for w in workers if held and f"-{w.child.pid}-" in unit.holder), None)


def locked(app: App) -> bool:
    """Tell whether somebody keeps the write lock of an SQLite file."""
    if not app.settings.store_url.startswith("sqlite:"):
        return False
    connection = apsw.Connection(str(database(app.settings.store_url)))
    connection.set_busy_timeout(500)
    try:
        connection.execute("BEGIN IMMEDIATE; ROLLBACK")
    except apsw.BusyError:
        return True
    finally:
        connection.close()
    return False


async def freeze(app: App, job: str, workers: list[Freezing], pause: float) -> Freezing | None:
    """Freeze whoever has a job's unit, after a pause, unless it freezes itself at its commit.

    Returns None when the job had ended by then, and when it sleeps in the middle of a transaction:
    then nobody writes to an SQLite file before it wakes.
    """
    async with asyncio.timeout(60):
        while (found := await holder(app, job, workers)) is None:
            if (await app.repositories.jobs.need(job)).state.terminal:
                return None
            await asyncio.sleep(0.005)
        if not any((worker.folder / "freeze").exists() for worker in workers):
            await asyncio.sleep(pause)
            found.send(signal.SIGSTOP)
        while not any(worker.frozen for worker in workers):
            await asyncio.sleep(0.005)
    found = next(worker for worker in workers if worker.frozen)
    for worker in workers:
        (worker.folder / "freeze").unlink(missing_ok=True)
    if await holder(app, job, [found]) is not None and not await asyncio.to_thread(locked, app):
        return found
    found.send(signal.SIGCONT)
    return None


async def woken(app: App, client, job: str, frozen: Freezing) -> list[str]:
    """Let a job end, wake the worker that had it; list the tables that it changed."""
    ended = await client.get(f"/v1/jobs/{job}", params={"wait": 60}, timeout=70)
    assert ended.json()["state"] == "succeeded", ended.text
    before, told = await quiet(app), len(frozen.writes(job))
    frozen.send(signal.SIGCONT)
    async with asyncio.timeout(60):
        while len(frozen.writes(job)) == told:
            await asyncio.sleep(0.02)
    after = await quiet(app)
    return [f"{job}: {name}" for name in before if before[name] != after[name]]


async def freeze_in_turn(folder: Path, freezes: int, *planted: str, where: str = "") -> list[str]:
    """Freeze one of two workers in each of as many jobs; list what changed as they woke.

    Every second one freezes itself at its commit, at its `middle` if so said; others in mid-work.
    """
    home, history, chance, changed = folder / "home", History(), random.Random(8), []
    async with (
        running("api", home, **SHORT) as api,
        signed_in(api) as client,
        await App.open(Settings(home=home, min_free_bytes=0)) as app,
    ):
        video = clip(folder / "clip.mp4", seconds=6).read_bytes()
        file = await history.upload(client, "clip.mp4", video)
        workers = [Freezing(home, *planted) for _ in range(2)]
        for worker in workers:
            worker.start()
        done = tried = 0
        try:
            while done < freezes:
                tried += 1
                assert tried <= 3 * freezes + 5
                for worker in workers:
                    await worker.begun()
                    if done % 2 == 0:
                        (worker.folder / "freeze").write_text(where)
                every = 0.05 + tried / 10_000
                job = await history.submit(client, [file], "extract-frames", every=every)
                frozen = await freeze(app, job, workers, chance.random() * 0.2)
                if frozen is None:
                    continue
                changed += await woken(app, client, job, frozen)
                if not planted:
                    ends = {"refused", "broken"} if where else {"refused"}
                    assert frozen.writes(job)[-1] in ends
                done += 1
            if not planted:
                await all_ended(client, history)
                await check(client, history, home)
        finally:
            for worker in workers:
                await asyncio.to_thread(worker.end)
    print(f"{done} freezes in {tried} jobs")
    return changed


@cases("freezes", [(POSTGRESQL, 1)], [(place, 100) for place in EACH_STORE])
@pytest.mark.timeout(3600)
async def test_a_frozen_worker_wakes_and_changes_nothing(tmp_path, freezes):
    assert await freeze_in_turn(tmp_path, freezes) == []


@cases("freezes", [], [(POSTGRESQL, 20)])
@pytest.mark.timeout(3600)
async def test_a_worker_frozen_within_a_transaction_holds_up_nobody(tmp_path, freezes):
    """Its locks are taken from it, after a quarter of a minute."""
    assert await freeze_in_turn(tmp_path, freezes, where="middle") == []


@pytest.mark.places(POSTGRESQL)
async def test_locks_of_a_silent_transaction_are_given_up(tmp_path, monkeypatch):
    """The same within this process: who says nothing before its commit has written nothing."""
    url = Settings(home=tmp_path).store_url
    await (await open_store(url)).close()  # its tables are made in as much time as that takes
    store = await open_store(f"{url}?options=-c%20idle_in_transaction_session_timeout%3D200")
    real = psycopg.AsyncConnection.execute

    async def execute(self, query, *values):
        await asyncio.sleep(1 if query == "COMMIT" else 0)
        return await real(self, query, *values)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", execute)
    users = [User(id=f"user_{n}", email=f"{n}@example.org", created=1) for n in range(2)]
    with pytest.raises(Unavailable):
        await store.transact(*map(Put, users))
    assert await store.get(User, "user_0") is None
    await store.close()


@pytest.mark.soak
@pytest.mark.places(*EACH_STORE)
async def test_a_commit_without_its_fence_is_noticed(tmp_path):
    """The planted fault of R3."""
    assert await freeze_in_turn(tmp_path, 2, "tests.faults.planted", "no fence") != []
