"""Real S3 servers, one of each kind for the session."""

from collections.abc import Iterator
from itertools import count

import pytest
from tests.support.buckets import BucketServer, bucket_server
from tests.support.places import Servers
from tests.support.rados import rados_server

KINDS = ("ministack", pytest.param("moto_server", marks=pytest.mark.soak), "radosgw")
numbers = count()


@pytest.fixture(scope="session")
def light(servers: Servers) -> BucketServer:
    """A server that answers much as Amazon does, and checks signatures."""
    return servers.buckets


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketServer]:
    """A server that knows cold storage; it checks no signatures."""
    with bucket_server("moto_server", tmp_path_factory.mktemp("moto")) as running:
        yield running


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketServer]:
    """Ceph: signatures to the letter, no checksum headers."""
    with rados_server(tmp_path_factory.mktemp("rados")) as running:
        yield running


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest) -> BucketServer:
    """Each kind in turn."""
    names = {"ministack": "light", "moto_server": "moto", "radosgw": "strict"}
    found: BucketServer = request.getfixturevalue(names[request.param])
    return found


@pytest.fixture(scope="session")
def bucket(server: BucketServer) -> str:
    """A bucket of the session on each kind of server."""
    server.client().create_bucket(Bucket="contract")
    return "contract"


@pytest.fixture
def folder(server: BucketServer, bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder in it of one's own, and the credentials for it."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return f"{bucket}/test-{next(numbers)}"
