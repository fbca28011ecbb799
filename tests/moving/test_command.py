"""What `mediamill migrate` says, and how it ends."""

import asyncio
import re

import pytest

from mediamill.cli.root import root
from mediamill.cli.terminal.running import run_command
from mediamill.core.errors import Unavailable
from mediamill.moving import rows
from mediamill.moving.meter import Meter, seconds_for
from mediamill.moving.survey import listed

pytestmark = pytest.mark.embedded("it moves from there")


async def command(capsys, *arguments: str) -> tuple[int, str, str]:
    code = await asyncio.to_thread(run_command, root, ["migrate", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


async def test_from_a_dry_run_to_the_end(found, embedded, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MEDIAMILL_HOME", str(found.home))
    monkeypatch.setenv("MEDIAMILL_MIN_FREE_BYTES", "0")
    to = ["--to-store", embedded.store, "--to-blobs", embedded.blobs]
    code, out, _ = await command(capsys, *to, "--dry-run")
    assert code == 0
    assert re.search(r"^files +5 records$", out, re.MULTILINE)
    assert re.search(r"^results/ +4 files +\d\.\d kB$", out, re.MULTILINE)
    assert re.search(r"^\d+ records and \d+ files with \d+\.\d kB; about 1 s at", out, re.MULTILINE)
    assert "1 units were in progress" in out
    assert not (tmp_path / "new").exists()

    code, out, err = await command(capsys, *to)
    assert code == 0
    assert re.search(r"^\d+ records and \d+ files .*: each is in the target, read back", out)
    assert (
        f"  MEDIAMILL_STORE_URL={embedded.store}\n  MEDIAMILL_BLOBS_URL={embedded.blobs}\n" in out
    )
    assert f"bring these files along, if they are there:\n  {found.home}/secret " in out
    assert "The source is as it was." in out
    assert re.search(r"^copying files: \d+% \([\d,]+ records, \d+ files", err, re.MULTILINE)

    code, _, err = await command(capsys, *to)
    assert code == 2
    assert "is not empty" in err
    assert "--verify-only" in err
    code, out, _ = await command(capsys, *to, "--verify-only")
    assert code == 0
    assert "each is in the target" in out
    assert "Start the service" not in out
    (tmp_path / "new" / "blobs" / "files+" / "more").touch()
    code, _, err = await command(capsys, *to, "--verify-only")
    assert code == 1
    assert "The target is not the same as the source:\n  1 files too many" in err


async def test_what_is_wrong_with_the_line_is_said(found, capsys, monkeypatch):
    monkeypatch.setenv("MEDIAMILL_HOME", str(found.home))
    for arguments, told in {
        (): "Say where to",
        ("--to-store", "ftp://x"): "--to-store: there is no store for “ftp:”",
        ("--to-blobs", "file://host/x"): "--to-blobs: ",
        ("--to-blobs", "file:///a", "--dry-run", "--verify-only"): "do not go together",
    }.items():
        code, _, err = await command(capsys, *arguments)
        assert (code, told in err) == (2, True), err


async def test_a_target_that_goes_away_is_gone_on_with(found, embedded, capsys, monkeypatch):
    async def away(*_: object) -> None:
        raise Unavailable("The database went away.")

    line = ["--home", str(found.home), "--to-store", embedded.store]
    with monkeypatch.context() as patch:
        patch.setattr(rows, "_put", away)
        code, _, err = await command(capsys, *line)
    assert code == 4
    assert "The database went away.\nGive the same command again" in err
    code, out, _ = await command(capsys, *line)
    assert code == 0
    assert "MEDIAMILL_BLOBS_URL=" not in out
    assert f"What is in MEDIAMILL_BLOBS_URL stays where it is: file://{found.home}" in out


def test_the_time_left_goes_by_the_pace_of_this_run(monkeypatch):
    told, now = [], [100.0]
    monkeypatch.setattr("mediamill.moving.meter.time.monotonic", lambda: now[0])
    meter = Meter(lambda meter: told.append((meter.share, meter.seconds_left)))
    meter.size = 400_000_000  # by an earlier run
    meter.begin(seconds_for(0, 0, 1_000_000_000))
    now[0] += 60
    meter.add(size=200_000_000)
    assert told == [(pytest.approx(0.6), pytest.approx(120))]


def test_long_lists_are_cut():
    assert listed(["a"] * 22).count("a") == 20 + 1  # and the word "and"
    assert listed(["a"] * 22).endswith("\n  and 2 more")
