"""What units take of a scratch folder, by their inputs."""

import pytest

from mediamill.blobs.local import LocalBlobs
from mediamill.engine.bounds import Need
from mediamill.handlers.datasets.portions import MOST_BYTES
from mediamill.handlers.files.thumbnails import TOGETHER_BYTES, portions
from mediamill.handlers.items.measuring import FileNeed, ItemsNeed, TogetherNeed, UploadNeed
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Update
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import UploadRows
from mediamill.store.repositories.usage import Usages
from tests.engine.harness import Harness


@pytest.fixture
def harness():
    return Harness(MemoryStore())


def items(harness, blobs=None, after=600.0):
    blobs = blobs or harness.blobs
    return ItemsNeed(
        harness.jobs, harness.manifests, harness.lookup, blobs, harness.blobs, after
    )  # fmt: skip


async def sized(harness, owner, *sizes, media_type="image/jpeg", **more):
    ids = await harness.add_files(owner, len(sizes), media_type)
    for file, size in zip(ids, sizes, strict=True):
        await harness.store.transact(Update(File, (file,), set={"size": size, **more}))
    return ids


async def unit_of(harness, files, **changes):
    job = await harness.submit("ann", files)
    await harness.store.transact(Update(Unit, (job.id, 0), set={"cost": 400.0, **changes}))
    return await harness.units.get(job.id, 0)


async def test_the_largest_input_counts_for_one_is_here_at_a_time(harness):
    unit = await unit_of(harness, await sized(harness, "ann", 5, 700, 30))
    assert await items(harness).need(unit) == Need(400.0, 700)
    done = unit.evolve(done=unit.with_done([1]))
    assert await items(harness).need(done) == Need(400.0, 30)


async def test_files_at_hand_take_none(harness, tmp_path):
    unit = await unit_of(harness, await sized(harness, "ann", 700))
    blobs = await LocalBlobs.open(f"file://{tmp_path}", setting="X", min_free_bytes=0)
    assert await items(harness, blobs).need(unit) == Need(400.0, 0)


@pytest.mark.parametrize(("after", "seconds"), [(600.0, 400.0 / 12), (0.0, 400.0), (3600.0, 400.0)])
async def test_what_is_done_in_parts_takes_what_a_part_takes(harness, after, seconds):
    files = await sized(harness, "ann", 9, media_type="video/mp4", duration=3600.0)
    need = await items(harness, after=after).need(await unit_of(harness, files))
    assert (need.seconds, need.size) == (pytest.approx(seconds), 9)


async def test_a_part_takes_the_whole_input(harness):
    files = await sized(harness, "ann", 9, media_type="video/mp4", duration=3600.0)
    whole = await unit_of(harness, files)
    payload = {**whole.payload, "items": [], "item": 0, "span": [0, 9], "parent": 0}
    part = whole.evolve(kind="segment", payload=payload)
    assert await items(harness).need(part) == Need(400.0, 9)


async def test_what_is_open_together_takes_no_more_than_was_said(harness):
    """Of an import, whose files may come later."""
    half = TOGETHER_BYTES // 2
    ids = await sized(harness, "ann", half, half, 1, TOGETHER_BYTES * 2, 5)
    files = [await harness.files.get(file) for file in ids]
    parts = [[file.size for file in part] for part in portions(files)]
    assert parts == [[half, half], [1], [TOGETHER_BYTES * 2], [5]]
    chore = Unit.chore("thumbnails", "g", 0, "ann", cost=1.0, now=1, due=1)
    need = await TogetherNeed(harness.blobs).need(chore)
    assert need == Need(1.0, MOST_BYTES)
    assert need.size >= TOGETHER_BYTES


async def test_files_and_uploads_that_are_gone_take_none(harness):
    (file,) = await sized(harness, "ann", 70)
    chore = Unit.chore("thumbnail", "g", 0, "ann", cost=1.0, now=1, due=1, file=file)
    assert await FileNeed(harness.files, harness.blobs).need(chore) == Need(1.0, 70)
    gone = chore.evolve(payload={"file": "file_gone", "upload": "upload_gone"})
    assert await FileNeed(harness.files, harness.blobs).need(gone) == Need(1.0, 0)
    rows = UploadRows(harness.store, Usages(harness.store))
    assert await UploadNeed(rows, harness.blobs).need(gone) == Need(1.0, 0)
