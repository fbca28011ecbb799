"""What a second pair of eyes found: each test fails while the defect stands."""

import asyncio
import io
import json
import os
import re
import shutil
import subprocess
import threading
import time
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from mediamill.cli import demo
from mediamill.cli.remote import home
from mediamill.cli.terminal.failures import Failure
from mediamill.core.logs import hide_secrets
from mediamill.engine.slots import Failed, Slot
from mediamill.media.archive import names
from mediamill.media.archive.read import _MemberReader, read_members, scan
from mediamill.services.files import directories
from mediamill.web import app as web_app
from mediamill.web import connections
from tests.support.holding import hold_below
from tests.web.test_uploading import PNG, server, taken  # noqa: F401 - fixtures

JSON = {"content-type": "application/json"}
SIGN_IN = Path(web_app.__file__).parent / "static" / "signin.js"


async def put(client, data, name="a.zip"):
    answer = await client.post("/v1/files", params={"name": name}, content=data)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def zipped(names, method=zipfile.ZIP_STORED, data=b"x"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return stream.getvalue()


# -- pages ------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
@pytest.mark.parametrize(
    "next_",
    ["/\t/evil.example/", "/\n/evil.example/", "/\r\\evil.example", "/.//evil.example/", "//["],
)
def test_after_sign_in_one_stays_here(next_):
    wanted = re.compile(r"const (next|target|query|address)\b")
    lines = [line for line in SIGN_IN.read_text().splitlines() if wanted.match(line)]
    search = f"'?next=' + encodeURIComponent({json.dumps(next_)})"
    script = "\n".join([
        "const origin = 'http://127.0.0.1:8750';",
        f"globalThis.location = {{origin, href: origin + '/signin', search: {search}}};",
        *lines,
        "console.log(new URL(target, origin).host)",
    ])  # fmt: skip
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=20)
    assert done.stdout.strip() == "127.0.0.1:8750", done.stderr


# -- requests ---------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["[", "a]b[", "[::1"])
async def test_a_host_that_is_none_is_the_callers_fault(nobody, host):
    answer = await nobody.get("/nothing", headers={"host": host})
    assert answer.status_code < 500, answer.text


async def test_a_name_that_is_not_ours_is_refused(nobody, admin):
    """DNS rebinding: evil.example resolves to 127.0.0.1, and its page is same-origin with us."""
    body = {"email": "mallory@example.org", "password": "a long enough secret"}
    headers = {
        "host": "evil.example:8750",
        "origin": "http://evil.example:8750",
        "sec-fetch-site": "same-origin",
    }
    answer = await nobody.post("/v1/auth/register", json=body, headers=headers)
    assert answer.status_code in (400, 403, 421)


async def test_a_stranger_cannot_stop_the_loop_with_many_fields(nobody):
    body = b"{" + b",".join(b'"%d":0' % n for n in range(1_000_000)) + b"}"
    assert len(body) < 12 << 20
    answer = await hold_below(
        0.5, lambda: nobody.post("/v1/auth/login", content=body, headers=JSON)
    )
    assert answer.status_code in (413, 422)
    assert len(answer.content) < 100_000


async def test_a_stranger_cannot_multiply_memory_with_lists(nobody):
    body = b"[" + b"[]," * 3_900_000 + b"0]"
    answer = await hold_below(
        0.5, lambda: nobody.post("/v1/auth/login", content=body, headers=JSON)
    )
    assert answer.status_code in (413, 422)


@pytest.mark.parametrize(
    "parameters",
    [
        '{"fps": %s}' % ("9" * 5000),
        '{"every": %s}' % ("9" * 5000),
        '{"count": %s}' % ("9" * 30),
        '{"nothing": %s}' % ("9" * 5000),
        '{"quality": %s}' % ("9" * 4000),
    ],
)
async def test_numbers_of_any_length_are_the_callers_fault(ann, parameters):
    file = await put(ann.client, PNG, "a.png")
    for operation in ("extract-frames", "thumbnail"):
        step = f'{{"operation": "{operation}", "parameters": {parameters}}}'
        body = f'{{"files": ["{file}"], "steps": [{step}]}}'
        answer = await ann.client.post("/v1/jobs", content=body, headers=JSON)
        assert answer.status_code < 500, answer.text


async def test_what_a_form_holds_beside_files_is_limited(ann):
    part = b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\n'

    async def body():
        yield part
        for _ in range(64):
            yield bytes(1 << 20)
        yield b'\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
        yield PNG + b"\r\n--b--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await ann.client.post("/v1/files", content=body(), headers=headers)
    assert answer.status_code == 413


