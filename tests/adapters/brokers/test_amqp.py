"""The contract through a real RabbitMQ."""

import pytest

from tests.contracts.doorbell_contract import ServedContract
from tests.support.rabbitmq import rabbitmq_server


@pytest.fixture(scope="module")
def server():
    with rabbitmq_server() as running:
        yield running


class TestAmqp(ServedContract):
    @pytest.mark.soak  # it takes seconds to start; a gate that closes is as good
    async def test_rings_go_on_after_a_restart(self, server, bell, other):
        await super().test_rings_go_on_after_a_restart(server, bell, other)
