"""10,000 members: a split, a version and its exports in flat memory."""

import asyncio
import resource
import zipfile
from pathlib import Path

import pytest

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.settings import Settings
from mediamill.datasets.exporting import Wanted
from mediamill.store.port import Put
from mediamill.store.repositories.datasets import TaskState, VersionState
from mediamill.store.repositories.files import File, digest_key
from tests.support.serving import working
from tests.web.test_datasets import png

ANN = Principal("user_ann")
COUNT = 10_000
GROWTH_MB = 120
"""What split, version and two exports of so many may take beside what the service has."""


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def stored(app: App, count: int) -> list[str]:
    """Write files as an upload leaves them, without looking at each."""
    ids = []
    for start in range(0, count, 100):
        rows = []
        for n in range(start, start + 100):
            data = png(n % 251)
            blob = f"files/file_{n:026}"
            digest = await app.blobs.put(blob, data)
            rows.append(
                File(
                    id=f"file_{n:026}", owner=ANN.user, listed=ANN.user, name=f"image-{n}.png",
                    media_type="image/png", size=digest.size, sha256=digest.sha256,
                    crc32=digest.crc32, width=8, height=8, blob=blob, created=1, thumbnail="",
                    digest=digest_key(ANN.user, digest.sha256),
                )
            )  # fmt: skip
        await app.store.transact(*map(Put, rows))
        ids += [row.id for row in rows]
    return ids


async def drained(content, target: Path) -> None:
    size = 0
    with target.open("wb") as out:
        async for chunk in content.read(0, content.size):
            size += out.write(chunk)
    assert size == content.size


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_ten_thousand_members_take_little_memory(tmp_path):
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0)
    async with await App.open(settings) as app, working(app):
        ids = await stored(app, COUNT)
        project = (await app.projects.create(ANN, "many")).id
        for start in range(0, COUNT, 1000):
            await app.projects.add(ANN, project, ids[start : start + 1000])
        before = peak_mb()
        task = await app.datasets.splits.begin(ANN, project, {"train": 8, "test": 2})
        task = await app.datasets.tasks.get(ANN, project, task.id, 300)
        assert task.state is TaskState.SUCCEEDED, task
        assert task.outcome["counts"] == {"train": 8000, "test": 2000}
        versions = app.datasets.versions
        version = await versions.create(ANN, project)
        version = await versions.wait(ANN, project, version.number, 600)
        assert version.state is VersionState.READY, version
        for form in ("coco", "webdataset"):
            content = await versions.export(ANN, project, 1, Wanted(form), 300)
            await drained(content, tmp_path / form)
        with zipfile.ZipFile(tmp_path / "coco") as archive:
            assert sum(name.endswith(".png") for name in archive.namelist()) == COUNT
        print(f"peak before {before:.0f} MB, after {peak_mb():.0f} MB")
        assert peak_mb() - before < GROWTH_MB
        await asyncio.sleep(0)