async def test_headers_that_never_end_do_not_hold_a_connection(server, monkeypatch):
    assert connections.HEADER_SECONDS <= 10
    monkeypatch.setattr(connections, "HEADER_SECONDS", 1.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", server)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n")
    closed = False
    for _ in range(12):
        with suppress(ConnectionError):
            writer.write(b"X: y\r\n")
            await writer.drain()
        with suppress(TimeoutError):
            closed = not await asyncio.wait_for(reader.read(100), 1)
        if closed:
            break
    writer.close()
    assert closed, "open after 12 s"


async def test_a_probe_that_fails_unexpectedly_tells_the_log_alone(mill, ann, monkeypatch):
    async def run(self, call):
        details = {"error": "KeyError: x", "traceback": 'File "/srv/mediamill/x.py", line 1'}
        yield Failed(0, "internal", "The operation failed unexpectedly.", details=details)

    monkeypatch.setattr(Slot, "run", run)
    answer = await ann.client.post("/v1/files", params={"name": "a"}, content=b"hello")
    assert "/srv/mediamill" not in answer.text


# -- archives ---------------------------------------------------------------------------------


async def test_a_member_in_an_unknown_method_is_refused_before_the_answer_begins(ann):
    file = await put(ann.client, zipped(["a.txt"], zipfile.ZIP_BZIP2))
    answer = await ann.client.get(f"/v1/files/{file}/members/a.txt")
    assert answer.status_code in (415, 422)


async def test_directories_are_kept_by_their_size(mill, ann, monkeypatch):
    """Two archives of 20,000 names; 32 of 200,000 may be kept."""
    files = [
        await put(ann.client, zipped([f"{n}/{number:05}{'x' * 150}" for number in range(20_000)]))
        for n in range(2)
    ]
    tracemalloc.start()
    for file in files:
        assert (await ann.client.get(f"/v1/files/{file}/members?limit=1")).status_code == 200
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 8 << 20, f"{kept:,} bytes for {len(files)} archives"


async def test_an_archive_is_listed_once_for_all_who_wait(mill, ann, monkeypatch):
    calls = []

    def counted(stream):
        calls.append(1)
        time.sleep(0.1)
        return scan(stream)

    monkeypatch.setattr(directories, "scan", counted)
    file = await put(ann.client, zipped(["a", "b"]))
    await asyncio.gather(*(ann.client.get(f"/v1/files/{file}/members") for _ in range(6)))
    assert len(calls) == 1


def test_names_that_are_cut_to_the_same_are_tried_a_few_times_each(monkeypatch):
    tried, numbered = [], names.numbered
    monkeypatch.setattr(names, "numbered", lambda *name: tried.append(name) or numbered(*name))
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped([f"{'x' * 194}{n:06}" for n in range(1000)] * 2)
    assert len(read_members(io.BytesIO(data))) == 2000
    assert 1000 <= len(tried) <= 2 * 2000


async def test_a_client_that_leaves_a_slow_member_does_not_stop_the_loop(ann, server, monkeypatch):
    """A read that takes long: a slow disk, or gigabytes of deflate blocks that hold nothing."""
    file = await put(ann.client, zipped(["a.txt"], zipfile.ZIP_DEFLATED))
    await ann.client.get(f"/v1/files/{file}/members")
    raw, begun, go_on, waited = _MemberReader._raw, asyncio.Event(), threading.Event(), []
    loop = asyncio.get_running_loop()

    def slowly(self, size):
        loop.call_soon_threadsafe(begun.set)
        waited.append(go_on.wait(30))
        return raw(self, size)

    monkeypatch.setattr(_MemberReader, "_raw", slowly)
    head = (
        f"GET /v1/files/{file}/members/a.txt HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {ann.token}\r\n\r\n"
    )

    _, writer = await asyncio.open_connection("127.0.0.1", server)
    writer.write(head.encode())
    await begun.wait()
    writer.transport.abort()
    await asyncio.sleep(0.5)  # it is seen that the client left
    go_on.set()
    while not waited:
        await asyncio.sleep(0.01)
    assert waited[0], "the loop stood still until the read gave up"


# -- the command line, logs -------------------------------------------------------------------


def test_a_demo_replaces_nothing_but_a_demo(tmp_path):
    output, archive = tmp_path / "Documents", tmp_path / "a.zip"
    output.mkdir()
    (output / "thesis.txt").write_text("years of work")
    archive.write_bytes(zipped(["clip/frame.jpg"]))
    with suppress(Failure):
        demo._unpack(archive, output)
    assert (output / "thesis.txt").exists()


def test_the_first_sign_in_makes_a_home_for_its_owner_only(tmp_path):
    before = os.umask(0o022)
    try:
        home.save_credentials(tmp_path / "home", home.Credentials("t", "http://x"))
    finally:
        os.umask(before)
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


def test_a_password_without_a_user_is_hidden_in_an_address():
    event = {"event": "x", "value": "redis://:hunter2hunter2@host:6379/0"}
    assert "hunter2" not in repr(hide_secrets(None, "", event))
