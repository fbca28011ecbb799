"""R18, its second half: a backup made under load by the lines of `docs/backup.md`, and restored.

The soak makes and restores five, each with more to check, in about two minutes.
"""

import asyncio
import copy
import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mediamill.core.settings import Settings
from tests.faults.history import History
from tests.faults.test_draining import HELD, SHORT, Load, picture
from tests.support.processes import running, signed_in

ROOT = Path(__file__).parents[2]


def lines(number: int, home: Path, backup: Path) -> str:
    """Return a script of the guide with places of the test, without starting the service."""
    text = (ROOT / "docs" / "backup.md").read_text()
    script = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[number]
    script = re.sub(r"^home=.*$", f"home={home}", script, flags=re.MULTILINE)
    script = re.sub(r"^backup=.*$", f"backup={backup}", script, flags=re.MULTILINE)
    return re.sub(r"^mediamill up .*$", "", script, flags=re.MULTILINE)


def run(script: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(["sh", "-eu", "-c", script], check=True, env={**os.environ, "PATH": path})


async def back_up(tmp_path: Path, times: int, change=lambda script: script) -> list[str]:
    """Make so many backups of a busy service; return what is not as it was promised before."""
    home, backup, history = tmp_path / "home", tmp_path / "backup", History()
    data, restored = picture(0, HELD), []
    async with running("up", home, **SHORT) as service, signed_in(service) as client:
        kept = await history.upload(client, "kept.png", data)
        load = Load(client, history, kept, hashlib.sha256(data).hexdigest())
        going = asyncio.ensure_future(load.until_refused(300 * times))
        for n in range(times):
            await busy(going, history, 10 * (n + 1), n + 1)
            promised = copy.deepcopy(history)
            await asyncio.to_thread(run, change(lines(0, home, backup)))
            restored.append((tmp_path / f"restored-{n}", promised))
            await asyncio.to_thread(run, lines(1, restored[n][0], backup))
        service.end(signal.SIGKILL)
        await going
    show = client.headers["authorization"]
    return [wrong for at, known in restored for wrong in await lives_on(at, show, known)]


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
async def test_a_copy_without_its_log_is_noticed(tmp_path):
    """A planted fault of R18: the file is copied from under the service."""

    def copied(script: str) -> str:
        return re.sub(r"^python -m apsw.*$", "cp $home/mediamill.db $backup/new.db", script,
                      flags=re.MULTILINE)  # fmt: skip

    with pytest.raises(AssertionError):
        assert await back_up(tmp_path, 1, copied) == []


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
