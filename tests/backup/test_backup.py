"""What `mediamill backup` and `restore` do: all of it comes back, and each trouble is named."""

import asyncio
import json
import os
from pathlib import Path

import apsw
import pytest

from mediamill.app import App
from mediamill.backup import objects as copied
from mediamill.backup import restoring
from mediamill.blobs.local.store import LocalBlobs
from mediamill.core.backups import last_backup, noted_backup
from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings
from tests.backup.test_killed import objects
from tests.moving.installation import lives_on

pytestmark = pytest.mark.embedded("it is about a home")


def files_of(place: Path) -> dict[str, int]:
    """Return the content at a place by its digest, with its size."""
    found = (place / "objects+").rglob("*")
    return {path.name: path.stat().st_size for path in found if path.is_file()}


def settings(home: Path) -> Settings:
    return Settings(home=home, slots=1, min_free_bytes=0, lease_seconds=6)


def test_all_of_it_comes_back(found, say, place, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDIAMILL_BACKUP_PASSPHRASE", "nine words that nobody else would ever say")
    code, out, err = say("backup", place, "--json")
    assert (code, err) == (0, ""), err
    told = json.loads(out)
    assert (told["store"], told["keys"], told["missing"]) == ("sqlite", "sealed", [])
    noted = noted_backup(found.home)
    assert (noted.snapshot, noted.place) == (told["id"], f"file://{place}")
    assert last_backup(found.home) == noted.begun
    assert {place.stat().st_mode & 0o777, (found.home / "backup.json").stat().st_size > 0} == {
        0o700, True,
    }  # fmt: skip
    code, out, _ = say("backup", "list", place)
    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith(f"{told['id']}\t")
    code, out, _ = say("backup", "verify", place)
    assert (code, "whole." in out) == (0, True)
    act = json.loads(say("admin", "audit", "--action", "backup_made", "--json")[1])
    assert (act["actor"], act["about"]) == ("operator", told["id"])

    new = tmp_path / "new"
    code, out, err = say("restore", place, "--home", new)
    assert (code, f"mediamill up --home {new}" in out) == (0, True), err
    assert "No keys" not in err
    for name in ("secret", "keyring", "mediamill.db"):
        assert (new / name).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in new.iterdir()) == [
        "blobs", "keyring", "mediamill.db", "secret",
    ]  # fmt: skip
    assert asyncio.run(lives_on(found, settings(new))) == []


def test_the_next_one_adds_what_is_new(found, say, place):
    assert say("backup", place)[0] == 0
    before = files_of(place)
    code, out, _ = say("backup", "run", place, "--json")
    assert code == 0
    assert json.loads(out)["new_bytes"] == sum(files_of(place).values()) - sum(before.values())
    assert before.items() <= files_of(place).items()
    snapshots = (place / "snapshots+").iterdir()
    newest = json.loads(max(snapshots, key=lambda path: path.name).read_bytes())
    assert newest["objects"] > 10
    blocks = {*newest["database"]["blocks"]}
    assert files_of(place).keys() - before.keys() <= blocks, "no object is there twice"


@pytest.mark.parametrize("small", [500, 4 << 20])
def test_results_go_where_the_settings_say(found, say, place, tmp_path, monkeypatch, small):
    """From one place into two and back into one; large objects go as streams."""
    monkeypatch.setattr(copied, "SMALL", small)
    monkeypatch.setattr(restoring, "SMALL", small)
    two, one, apart = tmp_path / "two", tmp_path / "one", tmp_path / "results"
    say("backup", place)
    with monkeypatch.context() as patch:
        patch.setenv("MEDIAMILL_RESULTS_URL", f"file://{apart}")
        assert say("restore", place, "--home", two)[0] == 0
        assert {path.name for path in apart.iterdir()} >= {"results+", "layouts+"}
        assert not (two / "blobs" / "results+").exists()
        assert say("backup", tmp_path / "again", "--home", two)[0] == 0
    assert say("restore", tmp_path / "again", "--home", one)[0] == 0
    assert objects(one) == objects(found.home)


def test_a_large_object_that_is_damaged_is_told(found, say, place, monkeypatch):
    monkeypatch.setattr(copied, "SMALL", 500)
    folder = found.home / "blobs" / "files+"
    spoilt = max(folder.iterdir(), key=lambda path: path.stat().st_size)
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"?")
    code, _, err = say("backup", place)
    assert (code, f"already:\n  files/{spoilt.name}\n" in err) == (1, True), err
    assert say("backup", "verify", place)[0] == 0


