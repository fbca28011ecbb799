"""What answers may be no Mediamill, and what is beside a download somebody else's."""

import asyncio
import errno
import fcntl
import hashlib
import io
import json
import os
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from mediamill.cli.remote.client import Client
from mediamill.cli.terminal.failures import Failure
from mediamill.client import (
    NEVER,
    AsyncMediamill,
    Busy,
    ClientError,
    Corrupt,
    FileSource,
    Mediamill,
    NotFound,
    Problem,
    ServerError,
    TimedOut,
    Unexpected,
    Unreachable,
    saving,
)  # fmt: skip
from mediamill.client.calling import NoParameter, Response
from mediamill.client.marking import FolderBookmark
from mediamill.client.shipping import Said
from mediamill.client.sources import source_of, spelled
from tests.client.conftest import QUICK
from tests.support.processes import free_port

Answer = tuple[int, dict[str, str], bytes]
TOKEN = "mmt_secret"
JSON = {"Content-Type": "application/json"}


class Scripted(ThreadingHTTPServer):
    """Answers as a test says; `seen` has what came: method, path, headers, body."""

    daemon_threads = True
    answer: Callable[[str, str, dict[str, str]], Answer]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that goes is no failure."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        size, body = int(self.headers.get("Content-Length") or 0), b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while count := int(self.rfile.readline(), 16):
                body += self.rfile.read(count)
                self.rfile.readline()
            self.rfile.readline()
        body += self.rfile.read(size)
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        status, headers, content = self.server.answer(self.command, self.path, dict(self.headers))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)


@pytest.fixture
def stranger() -> Iterator[Scripted]:
    server = Scripted()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def there(connect, stranger: Scripted):
    return connect(stranger.address, TOKEN)


def test_a_redirect_is_no_success(there, stranger):
    stranger.answer = lambda *_: (308, {"Location": "https://user:pass@m.example/x?sig=1"}, b"")
    for call in (
        there.account.me, lambda: there.files.upload(b"abc"), lambda: there.files.delete("f"),
        lambda: there.jobs.submit(files=["f"]), lambda: list(there.files.list()),
        lambda: list(there.jobs.stream_results("j")), lambda: there.request("GET", "/v1/me"),
    ):  # fmt: skip
        with pytest.raises(Unexpected, match=r"on to https://m\.example:") as told:
            call()
        assert "sig" not in told.value.message


def test_an_answer_that_is_no_json_or_broken_is_told(there, stranger):
    stranger.answer = lambda *_: (200, {"Content-Type": "text/html"}, b"<html>")
    with pytest.raises(Unexpected, match="text/html"):
        there.account.me()
    stranger.answer = lambda *_: (200, {**JSON, "Content-Encoding": "gzip"}, b"no gzip")
    with pytest.raises(Unexpected):
        there.account.me()


def test_a_body_that_passes_once_is_sent_once(there, stranger, tmp_path):
    def every_other(*_: object) -> Answer:
        return (503, {}, b"") if len(stranger.seen) % 2 else (201, JSON, b"{}")

    stranger.answer = every_other
    with pytest.raises(ServerError):
        there.request("POST", "/v1/files", content=(piece for piece in (b"aaa", b"bbb")))
    assert [body for *_, body in stranger.seen] == [b"aaabbb"]
    stranger.seen.clear()
    path = tmp_path / "some"
    path.write_bytes(b"0123456789")
    with path.open("rb") as stream:
        stream.seek(4)
        assert there.request("POST", "/v1/files", content=stream).status == 201
    assert [body for *_, body in stranger.seen] == [b"456789"] * 2
    stranger.seen.clear()
    assert there.request("POST", "/v1/files", content=bytearray(b"x")).status == 201
    assert [body for *_, body in stranger.seen] == [b"x"] * 2


def test_names_of_dots_lead_nowhere(there, stranger):
    stranger.answer = lambda *_: (204, {}, b"")
    for call in (
        lambda: there.projects.revoke("proj_1", ".."), lambda: there.files.delete("."),
        lambda: list(there.files.read_member("zip", "a/../../../me")),
        lambda: there.request("DELETE", "/v1/projects/p/../q"), lambda: there.files.get(""),
    ):  # fmt: skip
        with pytest.raises(NoParameter):
            call()
    assert stranger.seen == []


def test_the_token_is_shown_to_its_server_only(there, connect, stranger):
    other = stranger
    away = connect(f"http://127.0.0.1:{free_port()}", TOKEN, retries=NEVER)
    other.answer = lambda *_: (200, JSON, b"{}")
    with pytest.raises(Unexpected, match="another host"):
        away.request("GET", f"{other.address}/steal")
    assert other.seen == []
    assert there.request("GET", f"{other.address}/v1/me").status == 200


