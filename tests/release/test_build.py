"""What `make release` builds: the same bytes everywhere, all that is needed, and nothing else."""

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import changelog
import pytest
import sbom

import release
from mediamill import __version__
from tests.release.conftest import ROOT, TIME

BUILD = (
    "import sys; sys.path.append('scripts'); from pathlib import Path; import release;"
    " release.build(Path.cwd(), Path(sys.argv[1]), int(sys.argv[2]))"
)
ELSEWHERE = {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "77"}


def test_another_folder_time_zone_language_and_mask_of_modes_give_the_same_bytes(
    released, tmp_path
):
    tree = Path(shutil.copytree(released.tree, tmp_path / "deeper/and/elsewhere"))
    for path in tree.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (1, 1))
    command = [sys.executable, "-c", BUILD, tmp_path / "dist", str(TIME)]
    environment = {**os.environ, **ELSEWHERE}
    subprocess.run(command, cwd=tree, env=environment, umask=0o077, check=True)
    for path in sorted(released.folder.iterdir()):
        assert (tmp_path / "dist" / path.name).read_bytes() == path.read_bytes(), path.name


def test_another_byte_or_time_gives_other_bytes(released, tmp_path):
    """So the comparison above does not compare what is always the same."""
    tree = Path(shutil.copytree(released.tree, tmp_path / "tree"))
    later = release.built("wheel", tree, tmp_path, TIME + 2)
    assert release.digest(later) != release.digest(released.one("*.whl"))
    with (tree / "src/mediamill/web/static/icon.svg").open("a") as file:
        file.write("\n")
    other = release.built("wheel", tree, tmp_path, TIME)
    assert release.digest(other) != release.digest(released.one("*.whl"))


def test_the_tree_gives_the_wheel_that_the_sdist_gave(released, tmp_path):
    wheel = release.built("wheel", released.tree, tmp_path, TIME)
    assert wheel.read_bytes() == released.one("*.whl").read_bytes()


def test_the_wheel_has_the_package_and_nothing_else(released):
    sources = released.tree / "src"
    package = {
        path.relative_to(sources).as_posix() for path in sources.rglob("*") if path.is_file()
    }
    about = f"mediamill-{__version__}.dist-info"
    own = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    with zipfile.ZipFile(released.one("*.whl")) as wheel:
        assert set(wheel.namelist()) == package | {f"{about}/{name}" for name in own}
        assert {entry.date_time[0] for entry in wheel.infolist()} == {2026}
        modes = {entry.external_attr >> 16 & 0o777 for entry in wheel.infolist()}
    assert modes == {0o644}
    for needed in (
        "py.typed",
        "letters/templates",
        "store/sql/migrations/postgres",
        "store/sql/migrations/sqlite",
        "web/static/styles",
        "web/static/vendor/uppy.js",
        "web/static/vendor/uppy.licences.txt",
        "web/templates/base.html",
        "web/texts/en",
    ):
        assert any(name.startswith(f"mediamill/{needed}") for name in package), needed


def test_the_sdist_has_all_that_is_committed(released):
    with tarfile.open(released.one("*.tar.gz")) as archive:
        members = archive.getmembers()
    base = f"mediamill-{__version__}/"
    names = {member.name.removeprefix(base) for member in members if member.isfile()}
    tree = {
        path.relative_to(released.tree).as_posix()
        for path in released.tree.rglob("*")
        if path.is_file()
    }
    assert names == tree | {"PKG-INFO"}
    assert {(member.uid, member.uname, member.mtime) for member in members} == {(0, "", TIME)}


def test_the_metadata_says_what_an_index_shows(released):
    with zipfile.ZipFile(released.one("*.whl")) as wheel:
        text = wheel.read(f"mediamill-{__version__}.dist-info/METADATA").decode()
    about = email.message_from_string(text)
    assert about["Name"] == "mediamill"
    assert about["Version"] == __version__
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Requires-Python"] == ">=3.11"
    assert about["Description-Content-Type"] == "text/markdown"
    assert "@ file:" not in text
    targets = re.findall(r"\]\(([^)\s]+)|src=\"([^\"]+)", about.get_payload())
    shown = [first or second for first, second in targets]
    assert len(shown) > 20
    assert [to for to in shown if not to.startswith(("https://", "http://", "#"))] == []


