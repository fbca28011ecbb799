"""The contract on DynamoDB Local."""

import os
from collections.abc import AsyncIterator
from itertools import count

import pytest
import pytest_asyncio
from tests.contracts.store_contract import KINDS, StoreContract
from tests.contracts.store_model import StoresAgree, run

from mediamill.store.dynamodb.store import DynamoStore
from mediamill.store.opening import open_store

numbers = count()


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)


class TestDynamoDB(StoreContract):
    @pytest_asyncio.fixture
    async def store(self) -> AsyncIterator[DynamoStore]:
        address = f"dynamodb://c-{os.getpid()}-{next(numbers)}?region=eu-west-1&endpoint=http://127.0.0.1:18123"
        store = await open_store(address, extra_kinds=KINDS)
        yield store
        await store.close()


def test_dynamodb_is_what_memory_is():
    class Agrees(StoresAgree):
        async def opened(self) -> DynamoStore:
            address = f"dynamodb://m-{os.getpid()}-{next(numbers)}?region=eu-west-1&endpoint=http://127.0.0.1:18123"
            return await open_store(address, extra_kinds=KINDS)

    run(Agrees, examples=20, steps=20)
