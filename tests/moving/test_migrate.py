"""`mediamill migrate`: a real installation moves, each byte and record of it, and lives on."""

import hashlib
from pathlib import Path

import pytest

from mediamill.moving.places import Targets
from mediamill.store.codec import layout_of
from mediamill.store.repositories.units import Unit
from tests.faults.rows import everything, rows
from tests.moving.conftest import moved, verified
from tests.moving.installation import Installation, lives_on
from tests.support.places import Place

pytestmark = pytest.mark.embedded("it moves from there")


def bytes_of(home: Path) -> dict[str, str]:
    """Return the SHA-256 of all that is kept in a home; what SQLite needs to read is not."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.suffix != ".db-shm" and path.stat().st_size
    }


def same_rows(one: str, other: str) -> None:
    """Compare two stores row by row, past their own code; one unit was with a worker."""
    here, there = everything(one), everything(other)
    assert len(here["units"] - there["units"]) == len(there["units"] - here["units"]) <= 1
    assert here | {"units": None} == there | {"units": None}
    assert len(here["units"]) == len(there["units"]) > 5


async def test_to_postgresql_and_a_bucket(found: Installation, elsewhere):
    to, settings, before = elsewhere(Place("postgresql", "s3")), found.settings(), None
    before = bytes_of(found.home)
    outcome = await moved(settings, to)
    assert (outcome.wrong, outcome.damaged, outcome.survey.missing) == ([], [], [])
    assert outcome.survey.leased == 1
    assert bytes_of(found.home) == before
    same_rows(settings.store_url, to.store)
    units = [layout_of(Unit).decode(row) for row in rows(to.store, Unit)["units"]]
    assert {unit.state for unit in units} == {"ready", "done"}
    assert await lives_on(found, found.settings(store_url=to.store, blobs_url=to.blobs)) == []


@pytest.mark.parametrize("lives", [False, pytest.param(True, marks=pytest.mark.soak)])
async def test_to_dynamodb_with_results_apart(found: Installation, elsewhere, tmp_path, lives):
    results = f"file://{tmp_path}/results"
    to = Targets(elsewhere(Place("dynamodb")).store, f"file://{tmp_path}/originals", results)
    settings = found.settings()
    assert (await moved(settings, to)).wrong == []
    same_rows(settings.store_url, to.store)
    assert (await verified(settings, to)).wrong == []
    names = {path.name for path in (tmp_path / "results").iterdir()} - {".incoming"}
    assert names >= {"results+", "layouts+"}
    assert not names & {"files+", "uploads+"}
    if lives:
        now = found.settings(store_url=to.store, blobs_url=to.blobs, results_url=results)
        assert await lives_on(found, now) == []


async def test_from_postgresql_and_a_bucket_back(found: Installation, elsewhere, tmp_path):
    there = elsewhere(Place("postgresql", "s3"))
    back = Targets(f"sqlite:///{tmp_path}/back.db", f"file://{tmp_path}/back")
    await moved(found.settings(), there)
    settings = found.settings(store_url=there.store, blobs_url=there.blobs)
    assert (await moved(settings, back)).wrong == []
    same_rows(there.store, back.store)
    same_rows(found.settings().store_url, back.store)
    assert bytes_of(tmp_path / "back") == bytes_of(found.home / "blobs")


async def test_only_the_results_move(found: Installation, tmp_path):
    to = Targets(results=f"file://{tmp_path}/results")
    before = bytes_of(found.home)
    outcome = await moved(found.settings(), to)
    assert set(outcome.survey.objects) == {"layouts", "results"}
    assert not outcome.survey.rows
    assert bytes_of(found.home) == before
    assert await lives_on(found, found.settings(results_url=to.results)) == []