def test_what_the_backup_lost_is_named_and_written_anew(found, say, place, tmp_path):
    say("backup", place)
    sizes = files_of(place)
    snapshot = json.loads(next((place / "snapshots+").iterdir()).read_bytes())
    blocks = {*snapshot["database"]["blocks"], *snapshot["lists"]}
    largest = max(sizes.keys() - blocks, key=lambda name: sizes[name])
    spoilt = next((place / "objects+").rglob(largest))
    data = bytearray(spoilt.read_bytes())
    data[len(data) // 2] ^= 1
    spoilt.write_bytes(data)
    code, out, err = say("backup", "verify", place, "--drop-broken")
    assert (code, largest in err) == (1, True)
    assert "1 objects are missing or broken" in out

    code, _, err = say("restore", place, "--home", tmp_path / "half")
    assert (code, "The backup has lost 1 files" in err) == (1, True)
    with pytest.raises(ConfigurationError, match=r"a restore into .* is not finished"):
        asyncio.run(App.open(settings(tmp_path / "half")))
    shared = Settings(home=tmp_path / "other", blobs_url=f"file://{tmp_path}/half/blobs")
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_BLOBS_URL: .* or a restore"):
        asyncio.run(App.open(shared))

    assert say("backup", place)[0] == 0
    assert say("backup", "verify", place, "--all")[0] == 0
    assert files_of(place)[largest] == sizes[largest]


def test_a_snapshot_that_cannot_be_read_is_passed_over_and_dropped(found, say, place):
    say("backup", place)
    say("backup", place)
    older, newer = sorted((place / "snapshots+").iterdir())
    told = json.loads(newer.read_bytes())
    newer.write_bytes(newer.read_bytes()[:-100])
    code, out, _ = say("backup", "list", place)
    assert (code, f"{newer.name}\tThe snapshot {newer.name} cannot be read" in out) == (0, True)
    code, out, err = say("backup", place)
    assert (code, "Old snapshots were not dropped: " in err) == (1, True)
    assert "files" in out, "it was made"
    assert len(list((place / "snapshots+").iterdir())) == 3
    code, out, err = say("backup", "verify", place, "--all", "--drop-broken")
    assert (code, f"{newer.name}: this snapshot cannot be read." in err) == (1, True)
    assert not newer.exists()
    assert say("backup", "verify", place, "--all")[0] == 0
    older.write_text(json.dumps({**told, "format": 2}))
    code, out, err = say("backup", "verify", place, "--all", "--drop-broken")
    assert (code, "was made by a newer mediamill" in err) == (2, True)
    assert older.exists()


def test_what_does_not_read_back_is_no_backup(found, say, place, monkeypatch):
    written = LocalBlobs.put_all

    async def spoilt(blobs, objects):
        *others, (key, data) = objects
        return await written(blobs, [*others, (key, data[:-1] + bytes([data[-1] ^ 1]))])

    monkeypatch.setattr(LocalBlobs, "put_all", spoilt)
    code, _, err = say("backup", place)
    assert (code, "do not read back as they were written" in err) == (2, True)
    assert say("backup", "list", place)[1] == ""
    assert noted_backup(found.home) is None


def test_what_rows_name_in_vain_is_told(found, say, place):
    gone, spoilt = sorted((found.home / "blobs" / "files+").iterdir())[:2]
    gone.unlink()
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"?")
    code, _, err = say("backup", place)
    assert code == 1
    assert f"Missing in the installation already:\n  files/{gone.name}\n" in err
    assert f"Damaged in the installation already:\n  files/{spoilt.name}\n" in err
    assert say("backup", "verify", place)[0] == 0


def test_a_damaged_database_is_no_backup(found, say, place):
    path = found.home / "mediamill.db"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    connection.close()
    data = bytearray(path.read_bytes())
    for page in range(20, 40):  # some of them are used
        data[page * 4096 : page * 4096 + 8] = os.urandom(8)
    path.write_bytes(data)
    code, _, err = say("backup", place)
    assert code != 0
    assert "damaged" in err or "malformed" in err
    assert say("backup", "list", place)[1] == ""


def test_keys_need_their_passphrase(found, say, place, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDIAMILL_BACKUP_PASSPHRASE", "too short")
    code, _, err = say("backup", place)
    assert (code, "less than 12 characters" in err) == (2, True), err
    monkeypatch.setenv("MEDIAMILL_BACKUP_PASSPHRASE", "the right one of all words")
    say("backup", place)
    secrets = [(found.home / name).read_bytes() for name in ("secret", "keyring")]
    for path in place.rglob("*"):
        assert not path.is_file() or not any(key in path.read_bytes() for key in secrets)
    new = tmp_path / "new"
    for passphrase, told in (("", "--without-keys"), ("the wrong one", "does not open the keys")):
        monkeypatch.setenv("MEDIAMILL_BACKUP_PASSPHRASE", passphrase)
        code, _, err = say("restore", place, "--home", new)
        assert (code != 0, told in err, new.exists()) == (True, True, False), err
    code, _, err = say("restore", place, "--home", new, "--without-keys")
    assert (code, "No keys came along" in err) == (0, True)
    assert not (new / "secret").exists()


def test_a_backup_without_a_passphrase_has_no_keys(found, say, place):
    code, _, err = say("backup", place)
    assert (code, "keep them apart" in err) == (0, True)
    assert "keys: apart" in say("backup", "list", place)[1]


def test_what_cannot_be_done_is_said(found, say, place, tmp_path, monkeypatch):
    assert "Where to?" in say("backup")[2]
    for inside in (found.home / "blobs", found.home / "blobs" / "more", found.home):
        code, _, err = say("backup", inside)
        assert (code, "Name a place of its own" in err) == (2, True)
    assert "There is no folder" in say("backup", "list", tmp_path / "nowhere")[2]
    assert "there is no" in say("backup", place, "--home", tmp_path / "none")[2]
    assert not (tmp_path / "none").exists()
    place.mkdir(exist_ok=True)
    assert "There is no snapshot" in say("restore", place, "--home", tmp_path / "new")[2]
    say("backup", place)
    assert "is not empty" in say("restore", place, "--home", found.home)[2]
    code, _, err = say("restore", place, "--home", tmp_path / "new", "--at", "2020-01-01")
    assert (code, "no snapshot from before" in err) == (2, True)
    monkeypatch.setenv("MEDIAMILL_STORE_URL", "dynamodb://mill?region=eu-west-1")
    code, _, err = say("backup", place)
    assert (code, "point-in-time recovery" in err) == (2, True)
