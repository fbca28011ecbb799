"""`mediamill up`, `api`, `worker`, `doctor`, `demo`."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from mediamill.app import App
from mediamill.cli.remote.home import read_credentials
from mediamill.cli.service import server
from mediamill.cli.service.alone import metrics_listener
from mediamill.cli.service.welcome import welcome
from mediamill.cli.terminal.failures import Failure
from mediamill.core.settings import Settings
from tests.cli.conftest import Commands, wait_for_service
from tests.support.images import ROOT
from tests.support.letterbox import Letterbox
from tests.support.places import EMBEDDED, Place, everywhere
from tests.support.processes import Process, free_port


def test_up_prints_a_link_that_signs_in_once_and_stops_cleanly(mediamill: Commands, place: Place):
    process = mediamill.start("up", "--port", 0, "--home", mediamill.home)
    kept = wait_for_service(process, mediamill.home)
    lines = [process.stdout.readline() for _ in range(6)]
    assert lines[0] == f"Mediamill is ready at {kept.server}\n"
    link = re.search(r"(http\S+/signin)\?token=(mml_\S+)", "".join(lines))
    assert link is not None
    assert (mediamill.home / "token").stat().st_mode & 0o777 == 0o600
    assert httpx.get(f"{kept.server}/health/ready").status_code == 200
    assert httpx.get(link[0]).status_code == 200
    headers = {"Authorization": f"Bearer {kept.token}"}
    assert httpx.get(f"{kept.server}/v1/me", headers=headers).json()["role"] == "admin"
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=35)
    assert process.returncode == 0
    actions = [json.loads(line)["action"] for line in log.splitlines()]
    shared = ["own_secret", "own_keyring"] if place.store != "sqlite" else []
    assert actions[: 2 + len(shared)] == [*shared, "store_opened", "started"]
    assert actions[-1] == "stopped"
    assert link[2] not in log
    assert kept.token not in log


async def test_a_log_gets_a_link_only_while_the_administrator_has_no_other_way_in(
    tmp_path, monkeypatch
):
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0)
    async with await App.open(settings) as mill:
        assert "/signin?token=mml_" in await welcome(mill)
    other = Settings(home=tmp_path / "other", slots=1, min_free_bytes=0)
    async with await App.open(other) as mill:
        await mill.accounts.register("ann@example.org", "a long enough secret")
        words = await welcome(mill)
        assert "token=" not in words
        assert "mediamill admin users sign-in-link" in words
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        assert "/signin?token=mml_" in await welcome(mill)


@pytest.mark.parametrize("page", ["self-hosting.md", "several-machines.md"])
async def test_pages_find_the_link_where_it_is_printed(tmp_path, page):
    text = (ROOT / "docs/how-to" / page).read_text()
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0)
    async with await App.open(settings) as mill:
        words = await welcome(mill)
    asked = re.findall(r"(?:logs|journalctl)[^|\n]*\| grep (\S+)", text)
    assert asked or "sign-in-link" in text
    for pattern in asked:
        (line,) = [line for line in words.splitlines() if re.search(pattern, line)]
        assert "/signin?token=" in line


async def test_the_token_that_it_makes_for_its_machine_is_mailed_to_nobody(tmp_path):
    """Also where somebody with an address was first, and where the token was revoked since."""
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0)
    async with await App.open(settings) as mill:
        ann = await mill.accounts.register("ann@example.org", "a long enough secret")
        for _ in range(2):
            await welcome(mill)
            kept = read_credentials(settings.home)
            assert kept is not None
            assert (await mill.accounts.authenticate(kept.token)).user == ann.id
            await mill.people.administering.roster.revoke_all(ann.id)
        letters = await Letterbox(mill).mails()
        assert [one.subject for one in letters if "API token" in one.subject] == []


def test_ctrl_c_stops_it_too_and_the_kept_token_outlives_a_restart(mediamill: Commands):
    secrets = set()
    for _ in range(2):
        process = mediamill.start("up", "--port", 0)
        assert process.stdout.readline().startswith("Mediamill is ready at")
        secrets.add(wait_for_service(process, mediamill.home).token)
        assert mediamill("files", "list").returncode == 0
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=35)
        assert process.returncode == 0
    assert len(secrets) == 1


@everywhere
def test_api_and_worker_in_two_processes_do_a_job(mediamill: Commands, clip: Path, place: Place):
    """They start afresh where all is embedded: how a process starts is the same everywhere."""
    settings = {"poll_seconds": 0.2}
    roles = (
        Process("api", mediamill.home, free_port(), **settings),
        Process("worker", mediamill.home, **settings),
    )
    for process in roles:
        process.program, process.fresh = ("mediamill",), place == EMBEDDED
    api, worker = roles
    api.start()
    try:
        wait_for_service(api.child, mediamill.home, api.output)
        worker.start()
        file_id = mediamill("files", "put", clip).stdout.split("\t")[0]
        job = mediamill("jobs", "create", "thumbnail", file_id, "--wait")
        assert job.returncode == 0, job.stderr
    finally:
        codes = [process.end() for process in roles if process.child is not None]
    assert codes == [0, 0]


def test_plain_http_beyond_this_machine_is_refused_with_the_remedy(mediamill: Commands):
    done = mediamill("up", "--host", "0.0.0.0", "--port", 0)
    assert done.returncode == 2
    assert "MEDIAMILL_PUBLIC_URL" in done.stderr
    assert "--allow-plain-http" in done.stderr


def test_a_port_in_use_is_said(mediamill: Commands, service):
    port = service.server.rpartition(":")[2]
    done = mediamill("up", "--port", port)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "--port 0" in done.stderr


def test_doctor_passes_here_and_names_what_is_wrong(mediamill: Commands, service):
    mediamill.extra = {"MEDIAMILL_MIN_FREE_BYTES": "0"}
    good = mediamill("doctor", "--json", "--server", service.server)
    report = json.loads(good.stdout)
    assert good.returncode == 0, report
    names = {check["name"] for check in report["checks"]}
    assert {"python", "sqlite", "disk", "fsync", "codecs", "sandbox", "settings"} <= names
    mediamill.extra = {"MEDIAMILL_STOER_URL": "x", "MEDIAMILL_MIN_FREE_BYTES": str(1 << 60)}
    mediamill.extra["MEDIAMILL_STORE_URL"] = "postgresql://mill:s3cret@127.0.0.1:1/mill"
    mediamill.extra["MEDIAMILL_BROKER_URL"] = "redis://192.0.2.1"
    mediamill.extra["MEDIAMILL_MAIL_URL"] = "smtp://mill:s3cret@127.0.0.1:1?from=mill@example.org"
    bad = mediamill("doctor")
    assert bad.returncode == 1
    assert "MEDIAMILL_STORE_URL: the database does not answer" in bad.stdout
    assert "s3cret" not in bad.stdout + bad.stderr
    assert "The mail server 127.0.0.1:1 cannot be used" in bad.stdout
    assert "MEDIAMILL_STOER_URL" in bad.stdout
    assert "MEDIAMILL_MIN_FREE_BYTES" in bad.stdout
    assert "allow_plaintext=true" in bad.stdout
    assert mediamill("doctor", "--server", "http://127.0.0.1:9").returncode == 1
    mediamill.extra = {"MEDIAMILL_PORT": "99999"}
    assert "MEDIAMILL_PORT" in mediamill("doctor").stdout
    assert mediamill("up").returncode == 2


def test_demo_leaves_frames_and_no_process(mediamill: Commands, clip: Path):
    done = mediamill("demo", clip)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 frames are in demo-out/clip/" in done.stdout
    assert len(list((mediamill.folder / "demo-out/clip").glob("*.jpg"))) == 2
    assert mediamill("demo", clip).returncode == 0
    assert [path.name for path in mediamill.folder.iterdir()] == ["demo-out"]


def test_what_libraries_do_at_the_end_changes_no_exit_code(mediamill: Commands):
    """Threads of obstore may abort a process whose interpreter is being taken down."""
    code = (
        "import atexit, os, sys, mediamill.cli\n"
        "sys.modules['obstore'] = sys\n"
        "atexit.register(os.abort)\n"
        "mediamill.cli.main(['--version'])\n"
    )
    done = subprocess.run(
        [*mediamill.command()[:1], "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout[:9]) == (0, "mediamill"), done.stderr


def test_help_starts_at_once(mediamill: Commands):
    code = (
        "import sys, mediamill.cli\n"
        "try: mediamill.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'httpx', 'rich', 'av', 'cv2', 'fastapi', 'numpy', 'asyncio'}\n"
        "sys.exit(','.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run(
        [*mediamill.command()[:1], "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    spent = []
    for _ in range(3):  # on a busy machine the same work takes more processor time
        before = os.times().children_user
        assert mediamill("--help").returncode == 0
        spent.append(os.times().children_user - before)
    assert min(spent) < 0.15, spent


def test_a_port_for_metrics_that_is_taken_says_which_setting_names_another():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(metrics_port=taken.getsockname()[1])
        with pytest.raises(Failure, match=r"already in use(?s:.)*MEDIAMILL_METRICS_PORT"):
            metrics_listener(settings)


async def test_a_connection_stays_for_as_long_as_a_proxy_keeps_it(tmp_path, monkeypatch):
    """Else the proxy asks by one that is being closed, and somebody is told 502."""
    kept = []

    class Stopped(server.Server):
        async def serve(self, sockets=None):
            kept.append(self.config.timeout_keep_alive)

    monkeypatch.setattr(server, "Server", Stopped)
    for trusted in ("", "10.0.0.0/8"):
        settings = Settings(
            home=tmp_path / "home", slots=1, min_free_bytes=0, trusted_proxies=trusted
        )
        async with await App.open(settings) as mill:
            await server._serve(mill, [], asyncio.Event())
    assert kept == [server.IDLE_SECONDS, server.PROXIED_IDLE_SECONDS]
