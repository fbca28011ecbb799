"""Scripts of others that our pages load are what the lock file says, and keep to themselves."""

import hashlib
import json
import re
import shutil

import pytest
from scripts import assets

from tests.support.services import unavailable

MANIFEST = json.loads((assets.VENDOR / assets.MANIFEST).read_text())
PROGRAMS = re.compile(r"\beval\(|\bnew Function\b|\bFunction\([\"'`]|\bimport\(")
ADDRESSES = re.compile(r"https?://[^\s\"'`)]+")
KNOWN = ("https://uppy.io", "https://github.com/transloadit/")
"""What the packages say of themselves; nothing asks there."""


def test_the_folder_is_what_the_manifest_says():
    files = {path.name for path in assets.VENDOR.iterdir()} - {assets.MANIFEST}
    digests = {
        name: hashlib.sha256((assets.VENDOR / name).read_bytes()).hexdigest() for name in files
    }
    assert digests == MANIFEST["sha256"]


def test_the_packages_are_those_of_the_lock_file():
    lock = (assets.SOURCES / "package-lock.json").read_text()
    locked = json.loads(lock)["packages"]
    for name, said in MANIFEST["packages"].items():
        assert locked[f"node_modules/{name}"]["version"] == said["version"]
        assert said["license"] in {"MIT", "ISC", "BSD-3-Clause"}, name
    wanted = json.loads((assets.SOURCES / "package.json").read_text())
    exact = {**wanted["dependencies"], **wanted["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in exact.values())
    assert "resolved" not in lock
    assert "integrity" in lock


def test_they_make_no_programs_of_text_and_ask_no_other_host():
    for script in assets.VENDOR.glob("*.js"):
        text = script.read_text()
        assert not PROGRAMS.search(text), script
        assert all(found.startswith(KNOWN) for found in ADDRESSES.findall(text)), script


@pytest.mark.scan
def test_built_again_they_have_the_same_bytes(tmp_path):
    if not shutil.which("npm"):
        unavailable("building needs node and npm")
    assets.build(tmp_path)
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (assets.VENDOR / file.name).read_bytes(), file.name
