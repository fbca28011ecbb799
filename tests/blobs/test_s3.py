"""The contract on real S3 servers: a strict one and a light one."""

from itertools import count

import pytest
from tests.contracts.blobs_contract import BlobsContract
from tests.support.buckets import KEYS, bucket_server

from mediamill.blobs.opening import open_blobs

numbers = count()


@pytest.fixture(scope="module", params=["ministack", "moto_server"])
def server(request, tmp_path_factory):
    with bucket_server(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


class TestS3(BlobsContract):
    @pytest.fixture
    async def blobs(self, server, monkeypatch):
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        bucket = f"contract-{next(numbers)}"
        server.client().create_bucket(Bucket=bucket)
        blobs = await open_blobs(server.url(f"{bucket}/some/folder"))
        yield blobs
        await blobs.close()
