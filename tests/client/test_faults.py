"""What goes wrong on the way: nothing is doubled, nothing is lost, and the end is told."""

import asyncio
import hashlib
import json
import random
import time
from types import SimpleNamespace

import pytest

from mediamill.client import (
    NEVER,
    AsyncMediamill,
    Corrupt,
    Problem,
    Retries,
    ServerError,
    TooManyRequests,
    Unreachable,
)  # fmt: skip
from mediamill.client.calling import Request, Response
from mediamill.client.retrying import Patience, sending
from tests.cli.conftest import wait_for_service
from tests.client.conftest import QUICK
from tests.support.cutting import cutting
from tests.support.faulty import Fault
from tests.support.listening import beside
from tests.support.processes import Process, free_port

MEBIBYTE = 1 << 20
STEPS = [{"operation": "thumbnail"}]


class EndedEarly(Exception):
    """Stands for the end of a process."""


def test_answers_that_are_lost_double_nothing(client, far, faults, picture):
    name = f"lost-{time.time_ns()}"
    faults.faults += [Fault("lost", "POST", "/v1/files"), Fault("lost", "POST", "/v1/jobs")]
    file = far.files.upload(picture, name=f"{name}.png")
    job = far.jobs.submit(files=[file["id"]], steps=STEPS, name=name)
    project_faults = [Fault("lost", "POST", "/v1/projects"), Fault("lost", "POST", "/files")]
    faults.faults += project_faults
    project = far.projects.create(name=name)
    assert far.projects.add(project["id"], [file["id"]])["added"] in (0, 1)
    assert faults.faults == []
    assert [one["id"] for one in client.files.list(name=name)] == [file["id"]]
    assert [one["id"] for one in client.jobs.list(name=name)] == [job["id"]]
    assert [one["id"] for one in client.projects.list() if one["name"] == name] == [project["id"]]
    assert faults.times("POST", "/v1/jobs") == 2
    keys = [head["Idempotency-Key"] for method, path, head in faults.seen if path == "/v1/jobs"]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_what_may_not_be_repeated_is_not(far, faults):
    faults.faults += [Fault("lost", "POST", "/rerun")]
    with pytest.raises(Unreachable) as lost:
        far.captions.ask_again()
    assert lost.value.sent
    assert faults.times("POST", "/rerun") == 1


def test_what_was_deleted_though_the_answer_was_lost(client, far, faults, picture):
    file = client.files.upload(picture, name="d.png")
    faults.faults += [Fault("lost", "DELETE")]
    assert far.files.delete(file["id"]) is None
    assert faults.times("DELETE", file["id"]) == 2


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_servers_that_ask_to_wait_are_waited_for(far, faults, status):
    faults.faults += [Fault(status, "GET", "/v1/me", retry_after="1"), Fault("cut", "GET")]
    before = time.monotonic()
    assert far.account.me()["id"]
    assert time.monotonic() - before >= 1
    assert faults.times("GET", "/v1/me") == 3


def test_patience_ends(connect, service, faults):
    def asked(status: int, retries: Retries, wait: str = "") -> int:
        faults.clear()
        faults.faults += [Fault(status, retry_after=wait) for _ in range(9)]
        client = connect(f"http://127.0.0.1:{faults.port}", service.token, retries=retries)
        with pytest.raises((ServerError, TooManyRequests)) as told:
            client.account.me()
        assert told.value.status == status
        return len(faults.seen)

    assert asked(503, NEVER) == 1
    assert asked(503, QUICK) == QUICK.tries
    assert asked(429, QUICK, wait="3600") == 1, "an hour is more than it would wait"
    assert asked(500, QUICK) == 1, "a defect does not pass"
    faults.clear()


def test_a_server_that_is_not_there(connect):
    client = connect(f"http://127.0.0.1:{free_port()}", "", retries=QUICK)
    with pytest.raises(Unreachable) as away:
        client.account.me()
    assert not away.value.sent
    assert away.value.message.startswith("The server http://127.0.0.1:")


def test_a_large_file_goes_on_where_it_was_cut(connect, service, some):
    path = some(20 * MEBIBYTE)
    port = int(service.server.rpartition(":")[2])
    with beside(cutting(port, [5 * MEBIBYTE, 6 * MEBIBYTE])) as cutter:
        client, told = connect(f"http://127.0.0.1:{cutter.port}", service.token), []
        file = client.files.upload(path, progress=lambda done, _: told.append(done))
        assert cutter.done == 2
        assert cutter.passed < 30 * MEBIBYTE, "anew it would be 31"
        client.close()
    assert file["state"] == "ready"
    assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told == sorted(told)
    assert told[-1] == file["size"]


