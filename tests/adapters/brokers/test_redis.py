"""The contract through a real Redis."""

import pytest

from tests.contracts.doorbell_contract import ServedContract
from tests.support.redis import redis_server


@pytest.fixture(scope="module")
def server():
    with redis_server() as running:
        yield running


class TestRedis(ServedContract):
    pass