def test_a_token_that_is_none_is_not_shown(there, stranger):
    for kind in (Mediamill, AsyncMediamill):
        for token in ("mmt_a\nb", "mmt_ä", "mmt a"):
            with pytest.raises(ValueError, match="token") as told:
                kind(stranger.address, token)
            assert token not in str(told.value)
    stranger.answer = lambda *_: (200, JSON, b"{}")
    with pytest.raises(ClientError) as refused:
        there.request("GET", "/v1/me", headers={"X-Other": "a\nsecret"})
    assert not isinstance(refused.value, Unreachable)
    assert "secret" not in refused.value.message
    with Mediamill(stranger.address, f"{TOKEN}\n") as client:
        client.account.me()
    assert stranger.seen[-1][2]["Authorization"] == f"Bearer {TOKEN}"


def test_connections_to_others_are_made_when_they_are_needed(stranger, monkeypatch):
    made = []
    stranger.answer = lambda *_: (200, JSON, b"{}")
    monkeypatch.setattr("httpx.Client", counted(made))
    with Mediamill(stranger.address) as client:
        client.account.me()
    assert made.count("client") == 1


def counted(made: list[Any]) -> Any:
    class Counted(httpx.Client):
        def __init__(self, **options: Any) -> None:
            made.append("client")
            super().__init__(**options)

    return Counted


# -- downloads ------------------------------------------------------------------------------------

ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w") as _archive:
    _archive.writestr("a.txt", b"one" * 1000)


def serving(data: bytes, etag: str = '"e"', name: str = "all.zip") -> Callable[..., Answer]:
    """Return what answers ranges of some bytes."""

    def answer(_method: str, _path: str, headers: dict[str, str]) -> Answer:
        said = {"ETag": etag, "Content-Disposition": f'attachment; filename="{name}"'}
        start = int(headers.get("Range", "bytes=0-")[6:].split("-")[0])
        if start >= len(data):
            return 416, {"Content-Range": f"bytes */{len(data)}"}, b"{}"
        if "Range" not in headers:
            return 200, said, data
        return 206, {**said, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}, (
            data[start:])  # fmt: skip

    return answer


class InterruptedHere(Exception):
    """Stands for the end of a process."""


def left_behind(there: Any, target: Path, data: bytes) -> Path:
    """Leave a part of a download, as a process that was ended does; return where."""

    def stop(done: int, _total: int) -> None:
        if done:
            raise InterruptedHere

    with pytest.raises(InterruptedHere):
        there.jobs.download("job_1", target, progress=stop)
    (part,) = (target if target.is_dir() else target.parent).glob(".*.part")
    part.write_bytes(data)
    return part


def test_a_whole_part_keeps_its_name_and_is_checked(there, stranger, tmp_path):
    stranger.answer = serving(ZIP.getvalue(), name="frames.zip")
    left_behind(there, tmp_path, ZIP.getvalue())
    assert there.jobs.download("job_1", tmp_path) == tmp_path / "frames.zip"
    assert [path.name for path in tmp_path.iterdir()] == ["frames.zip"]
    wrong = bytearray(ZIP.getvalue())
    wrong[50] ^= 1
    for name in ("frames.zip", ""):
        stranger.answer = serving(ZIP.getvalue(), name=name)
        left_behind(there, tmp_path / "again", bytes(wrong))
        with pytest.raises(Corrupt):
            there.jobs.download("job_1", tmp_path / "again")
    assert [path.name for path in tmp_path.iterdir()] == ["frames.zip"]


def test_what_is_there_is_not_overwritten_however_late_it_comes(
    there, stranger, tmp_path, monkeypatch
):
    stranger.answer = serving(ZIP.getvalue(), name="frames.zip")
    here = tmp_path / "frames.zip"

    def comes(done: int, _total: int) -> None:
        if done:
            here.write_text("precious")

    for links in (True, False):
        if not links:
            monkeypatch.setattr("os.link", unlinked)
        here.unlink(missing_ok=True)
        with pytest.raises(FileExistsError):
            there.jobs.download(f"job_{links}", here, progress=comes)
        assert here.read_text() == "precious"
    seen = []
    with pytest.raises(FileExistsError):
        there.jobs.download("job_2", tmp_path, progress=lambda done, _: seen.append(done))
    assert seen == [], "nothing of it was fetched"
    with pytest.raises(FileExistsError):
        there.jobs.download("job_1", here)
    for links in (True, False):  # what was fetched is not fetched again
        there.jobs.download(f"job_{links}", here, overwrite=links)
        assert here.read_bytes() == ZIP.getvalue()
        if links:
            here.unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["frames.zip"]


def unlinked(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "no hard links here")


