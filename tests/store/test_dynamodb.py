"""The contract on DynamoDB Local and on a second emulator, and R17 beside the memory store."""

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
from tests.contracts.store_contract import KINDS, StoreContract
from tests.contracts.store_model import StoresAgree, run
from tests.support.buckets import KEYS
from tests.support.dynamodb import dynamodb_server

from mediamill.store.dynamodb.store import DynamoStore
from mediamill.store.opening import open_store

numbers = count()


@pytest.fixture(scope="module", params=["local", "ministack"])
def server(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch, dynamodb_server(request.param, folder) as endpoint:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        yield endpoint


async def opened(endpoint: str) -> DynamoStore:
    """Open a fresh table."""
    url = f"dynamodb://table-{next(numbers)}?region=eu-west-1&endpoint={endpoint}"
    return await open_store(url, extra_kinds=KINDS)


class TestDynamoDB(StoreContract):
    @pytest_asyncio.fixture
    async def store(self, server: str) -> AsyncIterator[DynamoStore]:
        store = await opened(server)
        yield store
        await store.close()


# -- R17 --------------------------------------------------------------------------------------


@pytest.fixture
def machine(server: str) -> type[StoresAgree]:
    class DynamoAgrees(StoresAgree):
        async def opened(self) -> DynamoStore:
            return await opened(server)

    return DynamoAgrees


def test_dynamodb_is_what_memory_is(machine: type[StoresAgree]):
    run(machine, examples=10, steps=20)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_dynamodb_is_what_memory_is_for_long(machine: type[StoresAgree]):
    run(machine, examples=500, steps=50)