def test_another_process_goes_on_with_an_upload(connect, service, some, tmp_path):
    path, state = some(18 * MEBIBYTE), tmp_path / "state"
    port = int(service.server.rpartition(":")[2])
    with beside(cutting(port, [9 * MEBIBYTE] * 99)) as cutter:
        server = f"http://127.0.0.1:{cutter.port}"
        first = connect(server, service.token, state=state)

        def stop(done: int, _total: int) -> None:
            if done > 6 * MEBIBYTE:
                raise EndedEarly

        with pytest.raises(EndedEarly):
            first.files.upload(path, progress=stop)
        first.close()
        assert len(list(state.iterdir())) == 1, "it is remembered where it goes on"
        cutter.cuts, before, seen = [], cutter.passed, []
        second = connect(server, service.token, state=state)
        file = second.files.upload(path, progress=lambda done, _: seen.append(done))
        sent = cutter.passed - before
        second.close()
    assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sent < 18 * MEBIBYTE, "what was there is not sent again"
    assert list(state.iterdir()) == []


def test_a_download_goes_on_where_it_was_cut(client, far, faults, tmp_path):
    data = random.Random(time.time_ns()).randbytes(3 * MEBIBYTE)
    file, told = client.files.upload(data, name="whole.bin"), []
    faults.faults += [Fault("short", "GET", "/content", after=MEBIBYTE) for _ in range(2)]
    saved = far.files.download(file["id"], tmp_path, progress=lambda *one: told.append(one))
    assert saved.read_bytes() == data
    ranges = [head.get("Range") for _, path, head in faults.seen if "/content" in path]
    assert ranges[0] is None
    assert all(ranges[1:])
    assert len(ranges) == 3
    assert told[-1] == (len(data), len(data))
    assert [path.name for path in tmp_path.iterdir()] == ["whole.bin"]


def test_another_process_goes_on_with_a_download(client, connect, service, faults, tmp_path):
    data = random.Random(time.time_ns()).randbytes(3 * MEBIBYTE)
    file, target = client.files.upload(data, name="whole.bin"), tmp_path / "here.bin"
    faults.clear()
    faults.faults += [Fault("short", "GET", "/content", after=2 * MEBIBYTE)]
    server = f"http://127.0.0.1:{faults.port}"
    with pytest.raises(Unreachable):
        connect(server, service.token, retries=NEVER).files.download(file["id"], target)
    (part,) = tmp_path.glob("*.part")
    begun = part.stat().st_size
    assert 0 < begun <= 2 * MEBIBYTE
    assert not target.exists()
    connect(server, service.token).files.download(file["id"], target)
    assert target.read_bytes() == data
    asked = [head.get("Range") for _, path, head in faults.seen if "/content" in path]
    assert asked == [None, f"bytes={begun}-"]
    assert [path.name for path in tmp_path.iterdir()] == ["here.bin"]


