"""What `mediamill doctor` says of backups, and of buckets that keep versions."""

import shutil
import time

import pytest

from mediamill.cli.service.backing import backups
from mediamill.cli.service.checks import Level
from mediamill.core.backups import LastBackup, every_ms, note_backup
from mediamill.core.settings import Settings
from tests.support.buckets import KEYS

MINUTE = 60_000


def noted(home, minutes: int, **counts: int) -> None:
    """Note a backup of some minutes ago."""
    begun = time.time_ns() // 1_000_000 - minutes * MINUTE
    last = LastBackup(
        snapshot="s", begun=begun, ended=begun, size=1, fresh=1, place="file:///b", counts=counts
    )
    note_backup(home, last)


def told(**given) -> tuple[Level, str]:
    (check,) = backups(Settings(**given))
    assert check.name == "backup"
    return check.level, check.text


def test_backups_are_told_of(tmp_path, monkeypatch):
    here = {"home": tmp_path}
    assert told(**here)[0] is Level.NOTE
    made = {**here, "backup_url": "/b", "backup_every": "30m"}
    level, text = told(**made)
    assert (level, "none was made" in text) == (Level.NOTE, True)
    noted(tmp_path, 20)
    level, text = told(**made)
    assert (level, "set MEDIAMILL_BACKUP_PASSPHRASE" in text) == (Level.OK, True)
    assert "PASSPHRASE" not in told(**made, backup_passphrase="some words")[1]
    noted(tmp_path, 20, damaged=2, missing=1)
    level, text = told(**made)
    assert (level, "3 files were missing or damaged" in text) == (Level.PROBLEM, True)
    noted(tmp_path, 100)
    assert told(**made)[0] is Level.PROBLEM
    assert told(**{**made, "backup_every": "1d"})[0] is Level.OK
    assert "the last one was of" in told(**here)[1]
    level, text = told(**made, store_url="dynamodb://mill?region=eu-west-1")
    assert (level, "point-in-time" in text) == (Level.PROBLEM, True)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    level, text = told(**made, store_url="postgresql://mill@127.0.0.1/mill")
    assert (level, "pg_dump" in text) == (Level.PROBLEM, True)


def test_the_time_between_is_read():
    assert [every_ms(text) for text in ("30m", "6h", "2d")] == [
        30 * MINUTE, 360 * MINUTE, 2880 * MINUTE,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="backup_every"):
        Settings(backup_every="0m")


@pytest.mark.embedded("it names its own bucket")
def test_buckets_without_versions_are_told_of(tmp_path, servers, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    client = servers.buckets.client()
    client.create_bucket(Bucket="versions")
    settings = Settings(home=tmp_path, blobs_url=servers.buckets.url("versions/a"))

    def said() -> tuple[Level, str]:
        (check,) = [one for one in backups(settings) if one.name == "versions"]
        return check.level, check.text

    level, text = said()
    assert (level, "MEDIAMILL_BLOBS_URL: the bucket keeps no versions" in text) == (
        Level.NOTE, True,
    )  # fmt: skip
    on = {"Status": "Enabled"}
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration=on)
    assert said()[0] is Level.OK