def test_what_the_readme_leads_to_is_in_the_repository_at_that_tag(released):
    base = f"{release.base_of(ROOT)}/"
    readme = (released.tree / "README.md").read_text()
    ours = re.findall(rf"{re.escape(base)}(blob|raw)/v([^/]+)/([^)\s\"#]+)", readme)
    assert {view for view, _, _ in ours} == {"blob", "raw"}
    assert {version for _, version, _ in ours} == {__version__}
    assert [path for _, _, path in ours if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a](docs/a.md#b)", "[a](https://e.org/m/blob/v1/docs/a.md#b)"),
        ("![a](docs/a.png)", "![a](https://e.org/m/raw/v1/docs/a.png)"),
        ("[![a](docs/a.png)](a.md)",
         "[![a](https://e.org/m/raw/v1/docs/a.png)](https://e.org/m/blob/v1/a.md)"),
        ('<img src="a.png" alt="a">', '<img src="https://e.org/m/raw/v1/a.png" alt="a">'),
        ('<img alt="a" src="a.png">', '<img alt="a" src="https://e.org/m/raw/v1/a.png">'),
        ("[a](https://x.org/b)", "[a](https://x.org/b)"),
        ("[a](#part)", "[a](#part)"),
        ("[a](mailto:a@example.org)", "[a](mailto:a@example.org)"),
    ],
)  # fmt: skip
def test_addresses_of_the_readme_work_on_an_index(before, after):
    assert release.absolute(before, "https://e.org/m", "v1") == after


def test_the_sums_are_of_all_files(released, tmp_path):
    named = {line.split()[1] for line in (released.folder / "SHA256SUMS").read_text().splitlines()}
    there = {path.name for path in released.folder.iterdir()}
    assert named == there - {"SHA256SUMS"}
    assert {Path(name).suffix for name in named} == {".whl", ".gz", ".json", ".md"}
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    copy = Path(shutil.copytree(released.folder, tmp_path / "dist"))
    assert subprocess.run(check, cwd=copy, check=False).returncode == 0
    with next(copy.glob("*.md")).open("a") as notes:
        notes.write("planted")
    assert subprocess.run(check, cwd=copy, check=False, capture_output=True).returncode == 1


def test_notes_are_those_of_the_version():
    unreleased = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- B.\n\n"
    text = unreleased + "## [1.0.0] - 2026-11-23\n\n- A.\n"
    assert release.notes_of(text, "1.0.0") == "# Mediamill 1.0.0\n\n- A.\n"
    assert release.notes_of(text, "1.1.0") == "# Mediamill 1.1.0\n\n### Added\n\n- B.\n"


def test_what_may_not_be_published_is_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    state = {"status": "", "tag": f"v{__version__}\n", "log": f"{TIME}\n"}
    monkeypatch.setattr(release, "told", lambda *command: state[command[1]])
    dated = f"# Changelog\n\n## [Unreleased]\n\n## [{__version__}] - 2026-11-23\n\n- A.\n"
    page = tmp_path / "CHANGELOG.md"
    page.write_text(dated)
    monkeypatch.setattr(changelog, "PAGE", page)
    assert list(release.unfit(__version__)) == []
    for change in ({"status": " M README.md\n"}, {"tag": "v9.9.9\n"}, {"tag": ""}):
        monkeypatch.setattr(release, "told", lambda *command, c=change: (state | c)[command[1]])
        assert len(list(release.unfit(__version__))) == 1
    monkeypatch.setattr(release, "told", lambda *command: state[command[1]])
    for given, hindrances in (("", 0), (str(TIME), 0), (str(TIME + 1), 1)):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", given)
        assert len(list(release.unfit(__version__))) == hindrances, "bytes of another time"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")
    page.write_text(dated.replace(__version__, "9.9.9"))
    monkeypatch.setattr(sys, "argv", ["release.py", "--final", "--output", str(tmp_path / "dist")])
    assert release.main() == 1
    assert "CHANGELOG.md has no section" in capsys.readouterr().err
    assert not (tmp_path / "dist").exists()


def test_what_is_committed_is_taken_and_nothing_else(monkeypatch, tmp_path):
    tree, taken = tmp_path / "tree", tmp_path / "taken"
    tree.mkdir()
    monkeypatch.setattr(release, "ROOT", tree)
    committer = (
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.org",
        "-c",
        "commit.gpgsign=false",
    )
    (tree / "page.txt").write_text("committed")
    for command in (("init", "-q"), ("add", "."), (*committer, "commit", "-qm", "A")):
        subprocess.run(["git", *command], cwd=tree, check=True)
    (tree / "page.txt").write_text("changed")
    (tree / "new.txt").write_text("not added")
    release.export(taken)
    assert {path.name: path.read_text() for path in taken.iterdir()} == {"page.txt": "committed"}


def test_versions_are_semantic():
    assert changelog.SEMANTIC.fullmatch(sbom.version_of(ROOT))
