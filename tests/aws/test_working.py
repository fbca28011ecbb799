"""The functions that work, on Lambda's machine, against AWS's services; all forms in the soak."""

import asyncio
import os
import random
import signal
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from mediamill.app import App
from mediamill.aws.working import fitting
from mediamill.core.access import Principal
from mediamill.core.settings import Settings
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.port import Update
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.units import Unit, UnitState
from tests.media_factory import clip
from tests.support.cloud import cloud_server, fresh_cloud, rings, schedule_event, sqs_event
from tests.support.functions import FunctionFailed, function
from tests.support.misbehaving import Misbehaving
from tests.support.processes import free_port
from tests.support.serving import working

ROOT = Path(__file__).parents[2]
TOLD = "tests.aws.handlers.told.handler"
ANN = Principal("user_ann")
FRAMES = ("extract-frames", {"fps": 2})
COUNT = 10
"""Photos."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with cloud_server(tmp_path_factory.mktemp("cloud")) as running:
        yield running


class Mill:
    """An installation, seen from a process of the test's own, whose functions the test calls."""

    def __init__(self, cloud, app, folder):
        self.cloud, self.app, self.folder = cloud, app, folder

    @contextmanager
    def function(self, handler="mediamill.aws.worker.handler", settings=None, **options):
        environment = self.cloud.environment(**{"function_margin_seconds": 1} | (settings or {}))
        if handler.startswith("tests."):
            environment["PYTHONPATH"] = f"/var/task:/opt/python:{ROOT}"
            options["visible"] = (str(ROOT / "tests"),)
        with function(handler, environment, self.folder, **options) as run:
            yield run

    async def upload(self, name, data):
        async def chunks():
            yield data

        return await self.app.uploads.receive(ANN, name, chunks(), len(data))

    async def submit(self, files, *steps, **more):
        wish = JobRequest(tuple(file.id for file in files), steps, **more)
        return await self.app.jobs.submit(ANN, wish)

    async def told(self, *texts, **more):
        files = [await self.upload(f"{n}.txt", text.encode()) for n, text in enumerate(texts)]
        return await self.submit(files, ("told", {}), **more)

    async def job(self, job):
        return await self.app.jobs.get(ANN, job.id)

    async def progress(self, job):
        return await self.app.jobs.progress(await self.job(job))

    async def unit(self, job, seq=0):
        return await self.app.repositories.units.get(job.id, seq)

    async def call(self, run, event=None, **options):
        return await asyncio.to_thread(run.invoke, event or rings(), **options)

    async def results(self, job):
        stage = (await self.job(job)).stage
        return [one async for one in self.app.repositories.results.walk_stage(job.id, stage)]

    async def leased(self, job):
        """Wait until somebody has the job's first unit in hand."""
        async with asyncio.timeout(60):
            while (await self.unit(job)).state is not UnitState.LEASED:
                await asyncio.sleep(0.05)

    async def ended(self, job, state=JobState.SUCCEEDED):
        ended = await self.job(job)
        assert ended.state is state, ended
        return ended


@pytest.fixture
async def mill(server, tmp_path, monkeypatch):
    cloud = fresh_cloud(server)
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path / "home"))
    async with await App.open(Settings(), Misbehaving()) as app:
        yield Mill(cloud, app, tmp_path)


