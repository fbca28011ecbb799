"""What a restore goes on with, and what it refuses: foreign rows, broken snapshots."""

import asyncio
import json
from contextlib import closing

import apsw
import pytest

from mediamill.core.backups import RESTORING
from mediamill.core.errors import Unavailable
from mediamill.store.copying import newest
from mediamill.store.opening import open_store
from mediamill.store.sql.sqlite import copying
from tests.backup.test_killed import killed, more, objects
from tests.faults.rows import everything

pytestmark = pytest.mark.embedded("it is about a home")


def test_rows_that_it_did_not_bring_are_not_taken_for_its_own(found, say, place, tmp_path):
    """Whoever opens the new home before its rows are there makes an empty database."""
    assert say("backup", place)[0] == 0
    new = tmp_path / "new"
    assert killed(("put_all", 5), "restore", place, "--home", new)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDIAMILL_HOME", str(new))
        for command in (("admin", "users", "list"), ("secrets", "status"), ("backup", place)):
            code, _, err = say(*command)
            assert (code, "is not finished" in err) == (2, True), command
    assert not (new / "mediamill.db").exists()
    asyncio.run(_opened(f"sqlite:///{new}/mediamill.db"))  # as an older program would
    code, out, err = say("restore", place, "--home", new)
    assert (code, "did not come by this restore" in err, out) == (2, True, "")
    assert (new / RESTORING).exists()


async def _opened(url: str) -> None:
    await (await open_store(url)).close()


def test_that_rows_come_is_written_down_before(found, say, place, tmp_path):
    """So those that are there then are its own; but only where their database is as old."""
    assert say("backup", place)[0] == 0
    new = tmp_path / "new"

    async def away(url, rows) -> None:
        raise Unavailable("It is away.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "restored", away)
        assert say("restore", place, "--home", new)[0] != 0
    assert json.loads((new / RESTORING).read_bytes())["rows"] is True
    asyncio.run(_opened(f"sqlite:///{new}/mediamill.db"))
    with closing(apsw.Connection(str(new / "mediamill.db"))) as database:
        database.execute("UPDATE schema_version SET applied = applied + 60000").fetchall()
    code, _, err = say("restore", place, "--home", new)
    assert (code, "did not come by this restore" in err) == (2, True)


def test_one_killed_behind_its_rows_goes_on(found, say, place, tmp_path):
    before = everything(found.settings().store_url)
    assert say("backup", place)[0] == 0
    new = tmp_path / "new"
    assert killed(("delete", 1), "restore", place, "--home", new)  # before the marks go
    assert json.loads((new / RESTORING).read_bytes())["rows"] is True
    assert say("restore", place, "--home", new)[0] == 0
    assert everything(f"sqlite:///{new}/mediamill.db") == before


def test_another_snapshot_takes_the_place_of_one_that_cannot_be_restored(
    found, say, place, tmp_path
):
    assert say("backup", place)[0] == 0
    wanted = objects(found.home)
    more(found.home, 1)
    with pytest.MonkeyPatch.context() as patch:  # the rows change, so that a block is its own
        patch.setenv("MEDIAMILL_HOME", str(found.home))
        assert say("backup", place)[0] == 0
    older, newer = sorted((place / "snapshots+").iterdir())
    first, second = [json.loads(path.read_bytes()) for path in (older, newer)]
    new = tmp_path / "new"
    assert killed(("put_all", 5), "restore", place, "--home", new)
    assert say("restore", place, "--home", new, "--at", older.name)[0] == 0
    assert objects(new) == wanted, "and nothing of the newer one"

    (own,) = {*second["lists"]} - {*first["lists"]}
    next((place / "objects+").rglob(own)).unlink()
    last = tmp_path / "last"
    code, _, err = say("restore", place, "--home", last)
    assert (code, "restore another one, with --at" in err) == (2, True)
    assert say("restore", place, "--home", last, "--at", older.name)[0] == 0
    newer.write_bytes(newer.read_bytes()[:-40])
    code, _, err = say("restore", place, "--home", tmp_path / "over")
    assert (code, f"{newer.name} cannot be read, so an older" in err) == (0, True)
    code, _, err = say("backup", "verify", place)
    assert (code, f"{newer.name}: this snapshot cannot be read" in err) == (1, True)
    assert newer.exists()


def test_a_target_that_is_refused_can_be_put_right(found, say, place, tmp_path, monkeypatch):
    assert say("backup", place)[0] == 0
    new, results = tmp_path / "new", tmp_path / "results"
    (results / "files+").mkdir(parents=True)
    (results / "files+" / "one").write_bytes(b"there")
    monkeypatch.setenv("MEDIAMILL_RESULTS_URL", f"file://{results}")
    code, _, err = say("restore", place, "--home", new)
    assert (code, "MEDIAMILL_RESULTS_URL is not empty" in err) == (2, True)
    (results / "files+" / "one").unlink()
    assert say("restore", place, "--home", new)[0] == 0


def test_a_newer_schema_is_refused(found, say, place, tmp_path, monkeypatch):
    assert say("backup", place)[0] == 0
    (path,) = (place / "snapshots+").iterdir()
    said = json.loads(path.read_bytes())
    said["database"]["compatible"] = newest("sqlite") + 1
    path.write_bytes(json.dumps(said).encode())
    code, _, err = say("restore", place, "--home", tmp_path / "new")
    assert (code, "restore it with that version or a later one" in err) == (2, True)
    assert not (tmp_path / "new").exists()


def test_rows_are_compared_with_what_they_were(found, say, place, tmp_path):
    assert say("backup", place)[0] == 0
    (path,) = (place / "snapshots+").iterdir()
    said = json.loads(path.read_bytes())
    said["database"]["blocks"].pop()
    path.write_bytes(json.dumps(said).encode())
    code, _, err = say("restore", place, "--home", tmp_path / "new")
    assert (code, "The rows of the snapshot" in err) == (2, True)
