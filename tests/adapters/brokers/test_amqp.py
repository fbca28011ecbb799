"""The contract through a real RabbitMQ."""

import pytest

from tests.contracts.doorbell_contract import ServedContract
from tests.support.rabbitmq import rabbitmq_server


@pytest.fixture(scope="module")
def server():
    with rabbitmq_server() as running:
        yield running


class TestAmqp(ServedContract):
    pass
