"""The contract through a real RabbitMQ."""

import asyncio

import pytest

from mediamill.adapters.brokers.opening import open_bell
from tests.contracts.doorbell_contract import ELSEWHERE, ServedContract, heard
from tests.support.rabbitmq import rabbitmq_server, rabbitmqctl


@pytest.fixture(scope="module")
def server():
    with rabbitmq_server() as running:
        yield running


class TestAmqp(ServedContract):
    @pytest.mark.soak  # the tool takes seconds to start
    async def test_a_rotated_password_counts_without_a_restart(self, server, tmp_path, monkeypatch):
        await super().test_a_rotated_password_counts_without_a_restart(
            server, tmp_path, monkeypatch
        )

    async def change_password(self, server, password):
        for words in (["change_password", server.user, password], ["close_all_connections", "x"]):
            await asyncio.to_thread(rabbitmqctl, server, *words)

    @pytest.mark.soak  # it takes seconds to start; a gate that closes is as good
    async def test_rings_go_on_after_a_restart(self, server, bell, other):
        await super().test_rings_go_on_after_a_restart(server, bell, other)

    @pytest.mark.soak  # the tool takes seconds to start
    async def test_the_rights_that_are_documented_are_enough(self, server, bell):
        rights = r"^(mediamill|amq\.gen-.*)$"
        for words in (["add_user", "least", "least"], ["set_permissions", "least", *[rights] * 3]):
            await asyncio.to_thread(rabbitmqctl, server, *words)
        other = open_bell(f"amqp://least:{'least'}@127.0.0.1:{server.port}", ELSEWHERE)
        with other.listen("work:a") as there, bell.listen("work:b") as here:
            await heard(bell, "work:a", there)
            await heard(other, "work:b", here)
        await other.close()
