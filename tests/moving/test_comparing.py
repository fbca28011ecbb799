"""What is in the target otherwise than in the source is noticed and named; what was is told."""

import re
from pathlib import Path

import apsw
import pytest

from mediamill.app import App
from mediamill.blobs.local import LocalBlobs
from mediamill.core.errors import BrokenMedia, ConfigurationError
from mediamill.moving import objects
from mediamill.store.sql.sqlite.store import SqliteStore
from tests.faults.rows import everything
from tests.moving.conftest import moved, verified

pytestmark = pytest.mark.embedded("it moves from there")


def first_file(root: Path) -> Path:
    return min((root / "files+").iterdir())


def change(sql: str):
    def planted(new: Path) -> None:
        connection = apsw.Connection(str(new / "mill.db"))
        connection.execute(sql)
        assert connection.changes() == 1
        connection.close()

    return planted


def flip(new: Path) -> None:
    file = first_file(new / "blobs")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


PLANTED = {
    r"^users user_\w+ is different$": change(
        "UPDATE users SET name = 'x' WHERE id = (SELECT min(id) FROM users)"
    ),
    r"^file_tags user_\w+:red/file_\w+ is missing$": change(
        "DELETE FROM file_tags WHERE tagged LIKE '%:red'"
    ),
    r"^emails: 4 records, not 3$": change("INSERT INTO emails VALUES ('b@example.org', 'user_1')"),
    r"^units .* is different$": change(
        "UPDATE units SET payload = '{}' "
        'WHERE "group" = (SELECT min("group") FROM units WHERE kind = \'notify\')'
    ),
    r"^providers good is different$": change("UPDATE providers SET region = 'x'"),
    r"^files/file_\w+ has other bytes$": flip,
    r"^files/file_\w+ is missing$": lambda new: first_file(new / "blobs").unlink(),
    r"^1 files too many in the target$": lambda new: (new / "blobs" / "files+" / "more").touch(),
}


@pytest.mark.parametrize("told", PLANTED)
async def test_a_fault_in_the_target_is_noticed(found, embedded, tmp_path, told):
    await moved(found.settings(), embedded)
    assert (await verified(found.settings(), embedded)).wrong == []
    PLANTED[told](tmp_path / "new")
    outcome = await verified(found.settings(), embedded)
    assert re.search(told, "\n".join(outcome.wrong), re.MULTILINE)
    assert len(outcome.wrong) <= 2


async def test_many_records_move_and_are_counted(found, embedded):
    connection = apsw.Connection(str(found.home / "mediamill.db"))
    many = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2345)"
    connection.execute(f"{many} INSERT INTO file_tags SELECT 'tag' || i % 7, 'f' || i FROM c")
    connection.close()
    outcome = await moved(found.settings(), embedded)
    assert outcome.survey.rows["file_tags"] == 2345 + 2
    assert outcome.wrong == []
    assert len(everything(embedded.store)["file_tags"]) == 2345 + 2


async def test_a_target_that_keeps_other_bytes_is_not_finished(
    found, embedded, tmp_path, monkeypatch
):
    """A planted fault: what is written is not what is kept."""
    read, new = LocalBlobs.read, tmp_path / "new"

    async def other(self: LocalBlobs, key: str, start: int = 0, stop: int | None = None):
        async for chunk in read(self, key, start, stop):
            wrong = self.root.is_relative_to(new) and key.startswith("files/")
            yield b"?" + chunk[1:] if wrong else chunk

    monkeypatch.setattr(objects, "PAUSE", 0)
    with monkeypatch.context() as patch:
        patch.setattr(LocalBlobs, "read", other)
        outcome = await moved(found.settings(), embedded)
        again = await moved(found.settings(), embedded)  # it is not repaired
    assert sorted(again.wrong) == sorted(outcome.wrong)
    assert len(outcome.wrong) == len(found.history.uploads)
    assert "reads back with other bytes" in outcome.wrong[0]
    with pytest.raises(ConfigurationError, match="not finished"):
        await App.open(found.settings(store_url=embedded.store))
    assert (await moved(found.settings(), embedded)).wrong == []
    assert (await verified(found.settings(), embedded)).wrong == []


async def test_a_target_that_keeps_other_records_is_not_finished(found, embedded, monkeypatch):
    """A planted fault: names lose their last letter on the way."""
    transact = SqliteStore.transact

    async def cut(self: SqliteStore, *actions):
        for action in actions:
            if getattr(action, "record", None).__class__.__name__ == "Project":
                action = type(action)(action.record.evolve(name=action.record.name[:-1]))
            cutting.append(action)
        await transact(self, *cutting)
        cutting.clear()

    cutting: list = []
    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "transact", cut)
        outcome = await moved(found.settings(), embedded)
    assert outcome.wrong == [f"projects {found.project} is different"]
    assert (await moved(found.settings(), embedded)).wrong == []


async def test_what_was_damaged_before_is_told_and_moves(found, embedded):
    damaged, missing = sorted((found.home / "blobs" / "files+").iterdir())[:2]
    damaged.write_bytes(b"something else")
    missing.unlink()
    outcome = await moved(found.settings(), embedded)
    assert outcome.wrong == []
    told = f"files/{damaged.name} is not what its record says, in the source already"
    assert outcome.damaged == [told]
    assert outcome.survey.missing == [f"files/{missing.name}"]


async def test_what_the_source_itself_calls_damaged_moves_as_it_is(
    found, embedded, tmp_path, monkeypatch
):
    """As a bucket does: an object whose checksum differs is read in parts only."""
    read, damaged = LocalBlobs.read, first_file(found.home / "blobs")
    damaged.write_bytes(b"something else")
    key = f"files/{damaged.name}"

    async def checked(self: LocalBlobs, name: str, start: int = 0, stop: int | None = None):
        if name == key and self.root.is_relative_to(found.home) and (start, stop) == (0, None):
            raise BrokenMedia("its checksum differs")
        async for chunk in read(self, name, start, stop):
            yield chunk

    monkeypatch.setattr(objects, "PAUSE", 0)
    monkeypatch.setattr(LocalBlobs, "read", checked)
    outcome = await moved(found.settings(), embedded)
    told = [f"{key} is not what its record says, in the source already"]
    assert (outcome.wrong, outcome.damaged) == ([], told)
    assert first_file(tmp_path / "new" / "blobs").read_bytes() == b"something else"
    again = await verified(found.settings(), embedded)
    assert (again.wrong, again.damaged) == ([], told)