def test_what_others_put_in_the_place_of_a_part_is_not_followed(there, stranger, tmp_path):
    stranger.answer = serving(ZIP.getvalue())
    folder, victim = tmp_path / "open", tmp_path / "victim"
    folder.mkdir()
    part = left_behind(there, folder / "o.zip", b"")
    victim.write_text("precious")
    for plant in (os.symlink, os.link):
        part.unlink()
        plant(victim, part)
        with pytest.raises(OSError, match=r"symbolic|no file of yours"):
            there.jobs.download("job_1", folder / "o.zip")
    part.unlink()
    part.with_suffix(".json").unlink(missing_ok=True)
    part.with_suffix(".json").symlink_to(victim)
    part.with_suffix(".new").symlink_to(victim)
    there.jobs.download("job_1", folder / "o.zip")
    assert victim.read_text() == "precious"
    assert [path.name for path in folder.iterdir()] == ["o.zip"]


def test_two_do_not_write_into_one(there, stranger, tmp_path):
    stranger.answer = serving(ZIP.getvalue())
    target = tmp_path / "o.zip"
    part = left_behind(there, target, ZIP.getvalue()[:20])
    with part.open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Busy):
            there.jobs.download("job_1", target)
        assert part.read_bytes() == ZIP.getvalue()[:20], "nothing is cut that is another's"
    assert there.jobs.download("job_1", target).read_bytes() == ZIP.getvalue()


def test_a_part_that_was_published_while_we_opened_it_is_left_alone(tmp_path, monkeypatch):
    part, target, locks = tmp_path / "part", tmp_path / "target", []
    part.write_bytes(b"whole")
    lock = fcntl.flock

    def late(stream: Any, how: int) -> None:
        if not locks:
            part.rename(target)
        locks.append(how)
        lock(stream, how)

    monkeypatch.setattr("fcntl.flock", late)
    with saving._begin(part) as stream:
        stream.write(b"fresh")
    assert len(locks) == 2
    assert (target.read_bytes(), part.read_bytes()) == (b"whole", b"fresh")


def test_reading_is_as_patient_as_other_calls(there, stranger):
    data, trouble = b"0123456789" * 10, [(503, {"Retry-After": "0"}, b"")]

    def answer(method: str, path: str, headers: dict[str, str]) -> Answer:
        if method == "GET" and trouble:
            return trouble.pop()
        assert "direct=false" in path or "/content" not in path
        return serving(data)(method, path, headers)

    stranger.answer = answer
    assert b"".join(there.files.read("file_1")) == data
    for streamed in (there.captions.export, lambda: there.annotations.export("p")):
        trouble.append((429, {"Retry-After": "0"}, b""))
        assert b"".join(streamed()) == data
    assert trouble == []
    stranger.seen.clear()
    trouble.extend([(206, {}, b"")] * 99)
    with pytest.raises(Unreachable, match="less than"):
        list(there.files.read("file_1"))
    assert len(stranger.seen) == QUICK.tries + 1


# -- waiting --------------------------------------------------------------------------------------


def test_an_answer_that_is_held_may_take_longer_than_others(connect, stranger):
    def answer(_method: str, path: str, _headers: dict[str, str]) -> Answer:
        time.sleep(0.6)
        assert "wait=20" in path
        return 200, JSON, json.dumps({"finished_at": "now"}).encode()

    stranger.answer = answer
    hasty = connect(stranger.address, TOKEN, timeout=0.3, retries=NEVER)
    task: Any = {"finished_at": None, "links": {"self": "/v1/tasks/t"}}
    assert hasty.projects.wait(task)["finished_at"] == "now"


def test_a_wait_ends_when_it_was_to_end(connect):
    client = connect(f"http://127.0.0.1:{free_port()}", TOKEN, retries=NEVER)
    before = time.monotonic()
    with pytest.raises(TimedOut):
        client.jobs.wait("job_1", timeout=0.5)
    assert time.monotonic() - before < 30, "not a minute, as without it"


# -- what is sent again ---------------------------------------------------------------------------


def test_a_lost_answer_to_a_change_of_a_known_revision_is_no_conflict(there, stranger):
    def answer(*_: object) -> Answer:
        lost = len(stranger.seen) == 1
        return (502, {}, b"") if lost else (412, JSON, b'{"title": "Somebody changed it."}')

    stranger.answer = answer
    with pytest.raises(Unreachable) as told:
        there.annotations.put("p", "f", {"shapes": []}, if_match='"a0"')
    assert told.value.sent


def test_what_was_not_done_is_not_told_as_done(there, stranger):
    stranger.answer = lambda *_: (503 if len(stranger.seen) == 1 else 404, JSON, b"{}")
    with pytest.raises(NotFound):
        there.files.delete("file_nonsense")


