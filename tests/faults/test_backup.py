"""R18, its second half: a backup made under load as `docs/how-to/backup.md` has it, and restored.

The home is destroyed before: what is restored is all that there is.

The soak makes and restores five, each with more to check, in about four minutes.
"""

import asyncio
import copy
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mediamill.core.settings import Settings
from tests.faults.history import History
from tests.faults.test_draining import HELD, SHORT, Load, picture
from tests.support.places import BUCKET
from tests.support.processes import running, signed_in

ROOT = Path(__file__).parents[2]


def lines(number: int, home: Path, backup: Path) -> str:
    """Return a script of the guide with places of the test, without starting the service."""
    text = (ROOT / "docs/how-to/backup.md").read_text()
    script = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[number]
    script = re.sub(r"^home=.*$", f"home={home}", script, flags=re.MULTILINE)
    script = re.sub(r"^backup=.*$", f"backup={backup}", script, flags=re.MULTILINE)
    return re.sub(r"^mediamill up .*$", "", script, flags=re.MULTILINE)


def run(script: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(["sh", "-eu", "-c", script], check=True, env={**os.environ, "PATH": path})


Elsewhere = Callable[[str], None]
"""Has what is started from then on keep its rows and bytes in new places, empty and named so."""


async def back_up(
    tmp_path: Path,
    times: int,
    change: Callable[[str], str] = lambda script: script,
    elsewhere: Elsewhere = lambda name: None,
) -> list[str]:
    """Make so many backups of a busy service, then destroy it, and restore each of them.

    Return what is not as it was promised before. From the second on one is killed before each.
    """
    home, backup, history = tmp_path / "home", tmp_path / "backup", History()
    elsewhere("source")
    data, made = picture(0, HELD), list[tuple[str, History]]()
    async with running("up", home, **SHORT) as service, signed_in(service) as client:
        kept = await history.upload(client, "kept.png", data)
        load = Load(client, history, kept, hashlib.sha256(data).hexdigest())
        going = asyncio.ensure_future(load.until_refused(300 * times))
        for n in range(times):
            await busy(going, history, 10 * (n + 1), n + 1)
            if n:
                await asyncio.to_thread(cut_short, home, backup, 0.5 + n)
            promised = copy.deepcopy(history)
            await asyncio.to_thread(run, change(lines(0, home, backup)))
            snapshot = max(path.name for path in (backup / "snapshots+").iterdir())
            made.append((snapshot, promised))
        service.end(signal.SIGKILL)
        await going
    shutil.rmtree(home)
    show, wrong = client.headers["authorization"], list[str]()
    for snapshot, promised in made:
        new = tmp_path / snapshot
        elsewhere(snapshot)
        script = re.sub(r"(mediamill restore .*)", rf"\1 --at {snapshot}", lines(1, new, backup))
        await asyncio.to_thread(run, script)
        wrong += await lives_on(new, show, promised)
    return wrong


def cut_short(home: Path, backup: Path, seconds: float) -> None:
    """Begin a backup and kill it after so many seconds, if it is not over then."""
    command = [sys.executable, "-m", "mediamill", "backup", str(backup), "--home", str(home)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def busy(load: "asyncio.Future[None]", history: History, uploads: int, jobs: int) -> None:
    """Wait until more has been acknowledged than so much, however long that takes here."""
    while len(history.uploads) <= uploads or len(history.jobs) <= jobs:
        assert not load.done(), f"the load ended at {len(history.uploads)} uploads"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.soak)])
@pytest.mark.timeout(1800)
async def test_a_backup_under_load_has_what_was_acknowledged(tmp_path, times):
    assert await back_up(tmp_path, times) == []


@pytest.mark.soak
@pytest.mark.embedded("it names its own places")
@pytest.mark.timeout(1800)
async def test_so_has_one_of_postgresql_and_a_bucket(tmp_path, servers, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    def elsewhere(name: str) -> None:
        monkeypatch.setenv("MEDIAMILL_STORE_URL", servers.postgres.database(name))
        monkeypatch.setenv("MEDIAMILL_BLOBS_URL", servers.buckets.url(f"{BUCKET}/{name}"))

    assert await back_up(tmp_path, 2, elsewhere=elsewhere) == []


COPIED = """
import shutil, sys
from mediamill.cli import main
from mediamill.store.sql.sqlite import copying

async def copied(source, target):
    shutil.copy(source, target)

copying._copy = copied
main()
"""


@pytest.mark.soak
async def test_a_copy_without_its_log_is_noticed(tmp_path):
    """A planted fault of R18: the file is copied from under the service."""
    planted = tmp_path / "planted.py"
    planted.write_text(COPIED)

    def change(script: str) -> str:
        return script.replace('mediamill backup "', f'{sys.executable} {planted} backup "', 1)

    with pytest.raises((AssertionError, subprocess.CalledProcessError)):
        assert await back_up(tmp_path, 1, change) == []


async def lives_on(home: Path, authorization: str, promised: History) -> list[str]:
    """Start a restored service, let it end its jobs, and check what was promised."""
    async with running("up", home, **SHORT) as service:
        base = f"http://127.0.0.1:{service.port}"
        headers = {"Authorization": authorization}
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as client:
            for job in promised.jobs:
                answer = await client.get(f"/v1/jobs/{job}", params={"wait": 30})
                assert answer.json().get("state") == "succeeded", answer.text
            return await promised.check(client, Settings(home=home, min_free_bytes=0))
