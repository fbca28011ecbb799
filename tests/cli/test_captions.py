"""`mediamill captions` against a real service with a model."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediamill.cli.remote.home import Credentials
from tests.cli.conftest import Commands, serving
from tests.cli.test_client import first_id

PROVIDERS = Path(__file__).parents[1] / "web" / "captions.toml"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Credentials]:
    """A service with providers."""
    commands = Commands(tmp_path / "home", tmp_path)
    commands.extra = {"MEDIAMILL_MIN_FREE_BYTES": "0", "MEDIAMILL_PROVIDERS": str(PROVIDERS)}
    with serving(commands) as kept:
        yield kept


def test_frames_of_a_video_are_captioned_found_judged_and_exported(
    signed_in: Commands, clip: Path
) -> None:
    video = first_id(signed_in("files", "put", clip).stdout)
    (signed_in.folder / "steps.json").write_text(
        json.dumps([
            {"operation": "extract-frames", "parameters": {"mode": "count", "count": 2}},
            {"operation": "caption", "parameters": {"providers": ["boat"]}},
        ])
    )  # fmt: skip
    job = signed_in("jobs", "submit", "--steps", "steps.json", video, "--wait")
    assert job.stdout.endswith("\tsucceeded\n"), job.stderr
    job_id = first_id(job.stdout)
    found = signed_in("captions", "search", "red", "boa").stdout.splitlines()
    assert len(found) == 2
    assert all("A red boat" in line and line.endswith("\tboat") for line in found)
    rows = [json.loads(line) for line in signed_in(
        "captions", "list", "--job", job_id, "--json"
    ).stdout.splitlines()]  # fmt: skip
    good, bad = (row["id"] for row in rows)
    assert signed_in("captions", "approve", good).stdout == f"{good}\tapproved\n"
    assert signed_in("captions", "edit", good, "A ship").returncode == 0
    assert "approved" in signed_in("captions", "undo", good).stdout
    missed = signed_in("captions", "reject", bad, "capt_0-0-0")
    assert (missed.returncode, missed.stdout) == (1, f"{bad}\trejected\n"), missed.stderr
    assert "capt_0-0-0" in missed.stderr
    again = signed_in("captions", "rerun", "--job", job_id, "--provider", "other")
    assert again.stdout.startswith("job_"), again.stderr
    assert "boat" in signed_in("captions", "show", bad).stdout
    wrote = signed_in("captions", "export", "--job", job_id, "-o", "captions.csv")
    assert wrote.stdout == "captions.csv\n", wrote.stderr
    with (signed_in.folder / "captions.csv").open(encoding="utf-8-sig", newline="") as stream:
        table = [*csv.DictReader(stream)]
    assert [row["state"] for row in table] == ["approved", "rejected"]
    assert signed_in("captions", "export", "-o", "captions.csv").returncode == 2
    lines = signed_in("captions", "export", "--format", "jsonl", "--state", "approved").stdout
    assert json.loads(lines)["concise"].startswith("A red boat")
    assert signed_in("captions", "delete").returncode == 2
    assert signed_in("captions", "delete", bad).returncode == 0
    removed = signed_in("captions", "delete", "--all", "--yes", "--job", job_id)
    assert removed.stdout == "1 deleted\n", removed.stderr
