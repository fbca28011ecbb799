"""`mediamill files push` against a real service: skip, resume, go on after a kill."""

import json
import os
import random
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mediamill.cli.remote.home import Credentials
from mediamill.cli.transfer.pushed import Memory
from mediamill.cli.transfer.pushing import Options, walk
from tests.cli.conftest import Commands
from tests.support.cutting import cutting
from tests.support.listening import beside

PER_CONNECTION = 25_000
"""Bytes after which a proxy holds a connection of a push: 300 small files are far more."""


def a_folder(root: Path, count: int, seed: int) -> Path:
    """Write small text files that no other test has, some in folders."""
    dice = random.Random(f"{seed}-{os.getpid()}-{time.time_ns()}")
    for number in range(count):
        folder = root / ("", "cats", "cats/big")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.txt").write_bytes(dice.randbytes(40).hex().encode())
    return root


def lines(done) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def api(service: Credentials) -> httpx.Client:
    headers = {"Authorization": f"Bearer {service.token}"}
    return httpx.Client(base_url=service.server, headers=headers, trust_env=False, timeout=30)


@contextmanager
def cut_by(service: Credentials, cuts: list[int], *, held: bool = False):
    """Run a cutting proxy in a thread; give it and the address of its port."""
    target = int(service.server.rpartition(":")[2])
    with beside(cutting(target, cuts, held=held)) as cutter:
        yield cutter, f"http://127.0.0.1:{cutter.port}"


def test_a_folder_once_and_again(signed_in: Commands, service: Credentials):
    folder = a_folder(signed_in.folder / "set", 12, 1)
    (folder / ".hidden.txt").write_text("hidden")
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("x")
    (folder / "link.txt").symlink_to(folder / "cats")
    (folder / "twin.txt").write_bytes((folder / "00000.txt").read_bytes())
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    (folder / "empty.txt").write_bytes(b"")
    done = signed_in("files", "push", folder, "--tag", "raw", "--json")
    assert done.returncode == 1, done.stderr
    rows = lines(done)
    assert rows[-1] == {"summary": {"uploaded": 12, "present": 1, "refused": 2}}
    refused = {Path(row["path"]).name: row for row in rows if row.get("state") == "refused"}
    assert set(refused) == {"broken.png", "empty.txt"}
    assert refused["broken.png"]["code"] == "broken_media"
    assert all(name in done.stderr for name in refused)
    with api(service) as client:
        for row in rows[:-1]:
            if row["state"] == "uploaded":
                file = client.get(f"/v1/files/{row['file']}").json()
                path = Path(row["path"])
                assert file["sha256"] == row["sha256"]
                place = path.relative_to(folder).parent.as_posix()
                assert file["tags"] == ["raw", *([f"folder:{place}"] if place != "." else [])]
    again = signed_in("files", "push", folder, "--json")
    assert lines(again)[-1] == {"summary": {"uploaded": 0, "present": 13, "refused": 2}}
    (folder / "broken.png").unlink()
    (folder / "empty.txt").unlink()
    plain = signed_in("files", "push", folder, "--no-folder-tags")
    assert plain.returncode == 0
    assert plain.stdout.count("\tset/") == 13 or plain.stdout.count("/set/") == 13
    assert plain.stderr == "0 uploaded, 13 present, 0 refused.\n"


@pytest.mark.embedded("to a bucket it goes past the server: test_direct.py")
def test_a_large_file_through_cuts(signed_in: Commands, service: Credentials):
    path = signed_in.folder / "large.bin"
    path.write_bytes(random.Random(time.time_ns()).randbytes(20 << 20))
    cuts = [9_000_000, 4_000_000, 2_000_000]
    with cut_by(service, [10_000_000, *cuts]) as (cutter, address):
        done = signed_in("files", "push", path, "--server", address, "--json")
    assert done.returncode == 0, done.stderr
    row, summary = lines(done)
    assert summary["summary"]["uploaded"] == 1
    assert cutter.done >= 2
    with api(service) as client:
        back = client.get(f"/v1/files/{row['file']}/content").content
    assert back == path.read_bytes()


def test_small_files_through_cuts(signed_in: Commands, service: Credentials):
    folder = a_folder(signed_in.folder / "set", 30, 2)
    with cut_by(service, [700, 900]) as (cutter, address):
        done = signed_in("files", "push", folder, "--server", address, "--json")
    assert done.returncode == 0, done.stderr
    assert lines(done)[-1]["summary"]["refused"] == 0
    assert cutter.done == 2
    again = signed_in("files", "push", folder, "--json")
    assert lines(again)[-1] == {"summary": {"uploaded": 0, "present": 30, "refused": 0}}


