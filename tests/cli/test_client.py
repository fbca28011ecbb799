"""Client commands against a real service."""

import json
import zipfile
from pathlib import Path

import pytest

from mediamill.cli.remote.home import Credentials, save_credentials
from tests.cli.conftest import Commands


def first_id(text: str) -> str:
    return text.split("\t", maxsplit=1)[0].strip()


def test_upload_process_collect(signed_in: Commands, clip: Path):
    put = signed_in("files", "put", clip)
    assert put.returncode == 0, put.stderr
    file_id = first_id(put.stdout)
    job = signed_in("jobs", "create", "extract-frames", file_id, "--count", "3", "--wait")
    assert job.returncode == 0, job.stderr
    assert job.stdout.endswith("\tsucceeded\n")
    job_id = first_id(job.stdout)
    got = signed_in("jobs", "download", job_id, "-o", "frames.zip")
    assert got.stdout == "frames.zip\n", got.stderr
    with zipfile.ZipFile(signed_in.folder / "frames.zip") as archive:
        names = archive.namelist()
    assert names[0] == "manifest.jsonl"
    assert sum(name.endswith(".jpg") for name in names) == 3
    again = signed_in("jobs", "download", job_id, "-o", "frames.zip")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    items = signed_in("jobs", "items", job_id, "--json")
    assert json.loads(items.stdout)["state"] == "succeeded"
    results = signed_in("jobs", "results", job_id)
    archive_id = first_id(results.stdout)
    assert signed_in("files", "get", archive_id, "-o", ".").stdout == "clip-frames.zip\n"
    assert job_id in signed_in("jobs", "list").stdout
    assert json.loads(signed_in("jobs", "show", job_id, "--json").stdout)["items"] == 1


def test_files_come_back_byte_for_byte_and_go_when_deleted(signed_in: Commands, clip: Path):
    file_id = first_id(signed_in("files", "put", clip).stdout)
    assert signed_in("files", "get", file_id).stdout == "clip.mp4\n"
    assert (signed_in.folder / "clip.mp4").read_bytes() == clip.read_bytes()
    shown = json.loads(signed_in("files", "show", file_id, "--json").stdout)
    assert shown["media_type"] == "video/mp4"
    assert file_id in signed_in("files", "list").stdout
    assert signed_in("files", "delete", file_id).returncode == 0
    gone = signed_in("files", "show", file_id)
    assert gone.returncode == 3
    assert file_id in gone.stderr
    assert [path.name for path in signed_in.folder.iterdir()] == ["clip.mp4"]


def test_a_refused_file_is_reported_and_the_others_go_on(signed_in: Commands, clip: Path):
    folder = signed_in.folder / "in"
    folder.mkdir()
    (folder / "a-broken.mp4").write_bytes(clip.read_bytes()[:64] + bytes(1000))
    (folder / "b-good.mp4").write_bytes(clip.read_bytes())
    put = signed_in("files", "put", "in", "--json")
    assert put.returncode == 1
    assert "a-broken.mp4" in put.stderr
    assert [json.loads(line)["name"] for line in put.stdout.splitlines()] == ["b-good.mp4"]


def test_parameters_are_checked_against_the_server(signed_in: Commands, clip: Path):
    file_id = first_id(signed_in("files", "put", clip).stdout)
    wrong = signed_in("jobs", "create", "extract-frames", file_id, "--quality", "101")
    assert wrong.returncode == 2
    assert "--quality" in wrong.stderr
    unknown = signed_in("jobs", "create", "extract-frames", file_id, "--colour", "red")
    assert unknown.returncode == 2
    nothing = signed_in("jobs", "create", "no-such", file_id)
    assert nothing.returncode == 3
    assert "no-such" in nothing.stderr
    absent = signed_in("jobs", "create", "extract-frames", "file_01KAHRQPV0V3E3M2X5E2C8T2QG")
    assert absent.returncode == 3


def test_operations_show_their_parameters(signed_in: Commands):
    assert "extract-frames\t" in signed_in("operations").stdout
    one = signed_in("operations", "extract-frames")
    assert "--quality" in one.stdout
    assert "Default: 85." in one.stdout
    assert json.loads(signed_in("operations", "thumbnail", "--json").stdout)["schema"]


def test_mails_are_chosen(signed_in: Commands):
    told = signed_in("notifications", "--finished", "long")
    assert told.stdout.splitlines() == [
        "Mails when a job is done: for jobs that took longer than a minute.",
        "Mails when something of a job failed: for every job.",
    ]
    chosen = json.loads(signed_in("notifications", "--json").stdout)
    assert chosen == {"email": {"finished": "long", "failed": "always"}}


def test_tokens_are_made_listed_and_revoked(signed_in: Commands, service: Credentials):
    limits = ("--days", 1, "--scope", "files:read", "--scope", "jobs:read")
    made = json.loads(signed_in("tokens", "create", "for a test", *limits, "--json").stdout)
    assert made["scopes"] == ["files:read", "jobs:read"]
    other = Commands(signed_in.home, signed_in.folder, dict(signed_in.extra))
    other.extra["MEDIAMILL_TOKEN"] = made["token"]
    assert other("files", "list").returncode == 0
    assert "for a test" in signed_in("tokens", "list").stdout
    assert made["token"] not in signed_in("tokens", "list", "--json").stdout
    assert signed_in("tokens", "revoke", made["id"]).returncode == 0
    refused = other("files", "list")
    assert refused.returncode == 3
    assert "mediamill login" in refused.stderr


def test_login_keeps_a_token_that_only_its_owner_reads(mediamill: Commands, service: Credentials):
    import httpx

    account = {"email": "ann@example.org", "password": "a long enough password"}
    answer = httpx.post(f"{service.server}/v1/auth/register", json=account)
    assert answer.status_code == 201, answer.text
    done = mediamill(
        "login", "--server", service.server, "--email", account["email"], "--password-stdin",
        told=account["password"] + "\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kept = mediamill.home / "token"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert mediamill("files", "list").returncode == 0
    wrong = mediamill(
        "login", "--server", service.server, "--email", account["email"], "--password-stdin",
        told="another password\n",
    )  # fmt: skip
    assert wrong.returncode == 3


def test_login_takes_a_token_that_was_made_on_the_page(mediamill: Commands, service: Credentials):
    wrong = mediamill("login", "--server", service.server, "--token-stdin", told="mmt_wrong\n")
    assert (wrong.returncode, (mediamill.home / "token").exists()) == (3, False)
    given = service.token
    done = mediamill("login", "--server", service.server, "--token-stdin", told=f"{given}\n")
    assert done.returncode == 0, done.stderr
    assert given not in done.stdout + done.stderr
    assert mediamill("files", "list").returncode == 0


def test_a_kept_token_is_not_shown_to_another_server(mediamill: Commands, service: Credentials):
    save_credentials(mediamill.home, Credentials(service.token, "http://127.0.0.1:9"))
    refused = mediamill("files", "list", "--server", service.server)
    assert refused.returncode == 3
    assert "mediamill login" in refused.stderr


@pytest.mark.parametrize(
    ("server", "code"), [("http://127.0.0.1:9", 4), ("nonsense", 2), ("ftp://host", 2)]
)
def test_a_server_that_is_none_or_away(mediamill: Commands, server: str, code: int):
    done = mediamill("files", "list", "--server", server)
    assert done.returncode == code
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 2
