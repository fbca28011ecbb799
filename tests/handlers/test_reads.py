"""What a large job reads, counted in rows: each input and each result a fixed number of times."""

from collections import Counter

import pytest

from mediamill.core.access import Principal
from mediamill.handlers.stages.naming import ManyNames
from mediamill.handlers.stages.spool import BUFFER, Spool
from mediamill.media.archive.names import Names
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.results import Result
from tests.support.submission import SubmissionHarness

ANN = Principal("user_ann")


class Counting(MemoryStore):
    """Counts the rows that it is asked for, by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = Counter[type]()

    async def get_many(self, kind, keys):
        self.rows[kind] += len(keys)
        return await super().get_many(kind, keys)

    async def query(self, kind, index, *partition, **how):
        page = await super().query(kind, index, *partition, **how)
        self.rows[kind] += len(page.rows)
        return page


@pytest.fixture
async def harness():
    store = Counting()
    yield SubmissionHarness(store)
    await store.close()


async def test_each_input_is_looked_up_once_and_each_result_read_once(harness):
    """`items` of this harness looks up no files, so what is counted is the listing's."""
    files = await harness.add_files(ANN.user, 2300)
    manifest = await harness.add_manifest(ANN.user, *files)
    job = await harness.submit_named(ANN.user, manifest=manifest)
    harness.store.rows.clear()
    async with harness.worker():
        ended = await harness.finished(ANN.user, job)
    assert (ended.state, ended.items) == (JobState.SUCCEEDED, 2300)
    assert harness.store.rows[File] == 2300 + 1
    assert harness.store.rows[Result] == 2300


async def test_the_estimate_of_the_listing_is_that_of_the_files(harness):
    videos = await harness.add_files(ANN.user, 2, media_type="video/mp4")
    photos = await harness.add_files(ANN.user, 3)
    named = [photos[0], videos[0], photos[1], "file_unknown", photos[2], videos[1]]
    manifest = await harness.add_manifest(ANN.user, *named)
    job = await harness.submit_named(ANN.user, manifest=manifest)
    async with harness.worker():
        await harness.finished(ANN.user, job)
    units = await harness.units.of_group(job.id)
    assert [unit.items for unit in units] == [[0], [1], [2, 3, 4], [5]]
    listed = await harness.submit(ANN.user, [photos[0], videos[0]])
    alike = await harness.units.of_group(listed.id)
    assert [unit.cost for unit in units[:2]] == [unit.cost for unit in alike]


@pytest.mark.parametrize("count", [0, 3, 50_000])
async def test_a_spool_gives_back_its_lines(tmp_path, count):
    async with Spool(tmp_path) as spool:
        for n in range(count):
            await spool.add(b"%09d\r a line\n" % n)
            assert len(spool._buffer) < BUFFER
        assert [line async for line in spool.lines()] == [
            b"%09d\r a line\n" % n for n in range(count)
        ]
        assert not list(tmp_path.iterdir())


def test_names_on_disk_are_those_in_memory(tmp_path):
    asked = [f"{'aA'[n % 3 == 0]}{n * 7919 % 600}.jpg" for n in range(3000)]
    plain = Names()
    with ManyNames(tmp_path, most=50) as names:
        assert [names.claim(name) for name in asked] == [plain.claim(name) for name in asked]
        assert len(names._taken) == len(names._next) == 50
        assert not list(tmp_path.iterdir())
