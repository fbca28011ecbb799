"""A release of this tree as it lies here, built once a session."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "scripts"))  # scripts import each other as they lie there

import release  # noqa: E402

TIME = 1_790_000_000


@dataclass(frozen=True)
class Release:
    """What was built, and the tree that it was built of."""

    tree: Path
    folder: Path

    def one(self, pattern: str) -> Path:
        (found,) = self.folder.glob(pattern)
        return found


def copied(folder: Path) -> Path:
    """Copy what git tracks, or would, into a new folder."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():  # a file that was moved is listed until that is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def released(tmp_path_factory) -> Release:
    tree = copied(tmp_path_factory.mktemp("tree"))
    folder = tmp_path_factory.mktemp("dist")
    release.build(tree, folder, TIME)
    return Release(tree, folder)
