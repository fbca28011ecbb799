"""The worker's image: laid out by the steps of its Dockerfile, and run on the imitated machine.

All of it in the soak: 600 MB of packages are fetched and compiled, in half a minute at the best.
"""

import sys
from pathlib import Path

import pytest

from tests.aws.test_working import COUNT, FRAMES, mill, photo, server  # noqa: F401 - fixtures
from tests.media_factory import clip
from tests.support.cloud import rings
from tests.support.functions import PYTHON, python_of_functions, runtime_packages

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import image_layout  # noqa: E402 - a script: no package


def test_the_steps_are_those_that_can_be_imitated():
    found = list(image_layout.steps(image_layout.DOCKERFILE.read_text()))
    assert {word for word, _ in found} <= image_layout.STEPS.keys()
    assert found[-1][1] == '["mediamill.aws.worker.handler"]'
    assert ("USER", "993:990") in found, "it runs as root"


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    python_of_functions()
    made = image_layout.laid_out(tmp_path_factory.mktemp("image"))
    made.task.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """Where the base's own packages lie."""
    return runtime_packages(tmp_path_factory.mktemp("runtime"))


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_the_worker_runs_as_it_lies_in_the_image(layout, runtime, mill):
    assert layout.size() < image_layout.MOST / 10
    assert (layout.python, layout.command) == (PYTHON, ["mediamill.aws.worker.handler"])
    video = await mill.upload("clip.mp4", clip(mill.folder / "clip.mp4", seconds=2).read_bytes())
    photos = [await mill.upload(f"{n}.jpg", photo(n)) for n in range(COUNT)]
    jobs = [await mill.submit([video], FRAMES), await mill.submit(photos, ("thumbnail", {}))]
    where = {"task": layout.task, "layer": runtime, "python": python_of_functions()}
    with mill.function(layout.command[0], **where, memory_mb=3538) as run:
        assert await mill.call(run, rings()) == {"batchItemFailures": []}
    for job in jobs:
        await mill.ended(job)
