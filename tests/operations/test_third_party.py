"""An operation in somebody else's package: built as a wheel, installed, used like our own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.support.processes import running, signed_in

PROJECT = """
    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"

    [project]
    name = "mediamill-flip"
    version = "1.0"
    dependencies = ["mediamill"]

    [project.entry-points."mediamill.operations"]
    flip = "mediamill_flip:Flip"
"""

MODULE = '''
    """Mirror images."""

    from typing import Literal

    import cv2

    from mediamill.media.image.picture import Picture
    from mediamill.operations.base import Context
    from mediamill.operations.image import ImageOperation


    class Flip(ImageOperation):
        """Mirror an image."""

        axis: Literal["horizontal", "vertical"] = "horizontal"

        def apply(self, picture: Picture, context: Context) -> Picture:
            code = 1 if self.axis == "horizontal" else 0
            return Picture(cv2.flip(picture.array(), code), picture.info)
'''


def run(*command: object, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package is installed from its wheel."""
    source = tmp_path_factory.mktemp("guest")
    (source / "mediamill_flip").mkdir()
    (source / "pyproject.toml").write_text(textwrap.dedent(PROJECT))
    (source / "mediamill_flip/__init__.py").write_text(textwrap.dedent(MODULE).lstrip())
    run("hatchling", "build", "--target", "wheel", folder=source)
    (wheel,) = source.glob("dist/*.whl")
    target = tmp_path_factory.mktemp("site")
    run(
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--target",
        target,
        wheel,
        folder=source,
    )
    return target


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture that is white on its left half."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32] = 255
    path = tmp_path / "photo.png"
    assert cv2.imwrite(str(path), pixels)
    return path


def test_the_command_line_runs_it(site: Path, photo: Path, tmp_path: Path):
    more = {"PYTHONPATH": str(site), "MEDIAMILL_HOME": str(tmp_path / "home")}
    assert "--axis" in run("mediamill", "run", "flip", "--help", folder=tmp_path, **more).stdout
    run("mediamill", "run", "flip", photo, "-o", "out", folder=tmp_path, **more)
    (made,) = (tmp_path / "out").glob("photo*.png")
    pixels = cv2.imread(str(made))
    assert pixels[:, :32].max() == 0
    assert pixels[:, 32:].min() == 255


async def test_the_service_runs_it_and_describes_it(
    site: Path, photo: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(site))
    picture = photo.read_bytes()  # noqa: ASYNC240 - nothing else runs yet
    async with running("up", tmp_path / "home") as service, signed_in(service) as client:
        told = (await client.get("/v1/operations/flip")).json()
        assert told["schema"]["properties"]["axis"]["enum"] == ["horizontal", "vertical"]
        sent = await client.post("/v1/files?name=photo.png", content=picture)
        steps = [{"operation": "flip", "parameters": {"axis": "vertical"}}]
        job = await client.post("/v1/jobs", json={"files": [sent.json()["id"]], "steps": steps})
        done = await client.get(f"/v1/jobs/{job.json()['id']}", params={"wait": 60})
        assert done.json()["state"] == "succeeded", done.text
