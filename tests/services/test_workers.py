"""Workers as administrators and the operator see them, on every store."""

import asyncio

import pytest
from click.testing import CliRunner
from tests.support.places import EACH_STORE

from mediamill.cli.root import root
from mediamill.core.access import Principal
from mediamill.core.clock import DAY, HOUR
from mediamill.core.errors import Forbidden, NotFound
from mediamill.core.settings import Settings
from mediamill.engine.presence import Presence
from mediamill.services.workers import WorkerService
from mediamill.store.opening import open_store
from mediamill.store.port import Put, Update
from mediamill.store.repositories.audit import Audit
from mediamill.store.repositories.workers import WorkerRow, Workers, WorkerState

on_each_store = pytest.mark.places(*EACH_STORE)


@pytest.fixture
async def store(tmp_path, monkeypatch, place):
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path))
    opened = await open_store(Settings().store_url)
    yield opened
    await opened.close()


async def told(presence: Presence, state: WorkerState = WorkerState.RUNNING, running: int = 0):
    return await presence.tell("mill-1-a", ("bulk", "long"), state, running)


async def command(*words: str) -> tuple[int, str]:
    result = await asyncio.to_thread(CliRunner().invoke, root, ["admin", "workers", *words])
    return result.exit_code, result.output + str(result.exception or "")


@on_each_store
async def test_the_commands(store):
    one, other = (Presence(Workers(store), lease=3, stays=stays) for stays in (False, True))
    first = await told(one, running=2)
    second = await other.tell("mill-2-b", ("bulk",), WorkerState.RUNNING, 0)
    code, text = await command("list")
    assert [line.split("\t")[:4] for line in text.splitlines()] == [
        [first.id, "mill-1-a", "running", "2"], [second.id, "mill-2-b", "running", "0"],
    ]  # fmt: skip
    assert await command("drain", "mill-1-a") == (0, "mill-1-a drains.\n")
    assert (await told(one)).drain
    assert await command("undrain", first.id) == (0, "mill-1-a takes jobs.\n")
    assert not (await told(one)).drain
    draining = asyncio.create_task(command("drain", "--all", "--wait"))
    for presence, name in ((one, "mill-1-a"), (other, "mill-2-b")):
        while not (row := await presence.tell(name, ("bulk",), WorkerState.RUNNING, 0)).drain:
            await asyncio.sleep(0.02)
        assert (await presence.tell(name, ("bulk",), WorkerState.DRAINED, 0)).id == row.id
    assert await draining == (0, "mill-1-a has drained.\nmill-2-b has drained.\n")
    code, text = await command("undrain", "mill-1-a")
    assert (code != 0, "has drained and ended" in text) == (True, True)
    assert (await command("undrain", second.host))[1] == "mill-2-b takes jobs.\n"
    code, text = await command("drain", "mill-9")
    assert (code != 0, "no worker mill-9" in text) == (True, True)
    code, text = await command("drain")
    assert (code, "--all" in text) == (2, True)
    acts = await Audit(store).search(actor="operator", about=second.id)
    assert [act.action for act in acts.rows] == ["worker_undrained", "worker_drained"]


@on_each_store
async def test_who_vanished_is_lost_and_then_forgotten(store):
    service = WorkerService(Workers(store))
    lost = Presence(Workers(store), lease=3)
    row = await told(lost)
    now = await store.now()
    await store.transact(Update(WorkerRow, (row.id,), set={"until": now - 1}))
    assert [(one.row.id, one.lost) for one in await service.all()] == [(row.id, True)]
    code, text = await command("drain", row.id, "--wait")
    assert (code != 0, "mill-1-a is lost: it was not heard" in text) == (True, True), text
    await store.transact(Update(WorkerRow, (row.id,), set={"until": now - DAY - 60_000}))
    assert await service.all() == []
    assert await store.get(WorkerRow, row.id) is not None
    await told(Presence(Workers(store), lease=3))
    assert await store.get(WorkerRow, row.id) is None
    assert (await told(lost)) is None, "it is begun again the next time"
    assert (await told(lost)).id == row.id


@on_each_store
async def test_one_who_drained_and_ended_is_not_lost(store):
    service, presence = WorkerService(Workers(store)), Presence(Workers(store), lease=3)
    row = await told(presence)
    await service.want(row.id, drain=True)
    await told(presence)
    row = await told(presence, WorkerState.DRAINED)
    await store.transact(Put(row.evolve(until=await store.now() - DAY + HOUR)))
    (only,) = await service.all()
    assert (only.row.over, only.lost) == (True, False)


async def test_only_administrators(store):
    service, somebody = WorkerService(Workers(store)), Principal("user_x")
    with pytest.raises(Forbidden):
        await service.list(somebody)
    for act in (service.drain, service.undrain):
        with pytest.raises(Forbidden):
            await act(somebody, "worker_x")
    with pytest.raises(NotFound):
        await service.drain(Principal("user_root", role="admin"), "worker_x")