def test_a_key_is_given_once_and_patience_is_for_all(there, stranger):
    stranger.answer = lambda *_: (201, JSON, b"{}")
    there.request("POST", "/v1/jobs", json={}, headers={"idempotency-key": "mine"})
    (found,) = [v for n, v in stranger.seen[0][2].items() if n.lower() == "idempotency-key"]
    assert found == "mine"
    assert there.having(NEVER).calls.port.retries == NEVER


@pytest.mark.parametrize(("offset", "expected"), [(3600, 3600), (-60, 0)])
def test_a_retry_may_be_asked_for_by_date(offset, expected):
    date = formatdate(time.time() + offset, usegmt=True)
    asked = Response(503, httpx.Headers({"Retry-After": date})).problem().retry_after
    assert asked == pytest.approx(expected, abs=60)
    assert Response(503, httpx.Headers({"Retry-After": "soon"})).problem().retry_after is None


def test_a_quota_that_is_used_up_ends_an_upload(there, stranger, some):
    full = json.dumps({"retryable": False}).encode()
    said: dict[str, Answer] = {"OPTIONS": (204, {}, b""), "POST": (429, JSON, full)}
    stranger.answer = lambda method, *_: said[method]
    with pytest.raises(Problem):
        there.files.upload(some(17 << 20))
    assert [row[0] for row in stranger.seen] == ["OPTIONS", "POST"]


# -- what is sent ---------------------------------------------------------------------------------


def test_what_can_be_sent(tmp_path):
    with tempfile.NamedTemporaryFile() as named:
        named.write(b"abc")
        named.flush()
        assert b"".join(source_of(named, "n").read(1)) == b"bc"
    assert source_of(bytearray(b"x"), "n").sha256 == hashlib.sha256(b"x").hexdigest()
    path = tmp_path / "text"
    path.write_text("text")
    with path.open() as text, pytest.raises(TypeError, match="rb"):
        source_of(text, "n")  # type: ignore[arg-type]  # what is refused
    with pytest.raises(TypeError, match="NoneType"):
        source_of(None, "n")  # type: ignore[arg-type]  # what is refused
    assert source_of(b"x", "a\udcff\ud800").name == spelled("a\udcff\ud800") == "a��"


def test_a_file_that_shrinks_while_it_is_sent_is_told(there, stranger, tmp_path):
    stranger.answer = lambda *_: (201, JSON, b"{}")
    source = FileSource(tmp_path / "some", "some", 10, "0" * 64)
    source.path.write_bytes(b"12345")
    with pytest.raises(OSError, match="shorter"):
        there.files.upload(source)


def test_an_upload_goes_on_only_as_what_it_was_begun(tmp_path):
    def of(user: str, **said: Any) -> FolderBookmark:
        return FolderBookmark.of(tmp_path, "s", "n", "d", Said(**said), user)

    of("a", project="p").begin("/v1/uploads/u")
    assert of("a", project="p").place() == "/v1/uploads/u"
    for other in (of("b", project="p"), of("a"), of("a", project="p", tags=("t",))):
        assert other.place() is None
    for planted in ("[]", '{"place": ["x"]}', "3"):
        of("a", project="p").file.write_text(planted)
        assert of("a", project="p").place() is None


async def test_progress_is_told_on_the_loop(stranger, tmp_path):
    stranger.answer = lambda *_: (201, JSON, b"{}")
    path, threads = tmp_path / "some", []
    path.write_bytes(bytes(600_000))
    async with AsyncMediamill(stranger.address, TOKEN) as client:

        def told(done: int, _total: int) -> None:
            asyncio.get_running_loop()
            threads.append((done, threading.get_ident()))

        await client.files.upload(path, progress=told)
    assert {one for _, one in threads} == {threading.get_ident()}
    assert threads[-1][0] == 600_000


def test_a_command_goes_on_with_what_another_fetched(stranger, tmp_path):
    data, told = ZIP.getvalue(), []
    stranger.answer = serving(data, name="frames.zip")
    with Client(stranger.address, TOKEN) as client, Mediamill(stranger.address, TOKEN) as api:
        path = "/v1/jobs/job_1/download"
        part = left_behind(api, tmp_path, data[:50])
        saved = client.save(path, tmp_path, lambda total: told.append(total) or told.append,
                            overwrite=False)  # fmt: skip
        assert (saved, saved.read_bytes()) == (tmp_path / "frames.zip", data)
        assert not part.exists()
        assert stranger.seen[-1][2]["Range"] == "bytes=50-"
        assert (told[0], sum(told[1:])) == (len(data), len(data))
        with pytest.raises(Failure, match="exists"):
            client.save(path, saved, lambda _: told.append, overwrite=False)
    stranger.answer = lambda *_: (308, {"Location": "https://m.example/"}, b"")
    with Client(stranger.address, TOKEN) as client, pytest.raises(Failure, match="sends on to"):
        client.get("/v1/files")
    with pytest.raises(Failure, match="token"):
        Client(stranger.address, "a b")
