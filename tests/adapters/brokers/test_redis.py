"""The contract through a real Redis."""

import pytest
from redis.asyncio import Redis

from mediamill.adapters.brokers.opening import open_bell
from tests.contracts.doorbell_contract import ELSEWHERE, ServedContract, heard
from tests.support.redis import redis_server


@pytest.fixture(scope="module")
def server():
    with redis_server() as running:
        yield running


class TestRedis(ServedContract):
    password = ""

    async def change_password(self, server, password):
        known = self.password or server.password
        async with Redis(port=server.port, password=known, single_connection_client=True) as client:
            await client.config_set("requirepass", password)
            for kind in ("pubsub", "normal"):
                await client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        self.password = password

    async def test_the_rights_that_are_documented_are_enough(self, server, bell):
        rights = ("resetchannels", "&mediamill", "+subscribe", "+publish", "+ping")
        async with Redis(port=server.port, password=server.password) as client:
            await client.execute_command("ACL", "SETUSER", "least", "on", ">least", *rights)
        other = open_bell(f"redis://least:{'least'}@127.0.0.1:{server.port}", ELSEWHERE)
        with other.listen("work:a") as there, bell.listen("work:b") as here:
            await heard(bell, "work:a", there)
            await heard(other, "work:b", here)
        await other.close()
