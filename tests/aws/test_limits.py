"""What does not pass a gateway whole: refused with another way, cut into ranges, or led past it."""

import asyncio
import os

import httpx
import pytest
import pytest_asyncio
from starlette.responses import StreamingResponse

from mediamill.aws.payloads import BALANCED_MOST, MOST
from mediamill.cli.remote.client import Client
from mediamill.cli.terminal.failures import Refused
from mediamill.cli.transfer.putting import put
from mediamill.core.errors import Unavailable
from tests.aws.behind import behind, front, through
from tests.support.serving import served
from tests.web.one_service import ann, mill, web  # noqa: F401 - fixtures

pytestmark = pytest.mark.asyncio(loop_scope="module")
FORM = "http-2.0"


@pytest_asyncio.fixture(loop_scope="module")
async def client(web, ann):
    """The command line's client behind a gateway; it is used in a thread."""
    async with served(front(FORM, through(web))) as port:
        with Client(f"http://127.0.0.1:{port}", ann.token) as made:
            yield made


async def whole(ann, data: bytes, name="large.bin") -> str:
    """Put a file past the gateway."""
    answer = await ann.client.post(f"/v1/files?name={name}", content=data)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


@pytest.mark.parametrize(("form", "most"), [(FORM, MOST), ("alb", BALANCED_MOST)])
@pytest.mark.parametrize("kind", ["bin", "txt"])
async def test_what_is_of_the_limit_passes_the_gateway_both_ways(web, ann, form, most, kind):
    """The gateway itself would refuse more; text may become longer in JSON than base 64 is."""
    data = os.urandom(most) if kind == "bin" else b"\t" * most
    async with behind(form, web, authorization=f"Bearer {ann.token}") as client:
        said = await client.options("/v1/uploads")
        assert said.headers["mediamill-max-body"] == str(most)
        put = await client.post(f"/v1/files?name=a.{kind}", content=data)
        assert put.status_code == 201, put.text
        place = f"/v1/files/{put.json()['id']}/content"
        assert (await client.get(place)).content == data
        assert (await client.post("/v1/files", content=data + b"x")).status_code == 413


async def test_what_sends_more_than_passes_is_stopped(ann):
    """Told by an error: who goes on after it would go on for as long as the call may take."""
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1
            yield bytes(1 << 20)
            await asyncio.sleep(0)

    async def app(scope, receive, send):
        await StreamingResponse(endless())(scope, receive, send)

    async with behind(FORM, app, seconds=60) as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (413, "answer_too_large")
    assert sent == MOST // (1 << 20) + 1


async def test_what_is_larger_is_told_by_ranges_where_nothing_else_can_be(web, ann):
    """A folder signs nothing: what is larger comes in pieces."""
    data = os.urandom(2 * MOST + 5)
    file = await whole(ann, data)
    async with behind(FORM, web, authorization=f"Bearer {ann.token}") as client:
        place = f"/v1/files/{file}/content"
        told = await client.get(place)
        assert told.status_code == 413
        assert told.json()["code"] == "answer_too_large"
        assert told.json()["details"] == {"most": MOST, "ranged": True}
        open_ended = await client.get(place, headers={"range": "bytes=5-"})
        assert open_ended.status_code == 206
        assert open_ended.headers["content-range"] == f"bytes 5-{MOST + 4}/{len(data)}"
        assert open_ended.content == data[5 : MOST + 5]
        exact = await client.get(place, headers={"range": "bytes=100-199"})
        assert exact.content == data[100:200]
        head = await client.head(place)
        assert head.headers["content-length"] == str(len(data))


async def test_the_client_takes_what_is_larger_in_ranges(client, ann, tmp_path):
    data = os.urandom(2 * MOST + 5)
    file = await whole(ann, data)
    target, told = tmp_path / "got", []

    def fetch():
        return client.download(
            f"/v1/files/{file}/content", target, lambda n: told.append(n) or told.append
        )

    assert await asyncio.to_thread(fetch) == "large.bin"
    assert target.read_bytes() == data
    assert told[0] == len(data) == sum(told[1:])


async def test_a_client_that_asked_for_the_rest_gets_all_of_it(client, ann, tmp_path, monkeypatch):
    """A gateway cuts a range that is open to its end: that is no end of the download."""
    data = os.urandom(MOST + 5)
    file = await whole(ann, data)
    monkeypatch.setattr("mediamill.client.downloading._at_once", lambda _: 10**9)
    target = tmp_path / "got"
    await asyncio.to_thread(
        client.download, f"/v1/files/{file}/content", target, lambda _: lambda _: None
    )
    assert target.read_bytes() == data


async def test_the_client_sends_what_is_larger_in_parts(client, ann, tmp_path):
    (tmp_path / "large.bin").write_bytes(data := os.urandom(2 * MOST + 5))
    row = await asyncio.to_thread(put, client, tmp_path / "large.bin", lambda _: None)
    assert (row["name"], row["size"], row["state"]) == ("large.bin", len(data), "ready")
    got = await ann.client.get(f"/v1/files/{row['id']}/content")
    assert got.content == data


async def test_uploads_say_nothing_of_a_limit_where_there_is_none(ann):
    assert "mediamill-max-body" not in (await ann.client.options("/v1/uploads")).headers


