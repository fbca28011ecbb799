"""A service runs on the source between two runs of one move: what it did moves too, or is named."""

from pathlib import Path

import apsw
import pytest

from mediamill.core.errors import Conflict
from mediamill.moving import move
from mediamill.moving.places import Targets
from mediamill.moving.targets import OpenTargets
from tests.faults.rows import everything
from tests.moving.conftest import moved, verified
from tests.support.places import Place

pytestmark = pytest.mark.embedded("it moves from there")


async def broken(*_: object) -> None:
    raise OSError("the power is out")


async def interrupted(monkeypatch, where, settings, to: Targets) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(*where, broken)
        with pytest.raises(OSError, match="power"):
            await moved(settings, to)


def change(home: Path, *lines: str) -> None:
    connection = apsw.Connection(str(home / "mediamill.db"))
    for line in lines:
        connection.execute(line)
    connection.close()


@pytest.mark.parametrize(
    "where", [(move, "differences"), (OpenTargets, "end")], ids=["comparing", "ending"]
)
async def test_what_is_new_moves_too(found, embedded, tmp_path, monkeypatch, where):
    await interrupted(monkeypatch, where, found.settings(), embedded)
    change(found.home, "UPDATE users SET name = 'x'", "INSERT INTO emails VALUES ('b@c', 'u')")
    here, there = found.home / "blobs" / "results+", tmp_path / "new" / "blobs" / "results+"
    result = min(path for path in here.rglob("*") if path.is_file() and path.stat().st_size)
    result.write_bytes(b"?" * result.stat().st_size)
    (found.home / "blobs" / "files+" / "0").write_bytes(b"new, and before all others")
    outcome = await moved(found.settings(), embedded)
    assert outcome.wrong == []
    assert (there / result.relative_to(here)).read_bytes() == result.read_bytes()
    assert (await verified(found.settings(), embedded)).wrong == []
    assert everything(embedded.store)["users"] == everything(found.settings().store_url)["users"]


async def test_an_object_that_the_target_lost_is_copied_again(
    found, embedded, tmp_path, monkeypatch
):
    await interrupted(monkeypatch, (move, "differences"), found.settings(), embedded)
    first, second = sorted((tmp_path / "new" / "blobs" / "files+").iterdir())[:2]
    first.unlink()
    second.write_bytes(b"short")
    assert (await moved(found.settings(), embedded)).wrong == []
    assert (await verified(found.settings(), embedded)).wrong == []


async def test_what_is_gone_is_named(found, embedded, monkeypatch):
    await interrupted(monkeypatch, (OpenTargets, "end"), found.settings(), embedded)
    change(found.home, "DELETE FROM emails")
    min((found.home / "blobs" / "files+").iterdir()).unlink()
    outcome = await moved(found.settings(), embedded)
    assert outcome.wrong == ["1 files too many in the target", "emails: 3 records, not 0"]


async def test_into_a_table_it_begins_again(found, elsewhere, monkeypatch):
    """What was deleted meanwhile could not be found there."""
    to = Targets(elsewhere(Place("dynamodb")).store)
    await interrupted(monkeypatch, (OpenTargets, "end"), found.settings(), to)
    change(found.home, "DELETE FROM emails")
    with pytest.raises(Conflict, match="A service ran on the source"):
        await moved(found.settings(), to)
