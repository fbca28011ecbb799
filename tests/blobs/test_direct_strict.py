"""Direct transfers of the whole service on a strict server; on a light one: `tests/web`."""

import pytest
from tests.web import test_direct as ways

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.web.app import create_app


@pytest.fixture
async def mill(strict, tmp_path, monkeypatch):
    """A service whose files lie in a bucket of Ceph's."""
    for name, value in strict.environment.items():
        monkeypatch.setenv(name, value)
    strict.client().create_bucket(Bucket="direct")
    home = {"home": tmp_path / "home", "slots": 1, "min_free_bytes": 0, "poll_seconds": 0.1}
    async with await App.open(Settings(**home, blobs_url=strict.url("direct/some"))) as app:
        yield app


async def test_the_same_ways_on_a_strict_server(mill, monkeypatch):
    """One service for all of them: a server of this kind takes its time."""
    web = create_app(mill)
    async with (
        ways.somebody(mill, web) as ann,
        ways.somebody(mill, web) as bob,
        ways.outside() as bucket,
    ):
        await ways.test_in_parts_with_one_that_comes_late(mill, ann, bucket, monkeypatch)
        await ways.test_in_one_request_to_a_file(mill, ann, bucket)
        await ways.test_an_old_request_reaches_nothing(mill, ann, bucket)
        await ways.test_a_request_is_for_its_object_and_length_only(ann, bucket)
        await ways.test_a_download_by_redirect(mill, ann, bob, bucket)
        await ways.test_parts_of_tus_are_put_together_by_the_bucket(mill, ann, monkeypatch)
