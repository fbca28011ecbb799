"""`mediamill account` against a real service."""

import zipfile
from pathlib import Path

import httpx

from mediamill.cli.remote.home import Credentials
from tests.cli.conftest import Commands

PASSWORD = "a long enough secret"


def test_everything_is_fetched(signed_in: Commands, clip: Path):
    assert signed_in("files", "put", clip).returncode == 0
    got = signed_in("account", "export", "-o", "me.zip")
    assert got.stdout == "me.zip\n", got.stderr
    with zipfile.ZipFile(signed_in.folder / "me.zip") as archive:
        assert archive.testzip() is None
        assert "tables/users.jsonl" in archive.namelist()
        assert clip.read_bytes() in [archive.read(n) for n in archive.namelist() if "files/" in n]
    again = signed_in("account", "export", "-o", "me.zip")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr


def test_an_account_is_deleted_and_kept(mediamill: Commands, service: Credentials):
    who = {"email": "closing@example.org", "password": PASSWORD}
    registered = httpx.post(f"{service.server}/v1/auth/register", json=who)
    assert registered.status_code == 201, registered.text
    mediamill.extra = {"MEDIAMILL_SERVER": service.server, "MEDIAMILL_TOKEN": service.token}
    given = ("--email", who["email"], "--password-stdin")
    deleted = mediamill("account", "delete", *given, told=f"{PASSWORD}\n")
    assert deleted.returncode == 0, deleted.stderr
    assert "/erasures/mmk_" in deleted.stdout
    refused = mediamill("login", *given, told=f"{PASSWORD}\n")
    assert refused.returncode != 0
    assert "being deleted" in refused.stderr
    kept = mediamill("account", "keep", *given, told=f"{PASSWORD}\n")
    assert kept.returncode == 0, kept.stderr
    assert httpx.post(f"{service.server}/v1/auth/login", json=who).status_code == 200
