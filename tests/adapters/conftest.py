"""What tests of several kinds of adapters share."""

from collections.abc import Iterator

import pytest

from tests.support.buckets import BucketServer
from tests.support.secrets import secret_server


@pytest.fixture(scope="session")
def keepers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketServer]:
    """Secrets Manager, Parameter Store and KMS."""
    with secret_server(tmp_path_factory.mktemp("keepers")) as running:
        yield running


@pytest.fixture
def aws(keepers: BucketServer, monkeypatch: pytest.MonkeyPatch) -> BucketServer:
    """The same, with credentials for it."""
    for name, value in keepers.environment.items():
        monkeypatch.setenv(name, value)
    return keepers
