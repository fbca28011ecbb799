"""`mediamill files push` where the server has a bucket: past the server, and by tus where not."""

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mediamill.cli.remote.home import Credentials
from mediamill.cli.transfer.pushed import Memory
from tests.cli.conftest import Commands, serving
from tests.cli.test_pushing import api, lines
from tests.docs.test_sessions import NEXT, pattern, session
from tests.support.cutting import Cutter, cutting
from tests.support.listening import beside
from tests.support.places import Place
from tests.support.services import unavailable

pytestmark = pytest.mark.places(Place(blobs="s3"))
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def bucket(servers) -> Iterator[Cutter]:
    """The way from everybody to the bucket, which can be cut; it counts what passes."""
    with beside(cutting(servers.buckets.port)) as cutter:
        yield cutter


@pytest.fixture(scope="module")
def service(tmp_path_factory, servers, bucket: Cutter) -> Iterator[Credentials]:
    """A running `mediamill up` whose files lie in a bucket."""
    folder = tmp_path_factory.mktemp("direct")
    given = servers.environment(Place(blobs="s3"))
    url = given["MEDIAMILL_BLOBS_URL"]
    given["MEDIAMILL_BLOBS_URL"] = url.replace(f":{servers.buckets.port}", f":{bucket.port}")
    given["MEDIAMILL_DIRECT_DOWNLOADS"] = "true"
    commands = Commands(folder / "home", folder, given)
    with serving(commands) as kept:
        yield kept


def a_file(commands: Commands, mebibytes: int) -> Path:
    path = commands.folder / "large.bin"
    path.write_bytes(random.Random(time.time_ns()).randbytes(mebibytes * MEBIBYTE))
    return path


def begun(commands: Commands) -> str | None:
    """Return where an upload goes to that was begun and is not over."""
    if not (commands.home / "push.db").exists():
        return None
    with Memory(commands.home) as kept:
        row = kept.one("SELECT place FROM uploads")
    return str(row[0]) if row else None


def arrived(client, place: str) -> list[bool]:
    return [part["arrived"] for part in client.get(f"{place}/parts").json().get("data", [])]


def test_killed_in_the_middle_it_goes_on_past_the_server(signed_in: Commands, service, bucket):
    path = a_file(signed_in, 34)
    bucket.cuts, bucket.held = [24 * MEBIBYTE], True  # of one connection: the second part stays
    bucket.done = 0
    process = signed_in.start("files", "push", path)
    until, place = time.monotonic() + 60, None
    with api(service) as client:
        while time.monotonic() < until:
            place = place or begun(signed_in)
            if place and bucket.done and any(arrived(client, place)):  # none is on its way now
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert place
        bucket.cuts, bucket.held = [], False
        upload = client.get(place).json()
        assert (upload["direct"], upload["state"], upload["offset"]) == (True, "receiving", 0)
        had, before = arrived(client, place), bucket.passed
        assert had == [True, False, False]
        done = signed_in("files", "push", path, "--json", "--tag", "t")
        assert done.returncode == 0, done.stderr
        row = lines(done)[0]
        upload = client.get(place).json()
        assert (upload["state"], upload["file"]) == ("ready", row["file"]), "it is the same one"
        assert bucket.passed - before < (34 - 16 + 2) * MEBIBYTE, "what was there is not sent"
        assert client.get(f"/v1/files/{row['file']}").json()["sha256"] == row["sha256"]
    assert begun(signed_in) is None


def test_connections_that_are_cut(signed_in: Commands, service, bucket):
    path = a_file(signed_in, 18)
    bucket.cuts, bucket.done = [10 * MEBIBYTE, 5 * MEBIBYTE], 0
    done = signed_in("files", "push", path, "--json")
    assert done.returncode == 0, done.stderr
    assert bucket.done == 2
    with api(service) as client:
        file = client.get(f"/v1/files/{lines(done)[0]['file']}").json()
    assert (file["state"], file["sha256"]) == ("ready", lines(done)[0]["sha256"])
    sent = path.read_bytes()
    path.unlink()
    back = signed_in("files", "get", file["id"])
    assert back.stdout == "large.bin\n", back.stderr
    assert path.read_bytes() == sent, "it came from the bucket, under the name that is signed"


def test_what_the_server_refuses_is_told(signed_in: Commands, service):
    path = signed_in.folder / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + random.Random(time.time_ns()).randbytes(17 * MEBIBYTE))
    done = signed_in("files", "push", path, "--json")
    assert done.returncode == 1
    row, summary = lines(done)
    assert (row["state"], row["code"]) == ("refused", "broken_media")
    assert summary["summary"]["refused"] == 1
    assert begun(signed_in) is None


def test_the_session_that_is_shown_does_what_it_shows(signed_in: Commands, service):
    for tool in ("curl", "jq"):
        if shutil.which(tool) is None:
            unavailable(f"{tool} is not installed")
    path = signed_in.folder / "recording.bin"
    path.write_bytes(random.Random(time.time_ns()).randbytes(17 * MEBIBYTE))
    steps = session(
        "docs/how-to/uploads.md",
        'S=http://127.0.0.1:8750; A="Authorization: Bearer $MEDIAMILL_TOKEN"\n$ said',
    )
    script = f"\necho '{NEXT}'\n".join(command for command, _ in steps)
    (signed_in.folder / ".curlrc").write_text("expect100-timeout = 0.1\n")  # the server sends none
    given = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "MEDIAMILL_TOKEN": service.token,
        "HOME": str(signed_in.folder),
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8750", service.server)],
        cwd=signed_in.folder, env=given, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for (command, shown), output in zip(steps, done.stdout.split(NEXT), strict=True):
        told = re.sub(r"\s+", "", output)
        assert re.fullmatch(pattern(shown), told, re.DOTALL), f"$ {command}\n{output}"
    with api(service) as client:
        file = client.get("/v1/files").json()["data"][0]
        place = client.get(f"/v1/files/{file['id']}/content").headers["location"]
    assert httpx.get(place, trust_env=False).content == path.read_bytes()
