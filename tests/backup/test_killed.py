"""A backup or restore that is killed at any step: what was whole stays so, the next goes on.

The soak kills each 20 times.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediamill.app import App
from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings
from tests.faults.rows import everything

pytestmark = pytest.mark.embedded("it is about a home")

ROOT = Path(__file__).parents[2]

STEPS = """
import os, signal, sys
from collections import Counter
from mediamill.backup import objects, restoring, taking
from mediamill.blobs.local import LocalBlobs
from mediamill.cli import main

objects.BATCH = taking.BATCH = restoring.BATCH = 3
what, at = sys.argv.pop(1), int(sys.argv.pop(1))
passed = Counter()

def step(name):
    passed.update({"any": 1, name: 1})
    if passed[what] == at:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(name):
    real = getattr(LocalBlobs, name)
    async def replaced(*arguments, **more):
        step(name)
        found = await real(*arguments, **more)
        step(name)
        return found
    setattr(LocalBlobs, name, replaced)

for name in ("put_all", "put", "delete"):
    counted(name)
main()
"""


Kill = tuple[str, int]
"""Before or after so many calls of a kind, each of which counts twice."""


def killed(kill: Kill, *arguments: object) -> bool:
    """Run a command in a process that kills itself at a step; False when it ended before."""
    command = [sys.executable, "-c", STEPS, *map(str, (*kill, *arguments))]
    environment = {**os.environ, "MEDIAMILL_MIN_FREE_BYTES": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode == -signal.SIGKILL:
        return True
    assert done.returncode == 0, done.stderr
    return False


def at_random(most: int) -> Iterator[Kill]:
    chance = random.Random(66)
    return iter([("any", chance.randrange(1, most)) for _ in range(20)])


def objects(home: Path) -> dict[str, bytes]:
    """Return what lies in a home's place for bytes."""
    found = (home / "blobs").rglob("*")
    here = {str(path.relative_to(home)): path for path in found if path.is_file()}
    return {name: path.read_bytes() for name, path in here.items() if "/." not in name}


def more(home: Path, number: int) -> None:
    """Add files that the snapshots before have not."""
    folder = home / "blobs" / "files+"
    for n in range(12):
        (folder / f"file_{number:04}{n:04}").write_bytes(random.Random(n + number).randbytes(2000))


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(iter([("any", 1), ("put_all", 5), ("put", 3), ("delete", 1)]), id="named"),
        pytest.param(at_random(40), id="often", marks=pytest.mark.soak),
    ],
)
@pytest.mark.timeout(600)
def test_a_killed_backup_leaves_those_before(found, say, place, kills):
    assert say("backup", place)[0] == 0
    killed_at = []
    for number, kill in enumerate(kills):
        more(found.home, number)
        before = say("backup", "list", place)[1]
        if killed(kill, "backup", place, "--home", found.home):
            killed_at.append(kill)
            listed = say("backup", "list", place)[1]
            assert listed.startswith(before), "a snapshot that was there is there"
            assert say("backup", "verify", place, "--all")[0] == 0
    assert killed_at, "no kill came in time"
    assert say("backup", place)[0] == 0
    assert say("backup", "verify", place, "--all")[0] == 0
    assert say("restore", place, "--home", place / "new")[0] == 0
    assert objects(place / "new") == objects(found.home)


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(iter([("any", 1), ("put_all", 9), ("delete", 1), ("delete", 2)]), id="named"),
        pytest.param(at_random(24), id="often", marks=pytest.mark.soak),
    ],
)
@pytest.mark.timeout(600)
def test_a_killed_restore_goes_on(found, say, place, tmp_path, kills):
    before = everything(found.settings().store_url)
    assert say("backup", place)[0] == 0
    new = tmp_path / "new"
    settings = Settings(home=new, min_free_bytes=0)
    for kill in kills:
        if new.exists() and not (new / "restoring.json").exists():
            shutil.rmtree(new)
        if killed(kill, "restore", place, "--home", new) and (new / "restoring.json").exists():
            with pytest.raises(ConfigurationError, match=r"a restore into .* is not finished"):
                asyncio.run(App.open(settings))
    if (new / "restoring.json").exists():
        assert say("restore", place, "--home", new)[0] == 0
    assert objects(new) == objects(found.home)
    assert everything(settings.store_url) == before