def test_a_part_of_other_content_is_not_gone_on_with(client, connect, service, faults, tmp_path):
    data = random.Random(time.time_ns()).randbytes(MEBIBYTE)
    file, target = client.files.upload(data, name="whole.bin"), tmp_path / "here.bin"
    faults.clear()
    faults.faults += [Fault("short", "GET", "/content", after=MEBIBYTE // 2)]
    server = f"http://127.0.0.1:{faults.port}"
    with pytest.raises(Unreachable):
        connect(server, service.token, retries=NEVER).files.download(file["id"], target)
    (note,) = tmp_path.glob("*.json")
    note.write_text(json.dumps({"etag": '"of another time"'}))
    connect(server, service.token).files.download(file["id"], target)
    assert target.read_bytes() == data


def test_a_part_that_is_whole_already_is_not_fetched_again(
    client, connect, service, faults, tmp_path
):
    data = random.Random(time.time_ns()).randbytes(MEBIBYTE)
    file, target = client.files.upload(data, name="whole.bin"), tmp_path / "here.bin"
    faults.clear()
    faults.faults += [Fault("short", "GET", "/content", after=MEBIBYTE // 2)]
    server = f"http://127.0.0.1:{faults.port}"
    with pytest.raises(Unreachable):
        connect(server, service.token, retries=NEVER).files.download(file["id"], target)
    (part,) = tmp_path.glob("*.part")
    part.write_bytes(data)
    connect(server, service.token).files.download(file["id"], target)
    assert target.read_bytes() == data
    assert faults.times("GET", "/content") == 2


def test_bytes_that_are_not_the_servers_are_not_kept(client, far, faults, tmp_path, picture):
    file = client.files.upload(picture, name="p.png")
    faults.faults += [Fault("wrong", "GET", "/content")]
    with pytest.raises(Corrupt):
        far.files.download(file["id"], tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert far.files.download(file["id"], tmp_path).read_bytes() == picture
    job = client.jobs.run(files=[file["id"]], steps=STEPS)
    faults.faults += [Fault("wrong", "GET", "/download")]
    with pytest.raises(Corrupt):
        far.jobs.download(job["id"], tmp_path / "all.zip")


def test_events_are_taken_up_behind_the_last(client, far, faults, picture):
    file = client.files.upload(picture, name="e.png")
    job = client.jobs.submit(files=[file["id"]], steps=STEPS, reuse=False)
    faults.faults += [Fault("cut", "GET", "/events"), Fault(503, "GET", "/events")]
    heard = list(far.jobs.events(job["id"]))
    assert heard[-1].data["state"] == "succeeded"


def test_pauses_grow_and_are_bounded():
    retries = Retries(tries=12, first=1, longest=8, total=1000)
    pauses = [list(retries.pauses()) for _ in range(50)]
    assert all(len(row) == 11 for row in pauses)
    assert all(2**n / 2 <= row[n] <= 2**n for row in pauses for n in range(4))
    assert all(4 <= row[n] <= 8 for row in pauses for n in range(4, 11))
    assert len({row[3] for row in pauses}) == 50, "they are drawn"


def test_a_pause_that_would_end_too_late_is_not_begun():
    patience = Patience(Retries(tries=9, total=5))
    waiting = patience.wait(asked=6)
    with pytest.raises(StopIteration) as end:
        next(waiting)
    assert end.value.value is False


def test_patience_begins_with_the_first_failure(monkeypatch):
    """A line that was quiet for an hour has all its patience when it breaks."""
    patience, began = Patience(Retries(tries=9999, first=1, longest=1, total=5)), time.monotonic()
    clock = [began + 3600]
    timer = SimpleNamespace(monotonic=lambda: clock[0])
    monkeypatch.setattr("mediamill.client.retrying.time", timer)
    pauses = 0
    while True:
        try:
            clock[0] += next(patience.wait()).seconds
        except StopIteration:
            break
        pauses += 1
    assert 5 <= pauses <= 10
    assert clock[0] <= began + 3605
    patience.renew()
    assert next(patience.wait()).seconds <= 1


def test_only_what_never_left_is_sent_again_without_a_key():
    for sent, times in ((False, 2), (True, 1)):
        flow = sending(Request("POST", "/v1/captions/rerun"), Retries(tries=2, first=0.001))
        request = next(flow)
        try:
            flow.throw(Unreachable("away", sent=sent))
        except Unreachable:
            assert times == 1
        else:
            assert flow.send(None) == request
            assert times == 2


def test_an_answer_that_is_no_problem_document_is_told_too():
    problem = Response(502, {}, b"<html>").problem()  # type: ignore[arg-type]
    assert isinstance(problem, Problem)
    assert (problem.code, problem.retryable) == ("", None)
    assert "502" in problem.message


def test_a_server_that_is_restarted_is_waited_for(connect, tmp_path, clip):
    process = Process("up", tmp_path / "home", free_port(), min_free_bytes=0)
    process.start()
    try:
        kept = wait_for_service(process.child, process.home)
        patient = Retries(tries=1000, first=0.1, longest=0.5, total=100)
        client = connect(kept.server, kept.token, retries=patient)
        file = client.files.upload(clip)
        step = {"operation": "extract-frames", "parameters": {"fps": 5}}
        job = client.jobs.submit(files=[file["id"]], steps=[step])
        process.end()
        process.start()
        seen = []
        assert client.files.get(file["id"])["id"] == file["id"]
        done = client.jobs.wait(job, progress=lambda one: seen.append(one["state"]))
        assert done["state"] == "succeeded"
        assert seen[-1] == "succeeded"
        client.close()
    finally:
        process.end()


def test_an_upload_is_as_patient_as_its_client(connect, service, faults, some):
    faults.clear()
    server = f"http://127.0.0.1:{faults.port}"
    client = connect(server, service.token, retries=NEVER)
    faults.faults += [Fault(503, "POST", "/v1/files"), Fault(503, "POST", "/v1/uploads")]
    with pytest.raises(ServerError):
        client.files.upload(b"few", name="few.txt")
    with pytest.raises(ServerError):
        client.files.upload(some(17 * MEBIBYTE))
    assert faults.faults == []
    assert faults.times("POST", "/v1/") == 2


async def test_a_call_that_is_cancelled_leaves_nothing_open(service, tmp_path):
    data = random.Random(time.time_ns()).randbytes(4 * MEBIBYTE)  # more than is read at once
    async with AsyncMediamill(service.server, service.token) as client:
        file = await client.files.upload(data, name="c.bin")
        listening = client.jobs.events()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(listening), 0.2)
        seen = []

        def stop(done: int, _total: int) -> None:
            if not seen:
                asyncio.get_running_loop().call_soon(task.cancel)
            seen.append(done)

        pool = client._drive._doors.ours._transport._pool
        await asyncio.sleep(0)
        busy = [one for one in pool.connections if not one.is_idle()]
        assert busy == [], "whoever stopped listening left no connection"
        task = asyncio.ensure_future(client.files.download(file["id"], tmp_path, progress=stop))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen
        assert [one for one in pool.connections if not one.is_idle()] == []

        def fail(_done: int, _total: int) -> None:
            raise EndedEarly

        with pytest.raises(EndedEarly):
            await client.files.download(file["id"], tmp_path, progress=fail)
        assert [one for one in pool.connections if not one.is_idle()] == []
        saved = await client.files.download(file["id"], tmp_path, overwrite=True)
        assert saved.read_bytes() == data
