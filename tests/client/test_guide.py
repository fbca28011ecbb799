"""The examples of docs/how-to/client.md are run as they stand, and are typed as they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mediamill.cli.remote.home import Credentials
from tests.docs.blocks import DOCS, blocks
from tests.support.places import kept

PAGE = DOCS / "how-to/client.md"
EXAMPLES = [block for block in blocks(PAGE) if block.language == "python"]
SECONDS = 100


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_an_example_runs(block, service: Credentials, clip: Path, tmp_path: Path):
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    given = {"MEDIAMILL_SERVER": service.server, "MEDIAMILL_TOKEN": service.token}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text], cwd=tmp_path, capture_output=True,
        env=kept(os.environ) | given, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not list(tmp_path.glob(".mediamill-*"))


def test_there_are_examples_of_each_kind():
    text = "".join(block.text for block in EXAMPLES)
    assert len(EXAMPLES) >= 5
    assert "AsyncMediamill(" in text
    assert "state=" in text