async def announcing(web, token: str, size: int, kind: str) -> httpx.Response:
    """Announce a body, as who reads the answer before sending it."""
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": kind,
        "content-length": str(size),
    }
    async with behind(FORM, web, **headers) as client:
        return await client.post("/v1/files?name=clip.mp4", content=b"")


@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data; boundary=x", "video/mp4"]
)
async def test_a_body_that_is_announced_as_larger_is_refused(web, ann, kind):
    answer = await announcing(web, ann.token, MOST + 1, kind)
    assert answer.status_code == 413
    problem = answer.json()
    assert problem["code"] == "body_too_large"
    assert problem["details"] == {"most": MOST, "begin": "/v1/uploads/presigned"}


async def test_waiting_ends_before_the_gateway_does(web, ann):
    file = await whole(ann, b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;")
    said = {"files": [file], "steps": [{"operation": "thumbnail"}]}
    job = (await ann.client.post("/v1/jobs", json=said)).json()["id"]
    headers = {"authorization": f"Bearer {ann.token}"}
    async with behind(FORM, web, seconds=4, **headers) as client:
        answer = await client.get(f"/v1/jobs/{job}?wait=60")
    assert answer.status_code == 200
    assert answer.json()["state"] == "running"


async def test_what_takes_too_long_is_told_in_time(web, ann, monkeypatch):
    async def slowly(*_, **__):
        await asyncio.sleep(60)

    monkeypatch.setattr("mediamill.services.files.service.FileService.list", slowly)
    async with behind(FORM, web, seconds=1.3, authorization=f"Bearer {ann.token}") as client:
        answer = await client.get("/v1/files")
    assert answer.status_code == 503
    assert answer.json()["retryable"]


async def test_events_are_one_snapshot_and_a_time_to_come_again(web, ann):
    file = await whole(ann, b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;")
    said = {"files": [file], "steps": [{"operation": "thumbnail"}]}
    job = (await ann.client.post("/v1/jobs", json=said)).json()["id"]
    async with behind(FORM, web, authorization=f"Bearer {ann.token}") as client:
        first = await client.get(f"/v1/jobs/{job}/events")
        assert first.headers["content-type"].startswith("text/event-stream")
        lines = first.text.splitlines()
        assert lines[0] == "retry: 3000"
        assert "event: job" in lines
        (seen,) = (line.removeprefix("id: ") for line in lines if line.startswith("id: "))
        again = await client.get(f"/v1/jobs/{job}/events", headers={"last-event-id": seen})
        assert again.text == "retry: 3000\n\n"
        every = await client.get("/v1/events")
        assert f'"id":"{job}"' in every.text
        (time_,) = (line[4:] for line in every.text.splitlines() if line.startswith("id: "))
        quiet = await client.get("/v1/events", headers={"last-event-id": time_})
        assert quiet.status_code == 200
        assert quiet.text.startswith("retry: 3000\n\n")


async def test_an_answer_that_breaks_off_is_an_error_and_no_half_of_it(web, ann, monkeypatch):
    file = await whole(ann, os.urandom(100_000))

    async def broken(*_):
        yield b"some"
        raise Unavailable("The bucket went away.")

    monkeypatch.setattr("mediamill.blobs.local.store.LocalBlobs.read", broken)
    async with behind(FORM, web, authorization=f"Bearer {ann.token}") as client:
        answer = await client.get(f"/v1/files/{file}/content")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_lines_beyond_the_limit_are_refused_rather_than_cut(web, ann, monkeypatch):
    async def many(*_):
        for _ in range(200_000):
            yield b"x"

    monkeypatch.setattr("mediamill.services.jobs.service.JobService.all_outcomes", many)

    class Long:
        def model_dump_json(self, **_):
            return "x" * 100

    monkeypatch.setattr("mediamill.web.api.reading.result_view", lambda _: Long())
    file = await whole(ann, b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;")
    said = {"files": [file], "steps": [{"operation": "thumbnail"}]}
    job = (await ann.client.post("/v1/jobs", json=said)).json()["id"]
    async with behind(FORM, web, authorization=f"Bearer {ann.token}") as client:
        answer = await client.get(f"/v1/jobs/{job}/results.jsonl")
    assert answer.status_code == 413
    assert answer.json()["code"] == "answer_too_large"


async def test_only_the_name_that_the_gateway_was_asked_by_is_ours(web):
    async with behind(FORM, web) as client:
        good = await client.get("/health/live")
        bad = await client.get("/health/live", headers={"host": "evil.example.org"})
    assert (good.status_code, bad.status_code) == (200, 421)


async def test_a_load_balancer_vouches_for_no_name(web):
    """It passes on whatever a caller says: only names that are ours anyway are answered."""
    async with behind("alb", web) as client:
        good = await client.get("/health/live")
        bad = await client.get("/health/live", headers={"host": "evil.example.org"})
        none = await client.get("/health/live", headers={"host": ""})
    assert [answer.status_code for answer in (good, bad, none)] == [200, 421, 421]


async def test_refused_reads_as_the_command_line_shows_it(client, tmp_path):
    with pytest.raises(Refused, match="There is no file"):
        await asyncio.to_thread(
            client.download, "/v1/files/file_00000000000000000000000000/content",
            tmp_path / "x", lambda _: lambda _: None,
        )  # fmt: skip
