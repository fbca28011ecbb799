"""What the installation has lost is told, and comes back from what the place has of it."""

import hashlib
import json
from collections import Counter
from contextlib import closing
from dataclasses import replace

import apsw
import pytest
from structlog.testing import capture_logs

from mediamill.app import App
from mediamill.backup import objects as copied
from mediamill.backup.examining import Looked
from mediamill.backup.taking import Taking
from mediamill.backup.vault import Vault
from mediamill.core.backups import noted_backup
from mediamill.core.errors import Restoring
from mediamill.handlers.back_up import BackUp
from tests.backup.test_backup import files_of
from tests.backup.test_killed import objects
from tests.handlers.test_back_up import Released

pytestmark = pytest.mark.embedded("it is about a home")


@pytest.mark.parametrize("small", [500, 4 << 20])
def test_what_rots_or_goes_later_is_told_and_restored(
    found, say, place, tmp_path, monkeypatch, small
):
    monkeypatch.setattr(copied, "SMALL", small)
    assert say("backup", place)[0] == 0
    before = objects(found.home)
    folder = found.home / "blobs" / "files+"
    spoilt, gone = sorted(folder.iterdir(), key=lambda path: path.stat().st_size)[-2:]
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"?")
    gone.unlink()
    for _ in range(2):  # it is not forgotten by the next one
        code, _, err = say("backup", place, "--keep", 1)
        assert (code, "already:\n  files/" in err) == (1, True)
        for path, what in ((gone, "Missing"), (spoilt, "Damaged")):
            assert f"{what} in the installation already:\n  files/{path.name}\n" in err
    assert noted_backup(found.home).lost == 2
    assert say("restore", place, "--home", tmp_path / "new")[0] == 0
    assert objects(tmp_path / "new") == before


def test_what_rotted_on_both_sides_is_not_promised(found, say, place):
    """What would heal is read back first: by its size alone it is not believed."""
    assert say("backup", place)[0] == 0
    path = max((found.home / "blobs" / "files+").iterdir(), key=lambda path: path.stat().st_size)
    data = path.read_bytes()
    (kept,) = (place / "objects+").rglob(hashlib.sha256(data).hexdigest())
    kept.write_bytes(data[:-1] + b"?")
    path.unlink()
    code, _, err = say("backup", place)
    assert (code, f"already:\n  files/{path.name}\n" in err) == (1, True)
    code, out, _ = say("backup", "verify", place)
    assert (code, "whole." in out) == (0, True), "it is not in the snapshot"


async def test_what_is_cold_is_not_asked_back(found, tmp_path, monkeypatch):
    settings = found.settings()
    async with await App.open(settings) as app, Vault.open(str(tmp_path / "b")) as vault:
        contents = {info.key: await app.blobs.get(info.key) async for info in app.blobs.list("")}
        times = Counter(contents.values())
        single = [key for key, data in contents.items() if times[data] == 1]
        known, new, quiet = [key for key in sorted(single) if key.startswith("files/")][:3]
        data = contents[known]
        await vault.keep({hashlib.sha256(data).hexdigest(): data})
        listed, read = type(app.blobs).list, type(app.blobs).get

        async def cold(blobs, prefix, after=""):
            async for info in listed(blobs, prefix, after):
                yield replace(info, cold=info.key in {known, new})

        async def away(blobs, key):
            assert key not in {known, new}, "it would be asked back"
            if key == quiet and blobs is app.blobs:  # no listing says it of every kind
                raise Restoring("It is in cold storage.", retry_after=60)
            return await read(blobs, key)

        monkeypatch.setattr(type(app.blobs), "list", cold)
        monkeypatch.setattr(type(app.blobs), "get", away)
        taking = Taking(settings, app.store, app.parts.blob_stores())
        snapshot = await taking.take(vault, str(tmp_path / "b"))
        assert snapshot.cold == sorted([new, quiet])
        assert snapshot.counts == {"missing": 0, "damaged": 0, "cold": 2}


def test_again_reads_the_place_back_and_mends_it(found, say, place):
    assert say("backup", place)[0] == 0
    sizes = files_of(place)
    snapshot = json.loads(next((place / "snapshots+").iterdir()).read_bytes())
    own = {*snapshot["database"]["blocks"], *snapshot["lists"]}
    largest = max(sizes.keys() - own, key=lambda name: sizes[name])
    spoilt = next((place / "objects+").rglob(largest))
    whole = spoilt.read_bytes()
    spoilt.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert say("backup", place)[0] == 0, "its size is believed"
    assert spoilt.read_bytes() != whole
    assert say("backup", place, "--again")[0] == 0
    assert spoilt.read_bytes() == whole
    assert say("backup", "verify", place, "--all")[0] == 0


def test_another_installation_s_place_is_refused(found, say, place, tmp_path):
    assert say("backup", place)[0] == 0
    other = tmp_path / "other"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDIAMILL_HOME", str(other))
        assert say("admin", "users", "list")[0] == 0
        with closing(apsw.Connection(str(other / "mediamill.db"))) as database:  # not a minute old
            database.execute("UPDATE schema_version SET applied = applied + 60000").fetchall()
        code, _, err = say("backup", place)
        assert (code, "backups of another installation" in err) == (2, True)
        assert say("backup", "list", place)[1].count("\n") == 1
        assert say("backup", place, "--take-over")[0] == 0
        assert say("backup", place)[0] == 0


async def test_a_worker_s_backup_that_lacks_files_says_so(found, tmp_path, monkeypatch):
    """Old ones are dropped, as what is deleted is to leave them, and some of it is read back."""
    settings = found.settings(backup_url=str(tmp_path / "b"), backup_every="1h")
    gone = next((found.home / "blobs" / "files+").iterdir())
    gone.unlink()
    async with await App.open(settings) as app:
        handler = BackUp(settings, app.store, app.parts.blob_stores(), app.parts.kept)
        lease, pruned, examined = Released(), [], []

        async def pruning(vault, now, days, keep=0):
            pruned.append(days)
            return 0, 0

        async def examining(vault, before, begun, every, seconds):
            examined.append(every)
            return Looked(until=begun)

        monkeypatch.setattr("mediamill.handlers.back_up.prune", pruning)
        monkeypatch.setattr("mediamill.handlers.back_up.examine", examining)
        with capture_logs() as said:
            await handler.run(lease)
        (line,) = [one for one in said if one["action"] == "backup_incomplete"]
        assert (line["log_level"], line["missing"]) == ("error", [f"files/{gone.name}"])
        assert pruned == [settings.backup_keep_days]
        assert examined == [3_600_000]
        assert lease.changed["attempts"] == 0
        ((after, error),) = lease.said
        assert (0 < after < 3_600_000, error) == (True, "")


async def test_what_a_worker_finds_broken_is_said_and_written_anew(found, tmp_path):
    settings = found.settings(backup_url=str(tmp_path / "b"), backup_every="7d")
    async with await App.open(settings) as app:
        handler = BackUp(settings, app.store, app.parts.blob_stores(), app.parts.kept)
        lease, told = Released(), []
        await handler.run(lease)
        kept = next(one for one in (tmp_path / "b").rglob("objects*/**/*") if one.is_file())
        data = kept.read_bytes()
        kept.write_bytes(bytes(len(data)))
        for _ in range(3):
            lease.unit.payload["looked"]["until"] = 0  # all of it is due again
            with capture_logs() as said:
                await handler.run(lease)
            told.append([one["some"] for one in said if one["action"] == "backups_broken"])
    assert told == [[[kept.name]], [], []], "found, and written anew with the next"
    assert kept.read_bytes() == data
