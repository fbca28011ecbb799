"""What Optimum exported, unpacked once for a session of tests."""

import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Exported(NamedTuple):
    """Small models (`exporting.py` made them) and what Transformers says with them."""

    folder: Path
    answers: dict[str, Any]

    @property
    def pictures(self) -> list[bytes]:
        """PNG files."""
        return [path.read_bytes() for path in sorted(self.folder.glob("pictures/*.png"))]


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("exported")
    with zipfile.ZipFile(Path(__file__).parent / "exported.zip") as archive:
        archive.extractall(folder)
    return Exported(folder, json.loads((folder / "answers.json").read_text()))