def test_killed_in_the_middle_it_goes_on(signed_in: Commands, service: Credentials):
    folder = a_folder(signed_in.folder / "set", 300, 3)
    with cut_by(service, [PER_CONNECTION] * 100, held=True) as (_, address):
        process = signed_in.start("files", "push", folder, "--server", address, "--json")
        seen = [process.stdout.readline() for _ in range(5)]
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert all(json.loads(line)["state"] == "uploaded" for line in seen)
    again = signed_in("files", "push", folder, "--json")
    assert again.returncode == 0, again.stderr
    counts = lines(again)[-1]["summary"]
    assert counts["uploaded"] + counts["present"] == 300
    assert counts["present"] >= 5
    third = signed_in("files", "push", folder, "--json")
    assert lines(third)[-1]["summary"] == {"uploaded": 0, "present": 300, "refused": 0}
    ids = {row["file"] for row in lines(third)[:-1]}
    assert ids == {row["file"] for row in lines(again)[:-1]}


@pytest.mark.embedded("to a bucket it goes past the server: test_direct.py")
def test_a_large_one_killed_is_resumed_not_begun_anew(signed_in: Commands, service: Credentials):
    path = signed_in.folder / "large.bin"
    path.write_bytes(random.Random(time.time_ns()).randbytes(40 << 20))
    memory = signed_in.home / "push.db"
    place = None
    with cut_by(service, [24 << 20], held=True) as (cutter, address), api(service) as client:
        process = signed_in.start("files", "push", path, "--server", address)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if place is None and memory.exists():
                with Memory(signed_in.home) as kept:
                    rows = kept.one("SELECT place FROM uploads")
                    place = rows[0] if rows else None
            if place and client.get(place).json()["offset"]:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert place
        assert 16 << 20 <= client.get(place).json()["offset"] <= 24 << 20
        cutter.cuts, cutter.held = [], False
        done = signed_in("files", "push", path, "--server", address, "--json")
        assert done.returncode == 0, done.stderr
        upload = client.get(place).json()
        row = lines(done)[0]
        assert (upload["state"], upload["file"]) == ("ready", row["file"])
        assert client.get(f"/v1/files/{row['file']}").json()["sha256"] == row["sha256"]


def test_what_meets_every_file_ends_the_command(signed_in: Commands):
    folder = a_folder(signed_in.folder / "set", 5, 4)
    refused = signed_in("files", "push", folder, "--token", "mmt_wrong")
    assert refused.returncode == 3
    assert "mediamill login" in refused.stderr
    empty = signed_in.folder / "nothing"
    empty.mkdir()
    assert signed_in("files", "push", empty).returncode == 2


def test_walking(tmp_path: Path):
    folder = a_folder(tmp_path / "set", 6, 5)
    (folder / "loop").symlink_to(folder)
    (folder / "cats" / "linked.txt").symlink_to(folder / "00000.txt")
    found = [(item.path.name, item.folder) for item in walk([str(folder)])]
    assert found == [
        ("00000.txt", ""), ("00003.txt", ""), ("00001.txt", "cats"), ("00004.txt", "cats"),
        ("00002.txt", "cats/big"), ("00005.txt", "cats/big"),
    ]  # fmt: skip
    followed = [item.path.name for item in walk([str(folder)], follow=True)]
    assert sorted(followed) == sorted([*(name for name, _ in found), "linked.txt"])
    tags = Options(tags=("a",)).tags_of(next(walk([str(folder / "cats/big")])))
    assert tags == ("a",)
    long = Options().tags_of(type("Found", (), {"folder": "x," * 100})())
    assert len(long[0]) == 100
    assert "," not in long[0]


def test_a_digest_is_read_again_when_the_file_changed(tmp_path: Path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    with Memory(tmp_path / "home") as memory:
        first = memory.digest(path)
        monkeypatch.setattr("hashlib.file_digest", None)
        assert memory.digest(path) == first
        monkeypatch.undo()
        path.write_bytes(b"two")
        os.utime(path, ns=(1, 1))
        assert memory.digest(path) != first
    (tmp_path / "home/push.db").write_bytes(b"no database" * 1000)
    with Memory(tmp_path / "home") as memory:
        assert memory.digest(path) != first


@pytest.mark.soak
def test_ten_thousand_small_files_take_little_memory(signed_in: Commands):
    import resource

    folder = a_folder(signed_in.folder / "set", 10_000, 6)
    from tests.cli import conftest

    conftest.SECONDS = 900
    done = signed_in("files", "push", folder, "--json", "--parallel", 8)
    assert lines(done)[-1]["summary"]["uploaded"] == 10_000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 400_000