def photo(number, size=64):
    pixels = np.random.default_rng(number).integers(0, 255, (size, size, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def processes(run):
    """List the process numbers of a function's machine, but for its own."""
    found, pending = [], [run.machine.pid]
    while pending:
        number = pending.pop()
        for task in Path(f"/proc/{number}/task").iterdir():
            pending += map(int, (task / "children").read_text().split())
        found.append(number)
    return [number for number in found if b"function_machine" not in _words(number)]


def _words(number):
    return Path(f"/proc/{number}/cmdline").read_bytes()


@pytest.mark.parametrize(
    ("megabytes", "slots", "memory"),
    [(512, 1, 1024), (1769, 1, 1257), (3538, 2, 1513), (8000, 2, 2048)],
)
def test_slots_leave_the_function_some_memory(megabytes, slots, memory, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(2))
    assert fitting(megabytes) == {"slots": slots, "slot_memory_mb": memory}
    monkeypatch.setenv("MEDIAMILL_SLOT_MEMORY_MB", "700")
    assert fitting(megabytes) == {"slots": slots}


async def test_all_there_is_is_done_in_one_call(mill):
    """Frames of a video, thumbnails, an input that ends its slot; messages twice, in any order."""
    video = await mill.upload("clip.mp4", clip(mill.folder / "clip.mp4", seconds=2).read_bytes())
    photos = [await mill.upload(f"{n}.jpg", photo(n)) for n in range(COUNT)]
    frames = await mill.submit([video], FRAMES)
    small = await mill.submit(photos, ("thumbnail", {}))
    poison = await mill.told("good a", "segfault", "good b")
    messages = await asyncio.to_thread(mill.cloud.received, "work")
    assert messages, "nobody was called"
    with mill.function(TOLD) as run:
        for event in (sqs_event(messages), rings(), sqs_event(messages[::-1]), rings("x", "")):
            assert await mill.call(run, event) == {"batchItemFailures": []}
    assert (await mill.ended(frames)).counts.succeeded == 1
    assert (await mill.ended(small)).counts.succeeded == COUNT
    (result,) = await mill.results(frames)
    assert result.files[0].info["frames"] == 4
    written = [chunk async for chunk in mill.app.results.read(result.files[0].blob)]
    assert sum(map(len, written)) == result.files[0].size
    drawn = [await mill.app.repositories.files.get(file.id) for file in (video, *photos)]
    assert all(file.thumbnail for file in drawn)
    ended = await mill.ended(poison, JobState.PARTIAL)
    assert (ended.counts.succeeded, ended.counts.failed) == (2, 1)
    assert [one.code for one in await mill.results(poison)] == ["", "slot_failed", ""]


@pytest.mark.soak
async def test_what_takes_all_memory_fails_alone(mill):
    job = await mill.told("good a", "native_hog", "good b")
    with mill.function(TOLD, {"slot_memory_mb": 4096, "crash_limit": 1}, memory_mb=700) as run:
        if not run.limited:
            pytest.skip("this kernel lets us limit no group's memory")
        await mill.call(run)
    await mill.ended(job, JobState.PARTIAL)
    assert [one.code for one in await mill.results(job)] == ["", "out_of_memory", ""]


@pytest.mark.soak
async def test_an_input_too_large_for_tmp_is_left_to_a_worker(mill):
    file = await mill.upload("large.txt", b"x" * (30 << 20))
    job = await mill.submit([file], ("copy", {}))
    with mill.function(TOLD, tmp_mb=32) as run:
        await mill.call(run)
    assert (await mill.unit(job)).klass == "long"
    assert (await mill.progress(job)).for_workers == 1
    async with working(mill.app):
        assert (await mill.app.jobs.wait(ANN, job.id, 30)).state is JobState.SUCCEEDED


@pytest.mark.soak
async def test_results_too_large_for_tmp_are_left_to_a_worker(mill):
    file = await mill.upload("large.txt", b"x" * (20 << 20))
    job = await mill.submit([file], ("copy", {}))
    with mill.function(TOLD, tmp_mb=32) as run:
        await mill.call(run)
        unit = await mill.unit(job)
        assert (unit.klass, unit.payload["cut"]) == ("interactive", 1)
        while (await mill.unit(job)).due > await mill.app.store.now():
            await asyncio.sleep(0.1)
        await mill.call(run)
    assert (await mill.unit(job)).klass == "long"
    async with working(mill.app):
        assert (await mill.app.jobs.wait(ANN, job.id, 30)).state is JobState.SUCCEEDED


@pytest.mark.soak
async def test_the_end_of_its_time_gives_back_what_is_not_done(mill):
    with mill.function(TOLD, timeout=10) as run:
        await mill.call(run)
        job = await mill.told("good a", "sleep 30", "good b")
        calling = asyncio.create_task(mill.call(run))
        await mill.leased(job)
        await asyncio.sleep(2)
        assert await asyncio.to_thread(mill.cloud.received, "work"), "who submits, and who begins"
        assert await calling == {"batchItemFailures": []}
        unit = await mill.unit(job)
        assert (unit.state, unit.payload.get("cut")) == (UnitState.READY, None)
        assert 0 < len(unit.pending()) < 3
        rung = await asyncio.to_thread(mill.cloud.received, "work")
        assert rung, "nobody is called for what is left"
        await mill.call(run)
        await mill.call(run)
    assert (await mill.unit(job)).klass == "long"


@pytest.mark.soak
async def test_a_call_that_is_killed_in_its_midst_loses_and_doubles_nothing(mill):
    """As Lambda does at the end of its time, and when it takes the machine away."""
    with mill.function("tests.aws.handlers.told.late") as run:
        await mill.call(run)
        job = await mill.told("good a", "sleep 3")
        with pytest.raises(FunctionFailed) as failed:
            await mill.call(run, timeout=2)
        assert failed.value.kind == "Sandbox.Timedout"
        before = await mill.unit(job)
        assert before.state is UnitState.LEASED
        calling = asyncio.create_task(mill.call(run))
        async with asyncio.timeout(60):
            while (await mill.job(job)).state is not JobState.SUCCEEDED:
                await asyncio.sleep(0.2)
                if calling.done():
                    await calling
                    calling = asyncio.create_task(mill.call(run))
        await calling
    ended = await mill.ended(job)
    assert ended.counts.succeeded == 2
    assert len(await mill.results(job)) == 2
    assert (await mill.unit(job)).lost == 1


@pytest.mark.soak
async def test_a_machine_that_is_taken_away(mill):
    with mill.function(TOLD, timeout=9) as run, mill.function(TOLD, timeout=20) as other:
        await mill.call(run)
        job = await mill.told("sleep 2")
        calling = asyncio.create_task(mill.call(run))
        await mill.leased(job)
        for number in processes(run):
            os.kill(number, signal.SIGKILL)
        with pytest.raises(FunctionFailed):
            await calling
        async with asyncio.timeout(60):
            while (await mill.job(job)).state is not JobState.SUCCEEDED:
                await mill.call(other)
                await asyncio.sleep(0.2)
    assert len(await mill.results(job)) == 1


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_machines_that_are_taken_away_at_random(mill):
    """Twelve times, in less than a minute; what was killed too often is finished by a worker."""
    draw = random.Random(4)
    with mill.function(TOLD, timeout=10) as run:
        await mill.call(run)
        jobs = [await mill.told(*("sleep 0.8",) * 3, reuse=False) for _ in range(6)]
        for _ in range(12):
            calling = asyncio.create_task(mill.call(run))
            await asyncio.sleep(draw.uniform(2, 5))
            for number in processes(run):
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            with suppress(FunctionFailed):
                await calling
    async with working(mill.app):
        for job in jobs:
            await mill.app.jobs.wait(ANN, job.id, 60)
    for job in jobs:
        assert (await mill.ended(job)).counts.succeeded == 3
        results = await mill.results(job)
        assert sorted(one.item for one in results) == [*range(3)]
    lost = [(await mill.unit(job)).lost for job in jobs]
    assert sum(lost) >= 3, "nobody was killed in mid-unit"


@pytest.mark.soak
async def test_a_call_frozen_past_its_lease_changes_nothing_afterwards(mill):
    settings = {"function_margin_seconds": 4}
    with mill.function(TOLD, settings, timeout=15) as run, mill.function(TOLD) as other:
        await mill.call(run)
        await mill.call(other)
        job = await mill.told("sleep 2")
        calling = asyncio.create_task(mill.call(run))
        await mill.leased(job)
        held = (await mill.unit(job)).due
        for number in processes(run):
            os.kill(number, signal.SIGSTOP)
        while await mill.app.store.now() < held:
            await asyncio.sleep(0.1)
        await mill.call(other)
        before = await mill.unit(job)
        assert (before.state, before.fence) == (UnitState.DONE, 2)
        for number in processes(run):
            os.kill(number, signal.SIGCONT)
        await calling
    assert await mill.unit(job) == before
    assert len(await mill.results(job)) == 1


@pytest.mark.soak
async def test_a_job_that_is_cancelled_in_mid_unit(mill):
    job = await mill.told("sleep 25")
    with mill.function(TOLD, {"lease_seconds": 1.5}) as run:
        calling = asyncio.create_task(mill.call(run))
        await mill.leased(job)
        await mill.app.jobs.cancel(ANN, job.id)
        await asyncio.wait_for(calling, 60)
    await mill.ended(job, JobState.CANCELLED)


@pytest.mark.soak
async def test_the_notifier_tells_and_the_sweep_rings_and_counts(mill):
    job = await mill.told("good a")
    long = await mill.told("good b")
    changes = {"cost": 1000.0}
    await mill.app.store.transact(Update(Unit, (long.id, 0), set=changes))
    with mill.function(TOLD) as run:
        await mill.call(run)
    await asyncio.to_thread(mill.cloud.received, "work")
    await asyncio.to_thread(mill.cloud.received, "notices")
    assert (await mill.app.repositories.units.get(f"{job.id}:notify", 1)).state is UnitState.READY
    with mill.function("mediamill.aws.sweep.handler") as run:
        due = await mill.call(run, schedule_event())
        assert due["notices"] == 1
        assert due["long"] == 1
        assert '"units_ready_long": 1' in run.logs()
    assert await asyncio.to_thread(mill.cloud.received, "notices"), "nobody is called to tell"
    with mill.function("mediamill.aws.notifier.handler") as run:
        await mill.call(run)
    assert (await mill.app.repositories.units.get(f"{job.id}:notify", 1)).state is UnitState.DONE


@pytest.mark.soak
async def test_a_store_that_is_away_has_messages_shown_again(mill):
    store = f"dynamodb://x?region=us-east-1&endpoint=http://127.0.0.1:{free_port()}"
    event = rings("a", "b")
    with mill.function(settings={"store_url": store}) as run, pytest.raises(FunctionFailed):
        await mill.call(run, event)  # nothing is open yet: the call itself fails
    with mill.function("tests.aws.handlers.told.away") as run:
        failed = [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]
        assert await mill.call(run, event) == {"batchItemFailures": failed}
