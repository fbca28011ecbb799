"""`mediamill files rename | tag | delete | restore | trash`, and the filters of `files list`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mediamill.cli.remote.home import Credentials
from mediamill.cli.root import root
from tests.web.test_files import png

Run = Callable[..., Result]


@pytest.fixture
def run(service: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The commands in this process, against the service."""
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MEDIAMILL_SERVER", service.server)
    monkeypatch.setenv("MEDIAMILL_TOKEN", service.token)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(root, ["files", *arguments])

    return call


@pytest.fixture
def put(run: Run, tmp_path: Path) -> Callable[[int, str], str]:
    def upload(number: int, name: str) -> str:
        (tmp_path / name).write_bytes(png(number))
        done = run("put", str(tmp_path / name))
        assert done.exit_code == 0, done.output
        return done.stdout.split("\t")[0]

    return upload


def test_rename_tag_delete_and_restore(run: Run, put: Callable[[int, str], str]):
    first, second = put(1, "filing-one.png"), put(2, "filing-two.png")
    assert (
        run("rename", first, "filing new.png").output == f"{first} is now called filing new.png.\n"
    )
    tagged = run("tag", first, second, "file_nothing", "--add", "sea", "--add", "2026")
    assert tagged.exit_code == 1
    assert tagged.stdout == f"{first} is tagged.\n{second} is tagged.\n"
    assert "There is no file file_nothing" in tagged.stderr
    assert run("tag", second, "--remove", "sea").exit_code == 0
    assert run("tag", second).exit_code == 2
    assert listed(run, "--tag", "sea") == [first]
    assert listed(run, "--tag", "2026", "--type", "image/*", "--name", "TWO") == [second]
    assert run("list", "--state", "nonsense").exit_code != 0
    assert run("delete", first, second).stdout == f"{first} is deleted.\n{second} is deleted.\n"
    assert listed(run, "--name", "filing") == []
    assert {first, second} <= {row["id"] for row in rows(run("trash", "--json"))}
    assert run("restore", first).stdout == f"{first} is back.\n"
    assert listed(run, "--name", "filing") == [first]
    assert run("delete", "--now", first).exit_code == 0
    assert run("restore", first).exit_code == 1
    assert run("trash", "--empty").output.endswith("files are removed for good.\n")
    assert rows(run("trash", "--json")) == []


def rows(done: Result) -> list[dict[str, object]]:
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def listed(run: Run, *options: str) -> list[object]:
    return [row["id"] for row in rows(run("list", "--json", *options))]
