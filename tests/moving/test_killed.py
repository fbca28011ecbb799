"""A move that is killed goes on where it was, and ends with everything there once.

The soak kills 20 times each on its way to a folder, and to PostgreSQL and a bucket.
"""

import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import apsw
import psycopg
import pytest

from mediamill.app import App
from mediamill.core.errors import ConfigurationError
from mediamill.moving.places import Targets
from tests.faults.rows import everything
from tests.moving.conftest import verified
from tests.moving.installation import lives_on
from tests.support.places import EMBEDDED, Place

pytestmark = pytest.mark.embedded("it moves from there")

ROOT = Path(__file__).parents[2]

MOVE = """
import os, signal, sys
from collections import Counter
from mediamill.blobs.local import LocalUpload
from mediamill.blobs.s3.upload import S3Upload
from mediamill.cli import main
from mediamill.moving import journal, objects, rows
from mediamill.store.sql.postgres.store import PostgresStore
from mediamill.store.sql.sqlite.store import SqliteStore

rows.MOST, objects.BATCH = 2, 1
what, at = sys.argv.pop(1), int(sys.argv.pop(1))
passed = Counter()

def step(name):
    passed.update({"any": 1, name: 1})
    if passed[what] == at:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(kind, name):
    real = getattr(kind, name)
    async def replaced(*arguments):
        step(name)
        found = await real(*arguments)
        step(name)
        return found
    setattr(kind, name, replaced)

for kind in (SqliteStore, PostgresStore):
    counted(kind, "transact")
for kind in (LocalUpload, S3Upload):
    counted(kind, "commit")
for kind in (journal.StoreJournal, journal.BlobJournal):
    counted(kind, "end")
main()
"""
NAMED = [("transact", 42), ("commit", 9), ("end", 2)]
"""Kills of the normal run: before or after so many calls, each of which counts twice."""

Kill = tuple[str, int]


def killed(home: Path, to: Targets, kill: Kill) -> bool:
    """Move in a process that kills itself at a step; False when it ended before."""
    where = ["--to-store", to.store, "--to-blobs", to.blobs]
    when = [str(part) for part in kill]
    command = [sys.executable, "-c", MOVE, *when, "migrate", "--home", str(home), *where]
    environment = {**os.environ, "MEDIAMILL_MIN_FREE_BYTES": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode == -signal.SIGKILL:
        return True
    assert done.returncode == 0, done.stderr
    assert "each is in the target" in done.stdout
    return False


def at_random() -> Iterator[Kill]:
    chance = random.Random(28)
    while True:
        yield "any", chance.randrange(1, 150)


def rows_in(to: Targets) -> dict[str, set]:
    """Read what is in a target; nothing while it has no tables."""
    try:
        return everything(to.store)
    except (apsw.Error, psycopg.Error):
        return defaultdict(set)


def is_over(to: Targets) -> bool:
    """Tell whether everything was there and the marks were gone when the process was killed."""
    there = rows_in(to)
    return bool(there["users"]) and not there["moves"]


@pytest.mark.parametrize(
    ("kills", "times", "where"),
    [
        pytest.param(NAMED, len(NAMED), EMBEDDED, id="named"),
        pytest.param(at_random(), 20, EMBEDDED, id="folder", marks=pytest.mark.soak),
        pytest.param(
            at_random(), 20, Place("postgresql", "s3"), id="bucket", marks=pytest.mark.soak
        ),
    ],
)
@pytest.mark.timeout(1800)
async def test_a_killed_move_goes_on(found, tmp_path, kills, times, where, elsewhere):
    settings, kill = found.settings(), iter(kills)
    before, done, n = everything(settings.store_url), 0, 0
    while done < times:
        n += 1
        new = tmp_path / str(n)
        file = Targets(f"sqlite:///{new}/mill.db", f"file://{new}/blobs")
        to = file if where == EMBEDDED else elsewhere(where)
        while done < times and not is_over(to) and killed(found.home, to, next(kill)):
            done += 1
            if rows_in(to)["moves"]:
                with pytest.raises(ConfigurationError, match="not finished"):
                    await App.open(found.settings(store_url=to.store))
        assert is_over(to) or not killed(found.home, to, ("any", 10_000))
        assert is_over(to)
        assert (await verified(settings, to)).wrong == []
    assert before | {"units": None} == everything(to.store) | {"units": None}
    if times > len(NAMED):
        assert await lives_on(found, found.settings(store_url=to.store, blobs_url=to.blobs)) == []
