"""The contract through a real PostgreSQL, and what a restart of it does."""

import asyncio

import psycopg
import pytest

from mediamill.adapters.brokers.opening import open_bell
from mediamill.core.errors import ConfigurationError
from tests.contracts.doorbell_contract import ELSEWHERE, GatedContract, all_heard, heard
from tests.support.postgres import postgres_server

SECRET = "s3cret"


@pytest.fixture(scope="module")
def server():
    with postgres_server() as running:
        yield running


class TestPostgresql(GatedContract):
    def url(self, server, port: int = 0, **options: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{port or server.port}/postgres"

    @pytest.fixture
    async def bell(self, server):
        bell = open_bell("postgresql:", f"{server.url()}?pool=8")
        yield bell
        await bell.close()

    async def test_it_rings_again_after_a_restart(self, server, bell, other):
        with other.listen("a") as ear:
            await heard(bell, "a", ear)
            await asyncio.to_thread(server.control, "-m", "immediate", "stop")
            ear.clear()
            await bell.ring("a")  # lost
            await asyncio.to_thread(server.start)
            assert await ear.wait(60), "nobody is told to look for what was missed"
            ear.clear()
            await heard(bell, "a", ear)

    async def test_a_connection_that_was_ended_is_made_again(self, server, bell, other):
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
        with other.listen("a") as ear:
            await heard(bell, "a", ear)
            await all_heard(bell, other)
            ear.clear()
            with psycopg.connect(server.url(), autocommit=True) as connection:
                assert connection.execute(end, ("mediamill-doorbell",)).rowcount == 4
            assert await ear.wait(60), "nobody is told to look for what was missed"
            ear.clear()
            await heard(bell, "a", ear)

    async def test_it_goes_by_the_stores_address(self, server):
        ours = "pool=3&timeout=5&prepare=no&options=-c%20jit%3Doff"
        bell = open_bell("postgresql:", f"{server.url()}?{ours}")
        with bell.listen("a") as ear:
            assert await ear.wait(60), "it does not connect"
        await bell.close()

    async def test_who_is_cut_off_is_noticed(self, server):
        bell = open_bell(server.url(), ELSEWHERE)
        for name in ("keepalives_idle=15", "tcp_user_timeout=15000", "connect_timeout=10"):
            assert name in bell._conninfo
        own = open_bell(f"{server.url()}?keepalives_idle=99", ELSEWHERE)
        assert "keepalives_idle=99" in own._conninfo


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql:", "names another kind"),
        (f"postgresql://u:{SECRET}@db.example/mill", "allow_plaintext=true"),
        (f"postgresql://u:{SECRET}@db.example/mill?sslmode=prefer", "allow_plaintext=true"),
        (f"postgresql://u:{SECRET}@127.0.0.1,db.example/mill", "db.example"),
        (f"postgresql://u:{SECRET}@db.example/mill?allow_plaintext=no", "true or false"),
        (f"postgresql://u:{SECRET}@127.0.0.1/mill?colour=red", "unknown parameter colour"),
        (f"postgresql://u:{SECRET}/x@127.0.0.1/mill", ""),
        (f"postgresql://u:%zz{SECRET}@127.0.0.1/mill", "write postgresql:"),
    ],
)
def test_a_bad_address_is_refused(url, said):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_BROKER_URL") as refused:
        open_bell(url, ELSEWHERE)
    assert said in refused.value.message
    assert SECRET not in refused.value.message


@pytest.mark.parametrize(
    ("url", "store"),
    [
        ("postgresql://u@db.example/mill?sslmode=verify-full", ELSEWHERE),
        ("postgresql://u@db.example/mill?allow_plaintext=true", ELSEWHERE),
        ("postgresql:///mill", ELSEWHERE),
        ("postgresql:", "postgresql://u@db.example/mill?pool=3"),
    ],
)
async def test_a_good_address_is_taken(url, store):
    await open_bell(url, store).close()
